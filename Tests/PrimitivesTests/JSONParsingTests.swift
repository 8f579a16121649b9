import Primitives
import Testing

private func parse(_ text: String) throws(JSONError) -> JSON { try JSON(parsing: Array(text.utf8)) }

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

@Suite struct JSONParsingTests {
  @Test func numbersKeepTheirText() throws {
    let text = "[12.50,-0,0.10,1E+400,123456789012345678901234567890]"
    #expect(try parse(text).description == text)
    #expect(try parse(" 12.50 ") == .decimal("12.50"))
  }

  @Test func valuesOfAllKindsAreRead() throws {
    let value = try parse(
      " {\"a\" : [ ] , \"b\":{},\"c\":[true,false,null],\r\n\t\"d\":\"x\\u00e9\\ud83d\\ude00\\n\\/\\\"\"}")
    #expect(
      value == [
        "a": [], "b": .object([]), "c": [true, false, nil], "d": .string("xé😀\n/\""),
      ])
  }

  @Test(arguments: [
    ("", 1, 1, "text ends"), ("  \n ", 2, 2, "text ends"), ("[1,]", 1, 4, "expected a value"),
    ("[1 2]", 1, 4, "expected , or ]"), ("{\"a\":1,}", 1, 8, "name"), ("{a:1}", 1, 2, "name"),
    ("{\"a\" 1}", 1, 6, "expected :"), ("{\"a\":1]", 1, 7, "expected , or }"), ("{} x", 1, 4, "behind"),
    ("01", 1, 1, "zeros"), ("-", 1, 2, "digit"), ("1.", 1, 3, "digit"), ("1e", 1, 3, "digit"),
    ("+1", 1, 1, "value"), ("nul", 1, 1, "value"), ("NaN", 1, 1, "value"), ("'a'", 1, 1, "value"),
    ("\"a", 1, 1, "not closed"), ("\"a\\", 1, 3, "not closed"), ("\"\\x\"", 1, 2, "escape"),
    ("\"\\u12g4\"", 1, 2, "hexadecimal"), ("\"\\ud800\"", 1, 2, "surrogate"),
    ("\"\\ud800\\u0041\"", 1, 2, "surrogate"), ("\"\\udc00\"", 1, 2, "surrogate"),
    ("\"a\tb\"", 1, 3, "control"), ("[\n \"é\", }", 2, 7, "value"), ("// a\n1", 1, 1, "value"),
    ("{\"a\":1,\"b\":2,\"a\":3}", 1, 14, "twice"), ("{\"a\":{\"b\":1,\"\\u0062\":2}}", 1, 13, "twice"),
  ])
  func whatIsWrongIsNamedWithItsPlace(text: String, line: Int, column: Int, reason: String) {
    let error = #expect(throws: JSONError.self) { try parse(text) }
    #expect(error?.line == line && error?.column == column, "\(text): \(error?.message ?? "")")
    #expect(error?.reason.contains(reason) == true, "\(text): \(error?.reason ?? "")")
    #expect(error?.kind == .malformedInput)
  }

  @Test func stringsMustBeUTF8() {
    for bytes: [UInt8] in [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] {
      let error = #expect(throws: JSONError.self) { try JSON(parsing: [0x22] + bytes + [0x22]) }
      #expect(error?.reason.contains("UTF-8") == true)
    }
  }

  @Test func depthIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(JSONScanner.depthMax))
    let error = #expect(throws: JSONError.self) { try parse(nested(JSONScanner.depthMax + 1)) }
    #expect(error?.reason.contains("inside one another") == true)
    #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 5_000_000)) }
    #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 1_000_000)) }
  }

  /// What is written by `JSON` is read back.
  @Test(arguments: 1...200) func whatWasWrittenIsReadBack(seed: Int) throws {
    var random = Random(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    let value = Self.value(&random, depth: 4)
    #expect(try parse(value.description) == value)
    #expect(try parse(value.description).description == value.description)
  }

  private static func value(_ random: inout Random, depth: Int) -> JSON {
    switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
    case 0: return nil
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .decimal("\(Int64.random(in: .min ... .max, using: &random)).5")
    case 3: return .string(text(&random))
    case 4:
      return .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in value(&random, depth: depth - 1) })
    default:
      return .object(
        (0..<Int.random(in: 0..<4, using: &random)).map { index in
          (key: "\(index)\(text(&random))", value: value(&random, depth: depth - 1))
        })
    }
  }

  private static func text(_ random: inout Random) -> String {
    let letters = Array("ab\"\\/\n\t\u{1}\u{7F}é💶\u{0}{}[]:,")
    return String(
      (0..<Int.random(in: 0..<8, using: &random)).map { _ in
        letters[Int.random(in: 0..<letters.count, using: &random)]
      })
  }

  /// Any bytes end in a value or in a `JSONError` with a place inside the text; a value can be written and read again.
  @Test(arguments: 1...2000) func anyBytesComeToAnEnd(seed: Int) throws {
    var random = Random(state: UInt64(seed) &* 0xD1B5_4A32_D192_ED03)
    let pieces = [
      "{", "}", "[", "]", ":", ",", "\"", "\\", "\"a\"", "\"b\":", "1", "-", "0", ".5", "e+1", "true", "null",
      " ",
      "\n", "\\u", "d83d", "é", "\u{0}",
    ].map { Array($0.utf8) }
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 0..<30, using: &random) {
      bytes +=
        Int.random(in: 0..<40, using: &random) == 0
        ? [UInt8.random(in: 0...255, using: &random)]
        : pieces[Int.random(in: 0..<pieces.count, using: &random)]
    }
    do throws(JSONError) {
      let value = try JSON(parsing: bytes)
      #expect(try parse(value.description) == value, "seed \(seed): \(bytes)")
    } catch {
      let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
      #expect((1...lines.count).contains(error.line) && error.column >= 1, "seed \(seed): \(bytes)")
      #expect(error.column <= lines[error.line - 1].count + 1, "seed \(seed): \(bytes)")
    }
  }
}
