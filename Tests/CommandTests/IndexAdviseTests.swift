import Primitives
import TestSupport
import Testing

@Suite(
  .timeLimit(.minutes(5)), .enabled("the server does not offer HypoPG") { try await serverOffers("hypopg") })
struct IndexAdviseTests {
  private static let shop = DatabaseTemplate("advise_command") { database in
    try await database.sql(
      """
      create extension hypopg;
      create table orders (id int primary key, customer_id int, placed timestamptz, note text);
      insert into orders select n, n % 1000, now() - n * interval '1 minute', repeat('x', 50) from generate_series(1, 20000) n;
      vacuum analyze;
      """)
  }

  private func advise(_ database: TestDatabase, _ arguments: [String], stdin: String) async throws
    -> ProgramResult
  {
    try await Ironforge.run(
      ["index", "advise", "--workload", "-", "--database-url", database.url] + arguments, stdin: stdin)
  }

  @Test func printsJSONOfTheContractTextAndCSV() async throws {
    try await withDatabase(template: Self.shop) { database in
      let sql = "select * from orders where customer_id = 7; selct 2;"
      let json = try await advise(database, ["--json"], stdin: sql)
      #expect(json.exitCode == 0, "\(json.stderr)")
      let document = try JSON(parsing: Array(json.stdout.utf8))
      let index = document["indexes"].elements.first ?? .null
      #expect(index["ddl"] == "CREATE INDEX CONCURRENTLY ON public.orders (customer_id);")
      #expect(index["table"] == "public.orders")
      #expect(index["columns"] == ["customer_id"])
      #expect(index["queries"] == ["1"])
      #expect((index["size_bytes"].integer ?? 0) > 100_000)
      #expect((index["cost_saved"].real ?? 0) > 100)
      let query = document["queries"].elements.first ?? .null
      #expect(query["id"] == "1")
      #expect(query["calls"].integer == 1)
      #expect((query["cost_after"].real ?? 0) < (query["cost_before"].real ?? 0))
      let unexplained = document["unexplained"].elements.first ?? .null
      #expect(unexplained["query"] == "selct 2")
      #expect(unexplained["reason"].text?.contains("syntax error") == true)

      let text = try await advise(database, [], stdin: sql)
      #expect(text.stdout.contains("CREATE INDEX CONCURRENTLY ON public.orders (customer_id);\n"))
      #expect(text.stdout.contains("Not taken into account:\n  2: selct 2:"))
      let csv = try await advise(database, ["-o", "csv"], stdin: sql)
      #expect(csv.stdout.hasPrefix("ddl,table,columns,include,where,size_bytes,cost_saved,queries\r\n"))
      let nothing = try await advise(database, [], stdin: "select * from orders where id = 7")
      #expect(nothing.exitCode == 0)
      #expect(nothing.stdout.hasPrefix("No index would help"))
    }
  }

  @Test func writesAPageThatStandsOnItsOwn() async throws {
    try await withDatabase(template: Self.shop) { database in
      let directory = try TemporaryDirectory("advise")
      let path = directory.file("advice.html")
      let result = try await advise(
        database, ["--html", path, "--max-size", "10MB"],
        stdin: "select '<script>' from orders where customer_id = 7")
      #expect(result.exitCode == 0, "\(result.stderr)")
      let page = try await Program("/bin/cat", [path]).run().stdout
      #expect(page.hasPrefix("<!doctype html>"))
      #expect(page.contains("<pre>CREATE INDEX CONCURRENTLY ON public.orders (customer_id);</pre>"))
      #expect(page.contains("select &#39;&lt;script&gt;&#39; from orders"))
      #expect(!page.contains("<script"))
    }
  }

  @Test func saysWhatIsWrong() async throws {
    try await withDatabase(template: Self.shop) { database in
      let open = try await advise(database, ["--json"], stdin: "select 1;\n\nselect 'open")
      #expect(open.exitCode == 65)
      #expect(open.stderr.contains("standard input:3: a string is not closed"))
      for wrong in [
        ["--max-size", "0"], ["--max-size", "many"], ["--max-indexes", "0"], ["--from-statements"],
      ] {
        let result = try await advise(database, wrong, stdin: "select 1")
        #expect(result.exitCode == 64, "\(wrong)")
      }
      try await database.sql("drop extension hypopg")
      let missing = try await advise(database, ["--json"], stdin: "select 1")
      #expect(missing.exitCode == 78)
      #expect(missing.stderr.contains(#""code":"hypopg_missing""#))
      #expect(missing.stderr.contains("CREATE EXTENSION hypopg"))
    }
  }

