import Testing

@testable import Configuration

@Suite struct TOMLOutlineTests {
  private func outline(_ text: String) -> [String] {
    TOMLOutline(Array(text.utf8)).entries.map {
      "\($0.path.joined(separator: "/")) \($0.key.line):\($0.key.column) \($0.value.line):\($0.value.column)"
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
    ("a = [ 1, # x = 1\n { b = 2 },\n]\nc = 3", ["a 1:1 1:5", "a/b 2:4 2:8", "c 4:1 4:5"]),
    ("a = \"\"\"\nb = 1\n\\\"\"\"\"\"\"\nc = 2", ["a 1:1 1:5", "c 4:1 4:5"]),
    ("a = '''\n[t]\n'''\nc = 2", ["a 1:1 1:5", "c 4:1 4:5"]),
    ("a = \"# [x] \\\" = \"\nb = '\\'\nc = 1", ["a 1:1 1:5", "b 2:1 2:5", "c 3:1 3:5"]),
    ("\"ä\\u00e4\" = 1", ["ää 1:1 1:13"]),
    ("a = 1979-05-27 07:32:00\nb = +inf", ["a 1:1 1:5", "b 2:1 2:5"]),
  ])
  func keysAndValuesAreFound(text: String, expected: [String]) {
    #expect(outline(text) == expected)
    #expect(TOMLOutline(Array(text.utf8)).refusal == nil)
  }

  @Test(arguments: [
    ("a = 1\n= 2", 2, 1), ("a", 1, 2), ("[a", 1, 3), ("[a]b", 1, 4), ("a. = 1", 1, 4), ("a = ", 1, 5),
    ("a = b c", 1, 7), ("a = \"x", 1, 7), ("a = '''x", 1, 9), ("a = \"\\q\"", 1, 8), ("a = [1 2]", 1, 8),
    ("a = {b = 1\n}", 1, 11), ("ä = 1", 1, 1), ("a\r = 1", 1, 2), ("a = \"\\uD800\"", 1, 12),
  ])
  func malformedTextIsRefusedWhereItGoesWrong(text: String, line: Int, column: Int) {
    guard case .malformed(let position, _)? = TOMLOutline(Array(text.utf8)).refusal else {
      Issue.record("not refused")
      return
    }
    #expect(position == TextPosition(line: line, column: column))
  }

  @Test func depthIsBoundedBeforeTheParserSeesIt() {
    let dotted = String(repeating: "a.", count: 400_000) + "a = 1"
    let inline = String(repeating: "a = {", count: 200_000)
    let arrays = "a = " + String(repeating: "[", count: 900_000)
    for text in [dotted, "[" + dotted + "]", inline, arrays] {
      guard case .tooDeep? = TOMLOutline(Array(text.utf8)).refusal else {
        Issue.record("not refused: \(text.prefix(10))")
        continue
      }
    }
  }

  @Test func manyEntriesAreScannedInOnePass() {
    let text = "t = {" + (0..<90_000).map { "k\($0)=1" }.joined(separator: ",") + "}"
    let start = ContinuousClock.now
    #expect(TOMLOutline(Array(text.utf8)).entries.count == TOMLOutline.maxEntries)
    #expect(ContinuousClock.now - start < .seconds(5))
  }
}
