import SQLSyntax
import Testing

@testable import Workload

struct FirstTableTests {
  private func first(_ sql: String) throws -> String? {
    let tree = try #require(try SQLSyntax.parse(sql).first?.tree)
    return FirstTable(tree).map { table in (table.schema.map { $0 + "." } ?? "") + table.name }
  }

  @Test(arguments: [
    ("select * from a", "a"), ("select * from s.a x, b", "s.a"),
    ("select * from a join b on true left join c on true", "a"),
    ("select * from (a join b on true) x", "a"), ("update a set x = 1 from b", "a"),
    ("delete from only s.a using b", "s.a"),
    ("with w as (select * from b) select * from a, w", "a"),
    ("with w as (select 1) select * from s.w", "s.w"),
  ])
  func itIsNamed(sql: String, name: String) throws {
    #expect(try first(sql) == name)
  }

  @Test(arguments: [
    "select 1", "select * from (select * from a) x", "select * from f(1), a",
    "select * from a union all select * from b",
    "with a as (select * from b) select * from a", "insert into a select * from b",
  ])
  func itIsNoneForSure(sql: String) throws {
    #expect(try first(sql) == nil)
  }
}
