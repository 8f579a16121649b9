import Glibc
import Primitives
import TestSupport
import Testing

@testable import Batch

@Suite struct BatchSourceTests {
  private static let row = "k,a,b,1,USD\n"
  private static let header = "key,from,to,amount,currency\n"

  private func readAll(_ source: BatchSource) throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 50_000)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
      if count == 0 { return all }
      all += buffer[..<count]
    }
  }

  private func code(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      return (error as? any Failure)?.code
    }
  }

  @Test(arguments: [0, 1, 100, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1_000_000])
  func aFileIsReadTwiceAndHashedOnce(size: Int) throws {
    let directory = try TemporaryDirectory("batch")
    let text = String(repeating: "0123456789abcdef", count: size / 16 + 1).prefix(size)
    let source = try BatchSource(try directory.write(String(text), to: "f"))
    #expect(source.digest == nil)
    #expect(try readAll(source) == Array(text.utf8))
    #expect(source.digest == SHA256.digest(of: text.utf8))
    source.rewind()
    #expect(try readAll(source) == Array(text.utf8))
  }

  @Test func aPipeIsReadTwiceAsWell() async throws {
    let directory = try TemporaryDirectory("batch")
    let path = directory.file("pipe")
    #expect(mkfifo(path, 0o600) == 0)
    let text = Array(String(repeating: Self.row, count: 50_000).utf8)
    async let written: Void = blocking {
      let descriptor = open(path, O_WRONLY)
      var rest = text[...]
      while !rest.isEmpty {
        let count = rest.prefix(10_000).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        rest = rest.dropFirst(max(0, count))
      }
      close(descriptor)
    }
    let (first, second, digest) = try await blocking {
      let source = try BatchSource(path)
      let first = try readAll(source)
      source.rewind()
      return (first, try readAll(source), source.digest)
    }
    try await written
    #expect(first == text && second == text && digest == SHA256.digest(of: text))
  }

  @Test func aPipeThatStaysSilentCanBeStopped() throws {
    let directory = try TemporaryDirectory("batch")
    let path = directory.file("pipe")
    #expect(mkfifo(path, 0o600) == 0)
    let end = open(path, O_RDWR)
    defer { close(end) }
    let deadline = Deadline.after(.milliseconds(300))
    let source = try BatchSource(path) { deadline.hasPassed }
    #expect(code { _ = try BatchPlan(of: source) } == "input_stopped")
  }

  /// In its middle, at its end, shorter, longer: no byte of the changed text is handed over.
  @Test(arguments: ["edited", "appended", "truncated"]) func aFileThatChangesIsNoticed(how: String) throws {
    let directory = try TemporaryDirectory("batch")
    let text = Self.header + String(repeating: Self.row, count: 60_000)
    let path = try directory.write(text, to: "f")
    let source = try BatchSource(path)
    _ = try readAll(source)
    source.rewind()
    let descriptor = open(path, O_RDWR)
    defer { close(descriptor) }
    switch how {
    case "edited": #expect(pwrite(descriptor, "9", 1, 700_000) == 1)
    case "appended": #expect(pwrite(descriptor, Self.row, Self.row.utf8.count, off_t(text.utf8.count)) > 0)
    default: #expect(ftruncate(descriptor, 700_000) == 0)
    }
    var seen = 0
    var buffer = [UInt8](repeating: 0, count: 10_000)
    let failed = code {
      while true {
        let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
        if count == 0 { break }
        seen += count
      }
    }
    #expect(failed == "input_changed")
    #expect(
      seen <= 700_000 && seen > 0 && seen % (128 * 1024) == 0, "whole blocks before the change: \(seen)")
  }

  @Test func theFormatIsSeenInTheFirstBytes() throws {
    let directory = try TemporaryDirectory("batch")
    func format(_ text: String, _ name: String = "f.csv") throws -> BatchFormat {
      try BatchSource(try directory.write(text, to: name)).format()
    }
    #expect(try format("from,to\n") == .csv && format(" \n\t{\"a\":1}") == .ndjson)
    #expect(try format("\u{FEFF}{}") == .ndjson && format("") == .csv && format("", "f.ndjson") == .ndjson)
    #expect(throws: InputError.self) { try format("[{}]") }
  }

  @Test func whatCannotBeReadIsNamed() throws {
    let directory = try TemporaryDirectory("batch")
    #expect(code { _ = try BatchSource(directory.file("none")) } == "input_unreadable")
    #expect(code { _ = try BatchSource(directory.path) } == "input_unreadable")
  }

  @Test func keysAreMadeOfTheTextAndTheLine() throws {
    let directory = try TemporaryDirectory("batch")
    let path = try directory.write("from,to,amount,currency\na,b,1,USD\n", to: "f")
    let plan = try BatchPlan(of: try BatchSource(path))
    let key = plan.makeKey()(2)
    #expect(key.utf8.count == 32 && key.hasSuffix(":000000002") && plan.hasDerivedKeys && plan.rows == 1)
    #expect(plan.makeKey()(1_234_567_890).hasSuffix(":1234567890"))
    let copy = try directory.write("from,to,amount,currency\na,b,1,USD\n", to: "g")
    #expect(try BatchPlan(of: try BatchSource(copy)).makeKey()(2) == key)
    let other = try directory.write("from,to,amount,currency\na,b,2,USD\n", to: "h")
    #expect(try BatchPlan(of: try BatchSource(other)).makeKey()(2) != key)
  }

  @Test func base64IsThatOfTheStandard() {
    // RFC 4648, section 10.
    let words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"]
    let expected = ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"]
    #expect(words.map { String(decoding: base64URL(Array($0.utf8)), as: UTF8.self) } == expected)
    #expect(String(decoding: base64URL([0xFB, 0xFF]), as: UTF8.self) == "-_8")
  }
}
