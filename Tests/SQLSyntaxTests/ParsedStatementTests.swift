import Primitives
import Testing

@testable import SQLSyntax

struct ParsedStatementTests {
  @Test func readsEachStatementWithItsPlace() throws {
    let sql = "select 1; -- é\n  update t set a = $1 where b > now() - $2::interval;"
    let statements = try SQLSyntax.parse(sql)
    let kinds = statements.map { $0.tree.members.map(\.key) }
    #expect(kinds == [["SelectStmt"], ["UpdateStmt"]])
    #expect(statements[0].text == "select 1")
    #expect(statements[1].text.hasSuffix("$2::interval"))
    #expect(statements[1].tree["UpdateStmt"]["relation"]["relname"].text == "t")
    #expect(try SQLSyntax.parse(" -- nothing\n").isEmpty)
  }

  @Test(arguments: [
    ("select 1,\n from", 2, 2), ("é selct", 1, 1), ("select 'open", 1, 8), ("select \"\"", 1, 8),
  ])
  func namesThePlaceOfAnError(sql: String, line: Int, column: Int) {
    let error = #expect(throws: SQLSyntaxError.self) { try SQLSyntax.parse(sql) }
    #expect(error?.line == line)
    #expect(error?.column == column)
  }

  /// Texts that end a parser which recurses or trusts.
  @Test func refusesWhatIsTooDeepOrNoText() throws {
    #expect(throws: SQLSyntaxError.self) { try SQLSyntax.parse("select 1\0; drop table t") }
    for depth in [1_000, 100_000] {
      let nested =
        "select " + String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
      let chained = "select " + Array(repeating: "- ", count: depth).joined() + "1"
      // No bracket and no bound of the grammar: the tree is as deep as the text is long.
      let summed = "select 1" + String(repeating: "+1", count: 3 * depth)
      for sql in [nested, chained, summed] {
        do throws(SQLSyntaxError) {
          _ = try SQLSyntax.parse(sql)
        } catch {
          #expect(!error.reason.isEmpty)
        }
      }
    }
  }

  @Test func longSumsHaveFingerprints() throws {
    let sum = "select 1" + String(repeating: "+1", count: 300_000)
    #expect(try SQLSyntax.fingerprint(sum) == SQLSyntax.fingerprint(sum.replacing("1", with: "2")))
    let error = #expect(throws: SQLSyntaxError.self) {
      try SQLSyntax.fingerprint("select 1" + String(repeating: " ", count: 5 << 20))
    }
    #expect(error?.reason.contains("more than 4194304") == true)
  }

  /// To Swift a quote with a combining mark behind it is no quote.
  @Test func quotesAreDoubledWhateverStandsBehindThem() {
    #expect(SQLSyntax.quoted("a\"\u{301}") == "\"a\"\"\u{301}\"")
  }

  @Test func fingerprintsIgnoreConstantsAndLayout() throws {
    let one = try SQLSyntax.fingerprint("select * from t where a = 1")
    #expect(try SQLSyntax.fingerprint("SELECT *\nFROM t WHERE a=$1") == one)
    #expect(try SQLSyntax.fingerprint("select * from t where b = 1") != one)
  }
}
