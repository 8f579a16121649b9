import Testing

@testable import Configuration

@Suite struct TOMLDocumentTests {
  private func places(_ text: String) throws -> [String] {
    try TOMLDocument(Array(text.utf8)).entries.map {
      "\($0.path.joined(separator: "/")) \($0.key.line):\($0.key.column) \($0.valuePosition.line):\($0.valuePosition.column)"
    }
  }

  @Test(arguments: [
    ("a = 1", ["a 1:1 1:5"]),
    ("\u{FEFF}a = 1", ["a 1:1 1:5"]),
    ("[t]\r\n  a=1\r\nb\t=\t2 # c = 3", ["t 1:1 1:1", "t/a 2:3 2:5", "t/b 3:1 3:5"]),
    ("[ t . \"u.v\" ]\na.b = 1", ["t/u.v 1:1 1:1", "t/u.v/a/b 2:1 2:7"]),
    ("[[t]]\na = 1", ["t 1:1 1:1", "t/a 2:1 2:5"]),
    (
      "a = { b = 1, c.d = { e = 2 } }", ["a 1:1 1:5", "a/b 1:7 1:11", "a/c/d 1:14 1:20", "a/c/d/e 1:22 1:26"]
    ),
    ("a = [ 1, # x = 1\n { b = 2 },\n]\nc = 3", ["a 1:1 1:5", "c 4:1 4:5"]),
    ("a = \"\"\"\nb = 1\n\\\"\"\"\"\"\"\nc = 2", ["a 1:1 1:5", "c 4:1 4:5"]),
    ("a = '''\n[t]\n'''\nc = 2", ["a 1:1 1:5", "c 4:1 4:5"]),
    ("a = \"# [x] \\\" = \"\nb = '\\'\nc = 1", ["a 1:1 1:5", "b 2:1 2:5", "c 3:1 3:5"]),
    ("\"ä\\u00e4\" = 1", ["ää 1:1 1:13"]),
    ("a = 1979-05-27 07:32:00\nb = +inf", ["a 1:1 1:5", "b 2:1 2:5"]),
  ])
  func keysAndValuesAreFound(text: String, expected: [String]) throws {
    #expect(try places(text) == expected)
  }

  @Test(arguments: [
    ("a = 1\n= 2", 2, 1), ("a", 1, 2), ("[a", 1, 3), ("[a]b", 1, 4), ("a. = 1", 1, 4), ("a = ", 1, 5),
    ("a = b c", 1, 5), ("a = \"x", 1, 7), ("a = '''x", 1, 9), ("a = \"\\q\"", 1, 8), ("a = [1 2]", 1, 8),
    ("a = {b = 1\n}", 1, 11), ("ä = 1", 1, 1), ("a\r = 1", 1, 2), ("a = \"\\uD800\"", 1, 12),
  ])
  func malformedTextIsRefusedWhereItGoesWrong(text: String, line: Int, column: Int) {
    let fault = #expect(throws: TOMLFault.self) { try TOMLDocument(Array(text.utf8)) }
    guard case .malformed(let position, _)? = fault else {
      Issue.record("not refused as malformed")
      return
    }
    #expect(position == TextPosition(line: line, column: column))
  }

  @Test func depthIsBoundedBeforeTheParserSeesIt() {
    let dotted = String(repeating: "a.", count: 400_000) + "a = 1"
    let inline = String(repeating: "a = {", count: 200_000)
    let arrays = "a = " + String(repeating: "[", count: 900_000)
    for text in [dotted, "[" + dotted + "]", inline, arrays] {
      let fault = #expect(throws: TOMLFault.self) { try TOMLDocument(Array(text.utf8)) }
      guard case .tooDeep? = fault else {
        Issue.record("not refused: \(text.prefix(10))")
        continue
      }
    }
  }

  @Test(
    arguments: [
      ("1_000", .integer(1000)), ("-17", .integer(-17)), ("+0", .integer(0)), ("0xFF_ff", .integer(0xFFFF)),
      ("0o17", .integer(15)), ("0b101", .integer(5)), ("9223372036854775807", .integer(.max)),
      ("-9223372036854775808", .integer(.min)), ("1.5", .number(1.5)), ("1e-3", .number(0.001)),
      ("6.5_0E+2", .number(650)), ("-inf", .number(-.infinity)), ("true", .boolean(true)),
      ("1979-05-27T07:32:00Z", .date), ("07:32:00.5", .date), ("\"a\\tb\\u00e4\"", .string("a\tbä")),
      ("'a\\b'", .string("a\\b")), ("\"\"\"\na\\\n   b\"\"\"", .string("ab")),
      ("'''a''b'''", .string("a''b")),
      ("[1, 'x', [true]]", .array([.integer(1), .string("x"), .array([.boolean(true)])])), ("[]", .array([])),
    ] as [(String, TOMLValue)])
  func valuesAreRead(text: String, expected: TOMLValue) throws {
    #expect(try TOMLDocument(Array("a = \(text)".utf8)).entries.first?.value == expected)
  }

  @Test(arguments: [
    "01", "1__0", "_1", "1_", "1.", ".5", "1.e5", "0x", "0x-1", "-0x1", "9223372036854775808", "True", "1e",
    "++1",
    "1979-05", "7:32:00", "١", "\"\u{01}\"", "[1,,2]", "{a = 1,}", "0x_1", "1e5.5", "infinity", "-",
  ])
  func whatIsNoValueIsRefused(text: String) {
    #expect(throws: TOMLFault.self) { try TOMLDocument(Array("a = \(text)".utf8)) }
  }

  @Test(arguments: [
    "a = 1\na = 2", "[a]\n[a]", "a = 1\n[a]", "a = 1\na.b = 2", "[a]\nb = 1\n[a.b]", "a = {}\n[a]",
    "a = {b = 1, b = 2}",
    "[[a]]\n[a]",
  ])
  func whatIsGivenTwiceIsRefused(text: String) {
    #expect(throws: TOMLFault.self) { try TOMLDocument(Array(text.utf8)) }
  }

  @Test(arguments: ["[a.b]\n[a]", "[[a]]\nb = 1\n[[a]]\nb = 2", "a.b = 1\na.c = 2"])
  func whatOnlyLooksGivenTwiceIsRead(text: String) throws {
    #expect(try TOMLDocument(Array(text.utf8)).entries.count > 1)
  }

  @Test func entriesAreBounded() {
    let text = "t = {" + (0..<90_000).map { "k\($0)=1" }.joined(separator: ",") + "}"
    let fault = #expect(throws: TOMLFault.self) { try TOMLDocument(Array(text.utf8)) }
    guard case .tooManyKeys? = fault else {
      Issue.record("read \(String(describing: fault))")
      return
    }
  }
}
