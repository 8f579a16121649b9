import Primitives
import TestSupport
import Testing

@testable import Advice

@Suite struct WorkloadFileTests {
  @Test func splitsAtSemicolonsThatEndStatements() throws {
    let text = "select 1;\n-- a; comment\nselect ';', \"a;b\" /* ; /* ; */ */;;\n\n  select $x$ ; $x$\n"
    let statements = try WorkloadFile.split(Array(text.utf8))
    #expect(statements.map(\.id) == ["1", "2", "3"])
    #expect(statements.map(\.line) == [1, 3, 5])
    #expect(statements.last?.text == "select $x$ ; $x$")
    let none = try WorkloadFile.split(Array(" ;; -- nothing\n".utf8))
    #expect(none.isEmpty)
  }

  @Test func statementsThatDifferInConstantsAreOne() throws {
    let text =
      "select a from t where b = 1; select a from t where b = 2; select a  from t where b = $1; select; selct"
    let merged = WorkloadFile.merged(try WorkloadFile.split(Array(text.utf8)))
    #expect(merged.map(\.id) == ["1", "4", "5"])
    #expect(merged.first?.calls == 3)
  }

  /// The commonest constants stand for a statement, and some of the others beside them.
  @Test func aStatementHasItsCommonestConstantsAndOthers() throws {
    let text =
      (1...40).map { "select a from t where b = \($0);" }.joined() + "select a from t where b = 41;"
      + String(repeating: "select a from t where b = 7;", count: 9)
    let merged = WorkloadFile.merged(try WorkloadFile.split(Array(text.utf8)))
    #expect(merged.count == 1)
    #expect(merged[0].id == "1")
    #expect(merged[0].calls == 50)
    #expect(merged[0].text.hasSuffix("= 7"))
    #expect(merged[0].variants.map { String($0.text.suffix(2)) } == [" 1", "12", "22", "32"])
    #expect(abs(merged[0].variants.reduce(0) { $0 + $1.share } - 0.8) < 1e-9)
  }

  @Test func saysInWhichLineATextCannotBeSplit() throws {
    let directory = try TemporaryDirectory("workload")
    let path = directory.file("w.sql")
    let file = try DurableFile(path)
    try file.write { $0 += "select 1;\nselect 'open\n".utf8 }
    try file.commit()
    do {
      _ = try WorkloadFile.read(InputFile(path))
      Issue.record("it was read")
    } catch let error as InputError {
      #expect(error.line == 2)
      #expect(error.kind == .malformedInput)
    }
  }

  @Test(arguments: seeds(fresh: 300)) func anyBytesAreSplitOrRefused(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "'", "\"", "$a$", "$$", "/*", "*/", "--", "\n", ";", "select", " ", "\\", "E'", "\u{FFFD}", "$1", "(",
    ]
    let text = (0..<30).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    let split = Result { try WorkloadFile.split(Array(text.utf8)) }
    if case .success(let statements) = split { #expect(statements.count <= 31, "seed \(seed)") }
  }
}
