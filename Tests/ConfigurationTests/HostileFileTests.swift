import Configuration
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014): a seed gives the same texts on every run.
private struct Random: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

@Suite struct HostileFileTests {
  private func problems(_ bytes: [UInt8]) throws -> [ConfigurationProblem] {
    let scratch = try ScratchDirectory()
    let path = try scratch.write("other.toml", bytes)
    return try LoadedConfiguration.load(ConfigurationRequest(file: path, environment: Environment([:])))
      .problems
  }

  @Test func aNULIsRefusedWhereItStands() throws {
    let found = try problems(Array("[batch]\nchunk_size = 1\0 0".utf8))
    #expect(found.map(\.message) == ["holds a NUL character"])
    #expect(found.first?.position == TextPosition(line: 2, column: 15))
    #expect(try problems(Array("# a comment\0\n[batc]".utf8)).map(\.message) == ["holds a NUL character"])
  }

  @Test func bytesThatAreNoUTF8AreRefusedWithTheirLine() throws {
    let found = try problems(Array("[batch]\n# ".utf8) + [0xFF, 0xFE])
    #expect(found.first?.position?.line == 2)
    #expect(found.first?.message == "is not UTF-8 on this line")
  }

  @Test func aFileOverOneMebibyteIsNotRead() throws {
    let failure = #expect(throws: ConfigurationFailure.self) {
      try problems([UInt8](repeating: UInt8(ascii: "\n"), count: 1 << 20 + 1))
    }
    #expect(failure?.code == "config_unreadable")
    #expect(try problems([UInt8](repeating: UInt8(ascii: "\n"), count: 1 << 20)) == [])
  }

  @Test func problemsAreBounded() throws {
    let text = "[batch]\n" + (0..<5000).map { "k\($0) = 1\n" }.joined()
    #expect(try problems(Array(text.utf8)).count == 100)
  }

  @Test func deepNestingIsAProblemNotACrash() throws {
    for text in [
      String(repeating: "a.", count: 500_000) + "a = 1\n}", String(repeating: "[", count: 1 << 20),
      "a = " + String(repeating: "[{a.a.a.a.a.a.a.a=", count: 50_000),
    ] {
      #expect(try problems(Array(text.utf8)).count == 1)
    }
  }

  /// Texts made by cutting, repeating and corrupting a good one: each is read or refused, none traps.
  @Test func damagedFilesNeverTrap() throws {
    let good = Array(
      """
      [database]
      url = "postgresql://u:p@h/db" # comment
      replicas = ["host=a", 'host=b', \"\"\"host=c\"\"\"]
      max_connections = 1_000
      [cache]
      ttl_jitter = 0.5e-1
      "l2_ttl_secs" = 0x10
      [targets]
      error_rate = 1e-3
      [http]
      listen = "\\u0031:80"
      x = { a.b = 1979-05-27T07:32:00Z, c = [ { d = true } ] }
      """.utf8)
    let tokens = [
      "[", "]", "{", "}", "\"", "'", "\"\"\"", "'''", "=", ".", "\n", "\\", "#", ",", "\u{85}", "\\u",
    ]
    var random = Random(state: 20_261_123)
    for _ in 0..<3000 {
      var bytes = good
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1:
          bytes.removeSubrange(
            at..<max(at, min(bytes.count - 1, at + Int.random(in: 0..<40, using: &random))))
        case 2: bytes.insert(contentsOf: Array((tokens.randomElement(using: &random) ?? "").utf8), at: at)
        default: bytes.insert(contentsOf: bytes[at...].prefix(30), at: at)
        }
      }
      for problem in try problems(bytes) { #expect(problem.description.utf8.count < 2000) }
    }
  }
}
