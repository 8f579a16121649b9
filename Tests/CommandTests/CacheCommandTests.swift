import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CacheCommandTests {
  private let loop = (0..<300).map { "k\($0 % 30)\n" }.joined()

  @Test func simulatesATraceFromStandardInput() async throws {
    let result = try await Ironforge.run(
      ["cache", "simulate", "-", "--capacity", "10", "--json"], stdin: loop + "\r\n\nk1")
    #expect(result.exitCode == 0)
    #expect(
      result.stdout.hasPrefix(
        #"{"trace":"standard input","requests":301,"distinct":30,"capacity":10,"hit_ratio":"#))
    #expect(result.stdout.contains(#""lru_hit_ratio":0.0,"optimal_hit_ratio":"#))
    #expect(result.stdout.contains(#""ns_per_access":"#))
  }

  @Test func simulatesAFileAsTextAndCSV() async throws {
    let directory = try TemporaryDirectory("trace")
    let path = try directory.write("a\na\nb\na", to: "keys.txt")
    let text = try await Ironforge.run(["cache", "simulate", path, "--capacity", "2"])
    #expect(text.exitCode == 0)
    #expect(text.stdout.contains("optimal_hit_ratio  0.5"))
    let csv = try await Ironforge.run(["cache", "simulate", path, "--capacity", "2", "-o", "csv"])
    let lines = csv.stdout.split(separator: "\r\n")
    #expect(
      lines.first
        == "trace,requests,distinct,capacity,hit_ratio,lru_hit_ratio,optimal_hit_ratio,ns_per_access")
    #expect(lines.last?.hasPrefix("\(path),4,2,2,0.5,0.5,0.5,") == true)
  }

  @Test func anEmptyTraceHasNoRatios() async throws {
    let result = try await Ironforge.run(["cache", "simulate", "-", "--capacity", "5", "--json"])
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains(#""requests":0,"distinct":0,"capacity":5,"hit_ratio":0.0"#))
  }

  @Test func saysWhatIsWrong() async throws {
    let zero = try await Ironforge.run(["cache", "simulate", "-", "--capacity", "0"], stdin: "a")
    #expect(zero.exitCode == 64)
    #expect(zero.stderr.contains("the capacity must be from 1 to 100000000, not 0"))
    let missing = try await Ironforge.run(["cache", "simulate", "/nonexistent/keys", "--capacity", "5"])
    #expect(missing.exitCode == 65)
    let long = try await Ironforge.run(
      ["cache", "simulate", "-", "--capacity", "5", "--json"],
      stdin: "a\n" + String(repeating: "x", count: 70_000))
    #expect(long.exitCode == 65)
    #expect(long.stderr.contains("standard input:2: the key is longer than 65536 bytes"))
  }
}