  @Test func weighsWhatTheServerHasSeenByItsTime() async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.sql(
        """
        create extension pg_stat_statements;
        select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0);
        select * from orders where customer_id = 7;
        select * from orders where customer_id = 8;
        create table unrelated (a int)
        """)
      for source in [["--from-statements"], []] {
        let result = try await Ironforge.run(
          ["index", "advise", "--json", "--database-url", database.url] + source)
        #expect(result.exitCode == 0, "\(result.stderr)")
        let document = try JSON(parsing: Array(result.stdout.utf8))
        let ddl = document["indexes"].elements.compactMap { $0["ddl"].text }
        #expect(ddl == ["CREATE INDEX CONCURRENTLY ON public.orders (customer_id);"])
        let query = document["queries"].elements.first ?? .null
        #expect(query["query"].text?.contains("customer_id = $1") == true)
        #expect((query["calls"].integer ?? 0) >= 2)
        #expect((query["total_ms"].real ?? 0) > 0)
      }
      // What was asked of HypoPG is no workload, though it is asked more often than anything else.
      let explained = try await Ironforge.run(
        [
          "query", "explain", "select * from orders where customer_id = 7", "--database-url", database.url,
        ])
      #expect(explained.stdout.contains("HypoPG"), "\(explained.stdout)")
      let slow = try await Ironforge.run(
        ["query", "slow", "--sort", "calls", "--limit", "100", "--json", "--database-url", database.url])
      #expect(slow.stdout.contains("customer_id = $1") && !slow.stdout.contains("hypopg_"), "\(slow.stdout)")
    }
  }

  /// `ALTER ROLE … SET search_path`, and that of the role in this database before that of the role.
  @Test func aStatementMeansTheTablesOfItsRole() async throws {
    try await withDatabase(template: Self.shop) { database in
      let role = "shop_\(database.name)"
      try await database.sql(
        """
        create extension pg_stat_statements;
        create schema app;
        create table app.orders as select id, customer_id as buyer, note from orders;
        analyze app.orders;
        create role \(role);
        grant usage on schema app to \(role); grant select on app.orders to \(role);
        alter role \(role) set search_path = public;
        alter role \(role) in database \(database.name) set search_path = app, public;
        """)
      // Filling the table was no workload: its writes would count against an index.
      try await database.sql(
        """
        select pg_stat_reset();
        select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0);
        set role \(role); set search_path = app, public;
        select * from orders where buyer = 7;
        select * from orders where buyer = 8;
        """)
      let result = try await Ironforge.run(
        ["index", "advise", "--from-statements", "--json", "--database-url", database.url])
      #expect(result.exitCode == 0, "\(result.stderr)")
      let document = try JSON(parsing: Array(result.stdout.utf8))
      let ddl = document["indexes"].elements.compactMap { $0["ddl"].text }
      #expect(ddl == ["CREATE INDEX CONCURRENTLY ON app.orders (buyer);"], "\(result.stdout)")
      try await database.sql("reset role; drop owned by \(role); drop role \(role)")
    }
  }

  @Test func theWalletsWorkloadLeadsToTheCompositeIndex() async throws {
    try await withDatabase(template: .migrated) { database in
      let made = try await Ironforge.run(
        [
          "fixtures", "generate", "--users", "300", "--wallets", "600", "--transfers", "15000",
          "--database-url",
          database.url,
        ], timeout: .seconds(120))
      #expect(made.exitCode == 0, "\(made.stderr)")
      try await database.sql("drop index idx_tx_wallet_status_time; create extension hypopg; vacuum analyze")
      let sql = """
        SELECT * FROM transactions WHERE wallet_id = $1 AND status = 'pending' ORDER BY created_at DESC LIMIT 10;
        SELECT * FROM assets WHERE wallet_id = ANY($1);
        SELECT * FROM users WHERE last_login_at > NOW() - INTERVAL '7 days';
        """
      let result = try await advise(database, ["--json"], stdin: sql)
      #expect(result.exitCode == 0, "\(result.stderr)")
      let document = try JSON(parsing: Array(result.stdout.utf8))
      let ddl = document["indexes"].elements.compactMap { $0["ddl"].text }
      #expect(
        ddl.contains(
          "CREATE INDEX CONCURRENTLY ON public.transactions (wallet_id, status, created_at DESC);"), "\(ddl)")
      #expect(document["unexplained"] == [])
    }
  }
}
