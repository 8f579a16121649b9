import FoundationEssentials
import Postgres
import Primitives
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct IndexCommandTests {
  private static let orders = DatabaseTemplate("index_orders") { database in
    try await database.sql(
      """
      create schema "Sales";
      create table "Sales"."Orders" (id int primary key, customer int, placed date);
      create index "orders by customer" on "Sales"."Orders" (customer);
      create index orders_customer_placed on "Sales"."Orders" (customer, placed);
      create table items (id int primary key, sku text);
      create index items_sku on items (sku);
      insert into items select n, n::text from generate_series(1, 500) n;
      analyze;
      """)
  }

  private func run(
    _ arguments: [String], _ database: TestDatabase, role: String = "ironforge"
  ) async throws -> ProgramResult {
    let url = database.url.replacing("user=ironforge", with: "user=\(role)")
    return try await Ironforge.run(["index"] + arguments + ["--database-url", url])
  }

  private func findings(_ result: ProgramResult) throws -> [JSON] {
    let report = try JSON(parsing: Array(result.stdout.utf8))
    guard case .array(let findings)? = member("findings", report) else {
      throw TestFailure("no findings in \(result.stdout) \(result.stderr)")
    }
    return findings
  }

  private func member(_ key: String, _ json: JSON) -> JSON? {
    guard case .object(let members) = json else { return nil }
    return members.first { $0.key == key }?.value
  }

  private func texts(_ key: String, _ findings: [JSON]) -> [String] {
    findings.map { finding in
      if case .string(let text)? = member(key, finding) { text } else { "null" }
    }
  }

  @Test func usageListsTheLeastUsedFirst() async throws {
    try await withDatabase(template: Self.orders) { database in
      try await database.sql(
        """
        set enable_seqscan = off;
        select * from items where id = 1;
        select * from items where id = 2;
        select * from items where sku = '3';
        select pg_stat_force_next_flush();
        """)
      let result = try await run(["usage", "--table", "items", "-o", "csv"], database)
      #expect(result.exitCode == 0)
      let lines = result.stdout.split(separator: "\r\n").map(String.init)
      #expect(lines.first == "schemaname,tablename,indexname,idx_scan,idx_tup_read,idx_tup_fetch,size")
      #expect(
        lines.dropFirst().map { $0.split(separator: ",").prefix(4).joined(separator: ",") } == [
          "public,items,items_sku,1", "public,items,items_pkey,2",
        ])
      let all = try await run(["usage", "--json"], database)
      #expect(all.stdout.split(separator: "\n").count == 5)
      #expect(all.stdout.contains(#""tablename":"Orders","indexname":"orders by customer","idx_scan":0"#))
    }
  }

  @Test func auditTellsWhatAndWhyAndExits10() async throws {
    try await withDatabase(template: Self.orders) { database in
      let result = try await run(["audit", "--only", "redundant", "--json"], database)
      #expect(result.exitCode == 10)
      let report = try JSON(parsing: Array(result.stdout.utf8))
      guard case .object(let members) = report else { throw TestFailure(result.stdout) }
      #expect(members.map(\.key) == ["server_version", "statistics", "findings", "summary", "accepted"])
      let found = try findings(result)
      #expect(texts("index", found) == ["orders by customer"])
      #expect(texts("schema", found) == ["Sales"])
      // The statistics of a database that was made a moment ago prove nothing.
      #expect(texts("verdict", found) == ["review"])
      #expect(texts("ddl", found) == [#"DROP INDEX CONCURRENTLY "Sales"."orders by customer";"#])
      let statistics = try #require(member("statistics", report))
      #expect(member("trusted", statistics) == .bool(false))
      let text = try await run(["audit", "--only", "redundant"], database)
      #expect(text.stdout.hasPrefix("review: redundant orders by customer on Sales.Orders"))
      #expect(text.stdout.contains("    -- DROP INDEX CONCURRENTLY"))
      #expect(text.stdout.contains("\n1 redundant.\n"))
    }
  }

  @Test func auditShowsWhatIsKeptOnlyWhenAsked() async throws {
    try await withDatabase(template: Self.orders) { database in
      let brief = try findings(try await run(["audit", "--table", "Sales.Orders", "--json"], database))
      #expect(!texts("verdict", brief).contains("keep"))
      let full = try findings(try await run(["audit", "--table", "Orders", "--verbose", "--json"], database))
      let kept = full.filter { member("verdict", $0) == .string("keep") }
      #expect(Set(texts("index", kept)) == ["Orders_pkey", "orders_customer_placed"])
      #expect(Set(texts("table", full)) == ["Orders"])
      let csv = try await run(["audit", "--schema", "Sales", "--verbose", "-o", "csv"], database)
      #expect(
        csv.stdout.hasPrefix(
          "id,kind,schema,table,index,verdict,codes,reasons,size_bytes,ddl,undo_ddl,evidence\r\n"))
      #expect(csv.stdout.contains(",unused,Sales,Orders,Orders_pkey,keep,never_read primary_key,"))
      let key = try #require(full.first { member("index", $0) == .string("Orders_pkey") })
      let evidence = try #require(member("evidence", key)).description.replacing("\"", with: "\"\"")
      #expect(csv.stdout.contains(",\"\(evidence)\"\r\n"), "\(csv.stdout)")
    }
  }

  @Test func onlyNewFindingsFailARun() async throws {
    try await withDatabase(template: Self.orders) { database in
      let first = try findings(try await run(["audit", "--json"], database))
      let directory = try TemporaryDirectory("baseline")
      func accept(until: String) throws -> String {
        let lines = texts("id", first).map { "\($0),known since the spring,\(until),\r\n" }
        return try directory.write("id,reason,until,about\r\n" + lines.joined(), to: "\(until).csv")
      }
      let valid = try accept(until: "2999-01-01")
      let quiet = try await run(["audit", "--baseline", valid], database)
      #expect(quiet.exitCode == 0)
      #expect(quiet.stdout.hasPrefix("No new findings; \(first.count) more are accepted."))
      let silent = try await run(["audit", "--baseline", valid, "--quiet"], database)
      #expect(silent.stdout == "" && silent.stderr == "")
      let shown = try findings(
        try await run(["audit", "--baseline", valid, "--verbose", "--json"], database))
      #expect(shown.filter { member("accepted", $0) != .null }.count == first.count)
      let expired = try await run(
        ["audit", "--baseline", try accept(until: "2020-01-01"), "--json"], database)
      #expect(expired.exitCode == 10)
      #expect(expired.stdout.contains("baseline_expired"))
      try await database.sql("create index items_again on items (sku)")
      let new = try await run(["audit", "--baseline", valid, "--json"], database)
      #expect(new.exitCode == 10)
      #expect(Set(texts("index", try findings(new))) == ["items_again"])
      #expect(try await run(["audit", "--baseline", valid, "--fail-on", "invalid"], database).exitCode == 0)
      #expect(try await run(["audit", "--baseline", valid, "--fail-on", "none"], database).exitCode == 0)
      #expect(
        try await run(["audit", "--baseline", valid, "--fail-on", "duplicate"], database).exitCode == 10)
      try await database.sql("drop index \"Sales\".\"orders by customer\"")
      let obsolete = try await run(["audit", "--baseline", valid, "--fail-on", "none"], database)
      #expect(obsolete.stderr.contains("the baseline accepts what is not found any more: "))
    }
  }

  @Test func aRoleWithOnlyPgMonitorSeesAllButColumnStatistics() async throws {
    try await withDatabase(template: Self.orders) { database in
      let role = "monitor_\(database.name)"
      try await database.sql("create role \(role) login; grant pg_monitor to \(role)")
      let own = try await run(["audit", "--verbose", "--json", "--fail-on", "none"], database)
      let theirs = try await run(["audit", "--verbose", "--json", "--fail-on", "none"], database, role: role)
      #expect(theirs.exitCode == 0, "\(theirs.stderr)")
      #expect(texts("id", try findings(theirs)) == texts("id", try findings(own)))
      #expect(theirs.stdout.contains(#""tables_without_column_statistics":2"#))
      let usage = try await run(["usage"], database, role: role)
      #expect(usage.exitCode == 0)
      #expect(usage.stdout.contains("orders_customer_placed"))
      try await database.sql("drop role \(role)")
    }
  }

  @Test func saysWhatIsWrong() async throws {
    try await withDatabase(template: Self.orders) { database in
      let table = try await run(["usage", "--table", "orders"], database)
      #expect(table.exitCode == 64)
      #expect(table.stderr.contains("there is no table orders"))
      #expect(table.stderr.contains("did you mean Sales.Orders?"))
      let schema = try await run(["audit", "--schema", "sales", "--json"], database)
      #expect(schema.exitCode == 64)
      #expect(schema.stderr.contains(#""code":"schema_not_found""#))
      #expect(try await run(["audit", "--only", "unused,bloat"], database).exitCode == 64)
      #expect(try await run(["audit", "--only", "none"], database).exitCode == 64)
      let absent = try await run(["audit", "--only", "unused", "--fail-on", "invalid"], database)
      #expect(absent.exitCode == 64)
      #expect(absent.stderr.contains("--fail-on invalid is left out by --only"))
      let missing = try await run(["audit", "--baseline", "/nonexistent/accepted.csv"], database)
      #expect(missing.exitCode == 65)
    }
  }

  @Test func leavesOutALockedTableAndSaysSo() async throws {
    try await withDatabase(template: Self.orders) { database in
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("begin; lock table items in access exclusive mode")
      let one = try await run(["usage", "--table", "items", "--json"], database)
      #expect(one.exitCode == 75)
      #expect(one.stderr.contains(#""code":"table_locked""#))
      let result = try await run(["usage"], database)
      #expect(result.exitCode == 0)
      #expect(result.stderr.contains("left out, because they are locked exclusively: public.items"))
      #expect(!result.stdout.contains("items_sku"))
      holder.close()
    }
  }

  /// A schema without tables is as good as any; one that is not there is a slip of the pen.
  @Test func aSchemaWithoutTablesHasNoFindings() async throws {
    try await withDatabase { database in
      try await database.sql("create schema bare; create view bare.v as select 1")
      for schema in ["bare", "public"] {
        let audit = try await run(["audit", "--schema", schema, "--json"], database)
        #expect(audit.exitCode == 0, "\(audit)")
        #expect(try findings(audit).isEmpty)
        let usage = try await run(["usage", "--schema", schema, "-o", "csv"], database)
        #expect(usage.exitCode == 0 && usage.stdout.split(separator: "\r\n").count == 1, "\(usage)")
        let prune = try await run(["prune", "--schema", schema], database)
        #expect(prune.exitCode == 0 && prune.stdout.hasPrefix("Nothing to drop."), "\(prune)")
      }
      let absent = try await run(["audit", "--schema", "Bare", "--json"], database)
      #expect(absent.exitCode == 64 && absent.stderr.contains(#""code":"schema_not_found""#), "\(absent)")
      let table = try await run(["audit", "--schema", "bare", "--table", "t", "--json"], database)
      #expect(table.exitCode == 64 && table.stderr.contains(#""code":"table_not_found""#), "\(table)")
    }
  }

  @Test func aSchemaWhoseTablesAreAllLockedIsBusy() async throws {
    try await withDatabase(template: Self.orders) { database in
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("begin; lock table \"Sales\".\"Orders\" in access exclusive mode")
      let held = try await run(["audit", "--schema", "Sales", "--json"], database)
      #expect(held.exitCode == 75 && held.stderr.contains(#""code":"table_locked""#), "\(held)")
      let other = try await run(["audit", "--schema", "public", "--table", "Orders", "--json"], database)
      #expect(other.exitCode == 64 && other.stderr.contains(#""code":"table_not_found""#), "\(other)")
      holder.close()
      #expect(try await run(["usage", "--schema", "Sales"], database).exitCode == 0)
    }
  }
}
