import Primitives
import Testing

private enum Column: String, CaseIterable { case a, b, c }

/// Reads a whole text, handed over in pieces of at most `chunk` bytes.
private func read(
  _ text: some Sequence<UInt8>, chunk: Int = 1 << 16, required: [Column] = [.a]
) throws -> [[String?]] {
  var rest = Array(text)[...]
  var reader = try CSVReader<Column>(name: "t.csv", required: required) { buffer in
    let taken = rest.prefix(min(chunk, buffer.count))
    buffer.copyBytes(from: taken)
    rest = rest.dropFirst(taken.count)
    return taken.count
  }
  var rows: [[String?]] = []
  while let record = try reader.next() { rows.append([record[.a], record[.b], record[.c]]) }
  return rows
}

private func read(_ text: String) throws -> [[String?]] { try read(Array(text.utf8)) }

private struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    // xorshift64*
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }
}

@Suite struct CSVReaderTests {
  @Test func fieldsMayBeQuotedAndSpanLines() throws {
    let rows = try read("a,b,c\r\n1,\"x, \"\"y\"\"\",\r\n\"2\n3\",,\"\"\r\n")
    #expect(rows == [["1", "x, \"y\"", nil], ["2\n3", nil, nil]])
  }

  @Test func columnsStandInAnyOrderAndMayBeAbsent() throws {
    #expect(try read("c,a\n1,2\n") == [["2", nil, "1"]])
  }

  @Test func aByteOrderMarkEmptyLinesAndAMissingLastLineEndAreFine() throws {
    #expect(try read("\u{FEFF}a,b\n\n1,2\r\n\r\n\n3,4") == [["1", "2", nil], ["3", "4", nil]])
    #expect(try read("a") == [])
    #expect(try read("a,b\n1,") == [["1", nil, nil]])
  }

  @Test(arguments: [
    ("", 1, "header"), ("b\n1\n", 1, "\"a\" is missing"), ("a,d\n", 1, "unknown column \"d\""),
    ("a,a\n", 1, "twice"), ("A\n", 1, "unknown column \"A\""), ("a,b\n1\n", 2, "1 fields"),
    ("a,b\n1,2\n1,2,3\n", 3, "3 fields"), ("a\n1\n\"2\n", 3, "not closed"), ("a\n1\"2\n", 2, "quote"),
    ("a\n\"1\"2\n", 2, "closing quote"), ("a\n1\r2\n", 2, "carriage return"), ("a\n\n\n1\0\n", 4, "NUL"),
    ("a,b\n\"1\n2\n\",x\n\"y\0\"", 5, "NUL"),
  ])
  func whatIsWrongIsNamedWithItsLine(text: String, line: Int, reason: String) {
    let error = #expect(throws: InputError.self) { try read(text) }
    #expect(error?.line == line)
    #expect(error?.message.hasPrefix("t.csv:\(line): ") == true)
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    #expect(error?.kind == .malformedInput)
  }

  @Test func textThatIsNotUTF8IsRefused() {
    for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80]] {
      let error = #expect(throws: InputError.self) { try read(Array("a\n1\n".utf8) + bytes) }
      #expect(error?.line == 3)
    }
  }

  @Test func aRecordIsBounded() throws {
    let endless = Array("a\n\"".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 2 << 20)
    let error = #expect(throws: InputError.self) { try read(endless) }
    #expect(error?.line == 2)
    #expect(error?.reason.contains("larger") == true)
    let fits = String(repeating: "y", count: 1 << 20)
    #expect(try read("a\n\(fits)\n") == [[fits, nil, nil]])
    #expect(throws: InputError.self) { try read("a\n\(fits)y\n") }
    #expect(throws: InputError.self) { try read(String(repeating: ",", count: 5000)) }
  }

  /// What is written by the rules of RFC 4180 is read back, wherever the pieces of the input end.
  @Test(arguments: 1...200) func whatWasWrittenIsReadBack(seed: Int) throws {
    var random = Random(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    let alphabet = Array("ab,\"\n\r\u{FEFF}é💶 ;'")
    var text = "a,b,c\n"
    var expected: [[String?]] = []
    for _ in 0..<Int.random(in: 0..<20, using: &random) {
      var row: [String?] = []
      var cells: [String] = []
      for _ in 0..<3 {
        let letters = (0..<Int.random(in: 0..<6, using: &random)).map { _ in
          alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
        }
        let value = String(letters)
        row.append(value.isEmpty ? nil : value)
        let mustQuote = value.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
        let doubled = value.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined()
        cells.append(mustQuote || Bool.random(using: &random) ? "\"\(doubled)\"" : value)
      }
      text += cells.joined(separator: ",") + (Bool.random(using: &random) ? "\r\n" : "\n")
      expected.append(row)
    }
    for chunk in [1, 2, 7, 1 << 16] {
      #expect(bytes(try read(Array(text.utf8), chunk: chunk)) == bytes(expected))
    }
  }

  /// To be compared byte by byte: Swift takes strings for equal that are so canonically.
  private func bytes(_ rows: [[String?]]) -> [[[UInt8]?]] {
    rows.map { row in row.map { field in field.map { Array($0.utf8) } } }
  }

  /// Any bytes end in records or in an `InputError`, the same ones wherever the pieces end.
  @Test(arguments: 1...500) func anyBytesComeToAnEnd(seed: Int) {
    var random = Random(state: UInt64(seed) &* 0xD1B5_4A32_D192_ED03)
    let alphabet: [UInt8] = [0x22, 0x2C, 0x0A, 0x0D, 0x61, 0x62, 0x00, 0xC3, 0xA9, 0xEF, 0xBB, 0xBF]
    let noise = (0..<Int.random(in: 0..<80, using: &random)).map { _ in
      Int.random(in: 0..<40, using: &random) == 0
        ? UInt8.random(in: 0...255, using: &random) : alphabet[Int.random(in: 0..<8, using: &random)]
    }
    let text = (Bool.random(using: &random) ? Array("a,b\n".utf8) : []) + noise
    let results = [1, 3, 1 << 16].map { chunk in
      do {
        return "\(try read(text, chunk: chunk))"
      } catch {
        return error is InputError ? "\(error)" : "another error: \(error)"
      }
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
    #expect(results[0].hasPrefix("[") || results[0].hasPrefix("t.csv:"))
  }
}
