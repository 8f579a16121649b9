import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Advice

/// Names are those of the role that sent a statement, not of the one that asks for advice.
@Suite(
  .timeLimit(.minutes(3)), .enabled("the server does not offer HypoPG") { try await serverOffers("hypopg") })
struct SearchPathTests {
  private static let shops = DatabaseTemplate("advice_paths") { database in
    try await database.sql(
      """
      create extension hypopg;
      create schema app; create schema "Odd, ""one";
      create table public.orders (customer int, note text);
      create table app.orders (id int, customer int, note text);
      create table "Odd, ""one".bills (id int, customer int, note text);
      create view app.mine as select * from public.orders;
      insert into app.orders select n, n % 5000, repeat('x', 50) from generate_series(1, 50000) n;
      insert into "Odd, ""one".bills select n, n % 5000, repeat('x', 50) from generate_series(1, 50000) n;
      insert into public.orders select n % 5000, repeat('x', 50) from generate_series(1, 50000) n;
      vacuum analyze
      """)
  }

  private func advise(
    _ sql: String, path: String?, role: String? = nil, _ database: TestDatabase
  ) async throws -> Advice {
    try await blocking { [url = database.url] in
      let session = try Session(connecting: ConnectionString(url))
      defer { session.close() }
      if let role { try session.simple("set role \(role)") }
      var statement = WorkloadStatement(id: "1", text: sql)
      statement.milliseconds = 100
      statement.searchPath = path
      return try Advisor(session, Advisor.Request()).advise([statement])
    }
  }

  @Test func aTableIsThatOfThePath() async throws {
    try await withDatabase(template: Self.shops) { database in
      let sql = "select * from orders where customer = $1"
      for (path, table) in [
        ("app, public", "app.orders"), ("public, app", "public.orders"), (nil, "public.orders"),
        ("nowhere, app", "app.orders"),
      ] {
        let advice = try await advise(sql, path: path, database)
        #expect(advice.indexes.map(\.table.description) == [table], "\(path ?? "none")")
      }
      let odd = try await advise(
        "select * from bills where customer = $1", path: #""Odd, ""one", app"#, database)
      #expect(odd.indexes.map(\.ddl) == [#"CREATE INDEX CONCURRENTLY ON "Odd, ""one".bills (customer);"#])
    }
  }

  /// The server prints a view's text for the session that asks.
  @Test func aViewNamesItsOwnTables() async throws {
    try await withDatabase(template: Self.shops) { database in
      let advice = try await advise("select * from mine where customer = $1", path: "app", database)
      #expect(advice.indexes.map(\.table.description) == ["public.orders"])
    }
  }

  @Test func whatCannotBeResolvedIsNamed() async throws {
    try await withDatabase(template: Self.shops) { database in
      let lost = try await advise("select * from bills where customer = $1", path: "app, public", database)
      #expect(lost.indexes.isEmpty)
      let reason = lost.unexplained.first?.reason ?? ""
      #expect(
        reason.contains("\"bills\" does not exist")
          && reason.hasSuffix("under the search_path of its role: app, public"), "\(reason)")
      let catalog = try await advise("select * from pg_class where relname = $1", path: "app", database)
      #expect(catalog.unexplained.isEmpty && catalog.indexes.isEmpty)
      let nothing = try await advise("select $1", path: "app", database)
      #expect(nothing.unexplained.isEmpty)
    }
  }

  /// Without the right to a schema the server would look on, and find another table.
  @Test func aSchemaThatMayNotBeUsedIsNotPassedOver() async throws {
    try await withDatabase(template: Self.shops) { database in
      let role = "reader_\(database.name)"
      try await database.sql("create role \(role); grant select on all tables in schema public to \(role)")
      let hidden = try await advise(
        "select * from orders where customer = $1", path: "app, public", role: role, database)
      let free = try await advise(
        "select * from orders where customer = $1", path: "public", role: role, database)
      try await database.sql("drop owned by \(role); drop role \(role)")
      #expect(hidden.indexes.isEmpty)
      #expect(
        hidden.unexplained.first?.reason.contains("may not use schema app") == true, "\(hidden.unexplained)")
      #expect(free.indexes.count == 1)
    }
  }
}
