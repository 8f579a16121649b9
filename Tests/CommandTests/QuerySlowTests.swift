import Primitives
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct QuerySlowTests {
  private static let shop = DatabaseTemplate("query_slow") { database in
    try await database.sql(
      """
      create extension pg_stat_statements;
      create table items (id int primary key, sku text, note text);
      insert into items select n, n::text from generate_series(1, 2000) n;
      analyze items;
      """)
  }

  /// A database whose statements were counted.
  private func withWorkload(_ body: (TestDatabase) async throws -> Void) async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.sql(
        """
        select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0);
        select count(*) from items a, items b where a.sku = b.note or a.id < 3;
        select * from items where id = 1;
        select * from items where id = 2;
        select * from items where id = 3 -- \u{1B}[31m a comment that is long enough to be cut off in a table
        """)
      try await body(database)
    }
  }

  private func run(_ arguments: [String], _ database: TestDatabase) async throws -> ProgramResult {
    try await Ironforge.run(["query", "slow", "--database-url", database.url] + arguments)
  }

  private func rows(_ result: ProgramResult) throws -> [JSON] {
    try result.stdout.split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
  }

  @Test func listsTheDearestFirst() async throws {
    try await withWorkload { database in
      let result = try await run(["--json"], database)
      #expect(result.exitCode == 0)
      let all = try rows(result)
      let join = try #require(all.first { $0["query"].text?.contains("items b") == true })
      #expect(all.first?["query"] == join["query"])
      #expect(join["share"].real ?? 0 > 0.5)
      let read = try #require(all.first { $0["query"].text?.contains("where id = $1") == true })
      #expect(read["calls"].integer ?? 0 >= 2)
      #expect(read["users"].elements.compactMap(\.text) == ["ironforge"])
      #expect(result.stderr.contains("counted since"))
      let byCalls = try rows(try await run(["--json", "--sort", "calls", "--limit", "1"], database))
      #expect(byCalls.count == 1)
      #expect(byCalls.first?["query"].text?.contains("where id = $1") == true)
    }
  }

  @Test func theTableIsReadableInAHundredColumns() async throws {
    try await withWorkload { database in
      for extra in [[], ["--plans"]] {
        let result = try await run(["--quiet"] + extra, database)
        #expect(result.exitCode == 0)
        #expect(result.stderr.isEmpty)
        let lines = result.stdout.split(separator: "\n")
        #expect(lines.count >= 3)
        let widest = lines.map(\.count).max() ?? 0
        #expect(widest <= 100, "\(result.stdout)")
        #expect(!result.stdout.utf8.contains(0x1B))
      }
    }
  }

  @Test func plansOnDemand() async throws {
    try await withWorkload { database in
      let all = try rows(try await run(["--json", "--plans"], database))
      let read = try #require(all.first { $0["query"].text?.contains("where id = $1") == true })
      #expect(read["plan_summary"].text == "Index Scan items_pkey")
      #expect(read["plan_cost"].real ?? 0 > 0)
      #expect(read["plan_error"] == .null)
      try await database.sql("drop table items")
      let gone = try rows(try await run(["--json", "--plans"], database))
      let unplanned = try #require(gone.first { $0["query"].text?.contains("where id = $1") == true })
      #expect(unplanned["plan_summary"] == .null)
      #expect(unplanned["plan_error"].text?.contains("items") == true)
      let dropped = try #require(gone.first { $0["query"].text?.hasPrefix("drop table") == true })
      #expect(dropped["plan_error"].text == "DROP TABLE has no plan")
    }
  }

  /// A superuser looks at what others have sent: nothing that they have written runs with his rights.
  @Test func plansRunNobodysFunctions() async throws {
    try await withDatabase(template: Self.shop) { database in
      let role = "bob_\(database.name)"
      try await database.sql(
        """
        create role \(role);
        create schema lair authorization \(role);
        set role \(role);
        create function lair.step() returns int language plpgsql as $$ begin
          if current_setting('is_superuser') = 'on' then execute 'alter role \(role) superuser'; end if; return 1; end $$;
        create function lair.evil() returns int language plpgsql immutable as $$ begin return lair.step(); end $$;
        select count(*) from pg_class where reltuples = lair.evil();
        reset role
        """)
      let all = try rows(try await run(["--json", "--plans"], database))
      let evil = try #require(all.first { $0["query"].text?.contains("reltuples = lair.evil") == true })
      #expect(evil["plan_summary"] == .null)
      #expect(evil["plan_error"].text?.contains("could run lair.evil") == true, "\(evil)")
      #expect(try await database.sql("select rolsuper from pg_roles where rolname = '\(role)'") == [["f"]])
      try await database.sql("drop owned by \(role); drop role \(role)")
    }
  }

  /// Statements are planned where the role that sends them finds its tables.
  @Test func plansUnderTheRolesOwnPath() async throws {
    try await withDatabase(template: Self.shop) { database in
      let role = "app_\(database.name)"
      try await database.sql(
        """
        create role \(role);
        create schema app authorization \(role);
        alter role \(role) in database "\(database.name)" set search_path = app, public;
        set role \(role);
        create table app.carts (a int primary key);
        set search_path = app;
        select * from carts where a = 1;
        reset role
        """)
      let all = try rows(try await run(["--json", "--plans"], database))
      let read = try #require(all.first { $0["query"].text?.contains("from carts where") == true })
      #expect(read["plan_summary"].text?.contains("carts") == true, "\(read)")
      try await database.sql("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func saysWhatIsMissing() async throws {
    try await withDatabase { database in
      let result = try await run(["--json"], database)
      #expect(result.exitCode == 78)
      #expect(result.stderr.contains(#""code":"statement_statistics_missing""#))
      #expect(result.stderr.contains("create extension"))
      #expect(try await run(["--limit", "0"], database).exitCode == 64)
      #expect(try await run(["--sort", "loudness"], database).exitCode == 64)
    }
  }
}
