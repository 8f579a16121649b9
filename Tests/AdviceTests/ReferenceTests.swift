import Testing

@testable import Advice

@Suite struct ReferenceTests {
  private struct Shape: CustomTestStringConvertible {
    let sql: String
    let uses: [String]
    init(_ sql: String, _ uses: String...) {
      self.sql = sql
      self.uses = uses
    }
    var testDescription: String { sql }
  }

  private static let shapes = [
    Shape(
      "select * from tx where wallet_id = $1 and status = 'pending' order by created_at desc limit 10",
      "tx wallet_id= status=; order created_at desc; where status = 'pending'"),
    Shape("select * from tx where 5 < amount and created_at between $1 and $2", "tx amount< created_at<"),
    Shape("select id from tx where wallet_id = any($1) or wallet_id in (1, 2)", "tx wallet_id in"),
    Shape("select id from tx where wallet_id = 1 or status = 'x'", "tx wallet_id| status|"),
    Shape(
      "select id from tx t, wallets w where (t.wallet_id = w.id and t.amount = 1) or (w.id = t.wallet_id and t.amount = 2)",
      "tx wallet_id=#1 amount in", "wallets id=#0"),
    Shape(
      "select email from users u join wallets w on w.user_id = u.id where lower(email) = $1",
      "users id=#1 (lower(email))=", "wallets user_id=#0"),
    Shape("select a.id from tx a join tx b using (wallet_id)", "tx wallet_id=#1", "tx wallet_id=#0"),
    Shape(
      "select 1 from wallets w where exists (select * from tx where wallet_id = w.id and amount > 5)",
      "wallets id=#1", "tx wallet_id=#0 amount<"),
    Shape(
      "select 1 from wallets where user_id in (select id from users where not active)",
      "wallets user_id=#1", "users active= id=#0; where NOT active"),
    Shape(
      "with big as (select wallet_id w from tx where amount > 9) select name from wallets, big where id = w",
      "tx amount< wallet_id=#1", "wallets id=#0"),
    Shape(
      "select * from (select wallet_id, created_at at from tx) x where x.wallet_id = 3 order by at",
      "tx wallet_id=; order created_at; where wallet_id = 3"),
    Shape(
      "select w.id from wallets w, lateral (select id from tx where wallet_id = w.id order by created_at limit 1) l",
      "wallets id=#1", "tx wallet_id=#0; order created_at"),
    Shape("select mail from people where mail = $1", "users active= email=; where active"),
    Shape("select id from old.tx where wallet_id = 1", "tx wallet_id=; where wallet_id = 1"),
    Shape("select id from users where name like 'Ad%' and email like '%x'", "users name~"),
    Shape("select id from users where deleted_at is null", "users deleted_at=; where deleted_at IS NULL"),
    Shape("select status, count(*) from tx group by 1 order by 1", "tx; order status; group status"),
    Shape("select distinct user_id from wallets", "wallets; group user_id"),
    Shape("select max(created_at) from tx where wallet_id = $1", "tx wallet_id=; order created_at"),
    Shape(
      "update tx set amount = 1 from wallets w where w.id = tx.wallet_id and w.name = $1",
      "tx wallet_id=#1", "wallets id=#0 name="),
    Shape("delete from tx using users where tx.id = users.id", "tx id=#1", "users id=#0"),
    Shape("insert into tx (id) select id from wallets where user_id = $1", "wallets user_id=", "tx"),
    Shape(
      "select id from tx where wallet_id = 1 union all select id from wallets where name = $1",
      "tx wallet_id=; where wallet_id = 1", "wallets name="),
    Shape("select id from tx where (wallet_id, status) = ($1, $2)", "tx wallet_id= status="),
    Shape("select id from tx where no_such_column = 1 and gone.id = 2", "tx"),
    Shape("select * from nowhere where id = 1"),
    Shape("with recursive r(n) as (select 1 union all select n + 1 from r) select * from r where n = 3"),
  ]

  @Test(arguments: shapes.indices)
  func readsWhatAStatementAsksOfTables(_ number: Int) throws {
    let shape = Self.shapes[number]
    let lines = try Draft.lines(shape.sql)
    #expect(lines == shape.uses, "\(shape.sql)")
  }

  @Test func anExpressionIsAKeyAndColumnsOfOneRowAreNone() throws {
    let lines = try Draft.lines("select id from tx where amount = wallet_id and id + 1 = 5")
    #expect(lines == ["tx ((id + 1))="])
  }

  @Test func knowsWhichColumnsAreRead() throws {
    func columns(_ sql: String) throws -> [[Int16]] { try Draft.uses(sql).map { $0.columns.sorted() } }
    let one = try columns("select amount from tx where wallet_id = 1")
    #expect(one == [[2, 5]])
    let star = try columns("select w.*, t.id from wallets w join tx t on t.wallet_id = w.id")
    #expect(star == [[1, 2, 3], [1, 2]])
    // EXISTS looks at no column, and count(*) at none either.
    let exists = try columns(
      "select count(*) from wallets w where exists (select * from tx where wallet_id = w.id)")
    #expect(exists == [[1], [2]])
    let row = try columns("select w from wallets w")
    #expect(row == [[1, 2, 3]])
  }

  @Test func deepAndHostileStatementsEnd() throws {
    let deep =
      "select id from tx where " + String(repeating: "(", count: 200) + "id = 1"
      + String(repeating: ")", count: 200)
    let lines = try Draft.lines(deep)
    #expect(lines == ["tx id=; where id = 1"])
    let many = "select id from tx where " + (0..<2000).map { "id = \($0)" }.joined(separator: " or ")
    let merged = try Draft.lines(many)
    #expect(merged == ["tx id in"])
    let quotes = try Draft.lines("select id from tx where status = E'it''s \\\\ \\'' || 'x'")
    #expect(quotes == ["tx status="])
  }
}
