import Postgres
import Primitives
import TestSupport
import Testing

/// `db analyze`.
@Suite(.timeLimit(.minutes(3))) struct DatabaseAnalyzeTests {
  /// Not a template: the counters of a database are not copied with it.
  private func fill(_ database: TestDatabase) async throws {
    try await database.sql(
      """
      create schema town;
      set search_path = town;
      create table fresh (a int) with (autovacuum_enabled = off);
      create table changed (a int) with (autovacuum_enabled = off);
      create table "Never ""so"" on" (a int) with (autovacuum_enabled = off);
      create table upgraded (a int) with (autovacuum_enabled = off);
      create table empty (a int);
      create table root (a int) partition by range (a);
      create table root_1 partition of root for values from (0) to (100000) with (autovacuum_enabled = off);
      insert into fresh select generate_series(1, 1000);
      insert into changed select generate_series(1, 1000);
      insert into "Never ""so"" on" select generate_series(1, 1000);
      insert into upgraded select generate_series(1, 1000);
      insert into root select generate_series(1, 20000);
      select pg_stat_force_next_flush();
      """)
    try await database.sql("set search_path = town; analyze fresh, changed, root_1")
    try await database.sql("vacuum town.upgraded")
    try await database.sql(
      "insert into town.changed select generate_series(1, 500); select pg_stat_force_next_flush()")
    // As pg_upgrade leaves it: rows are counted, and nothing else is known.
    try await database.sql("select pg_stat_reset_single_table_counters('town.upgraded'::regclass)")
  }

  private func run(
    _ arguments: [String], _ database: TestDatabase, role: String = "ironforge"
  ) async throws -> ProgramResult {
    let url = database.url.replacing("user=ironforge", with: "user=\(role)")
    return try await Ironforge.run(["db", "analyze"] + arguments + ["--database-url", url])
  }

  private func outcomes(_ result: ProgramResult) throws -> [String] {
    try JSON(parsing: Array(result.stdout.utf8))["tables"].elements.map { table in
      "\(table["table"].text ?? "") \(table["code"].text ?? "-") \(table["outcome"].text ?? "")"
    }
  }

  @Test func saysWhichAreStaleAndWhy() async throws {
    try await withDatabase(template: .migrated) { database in
      try await fill(database)
      let plan = try await run(["--stale-only", "--schema", "town", "--json"], database)
      #expect(plan.exitCode == 0, "\(plan)")
      #expect(
        try outcomes(plan) == [
          "Never \"so\" on never_analyzed planned", "changed rows_changed planned",
          "root parent_never_analyzed planned",
          "upgraded no_statistics planned",
        ], "\(plan)")
      let all = try await run(["--schema", "town", "--json"], database)
      #expect(
        try outcomes(all).map { $0.split(separator: " ").last.map(String.init) ?? "" }
          == Array(repeating: "planned", count: 6), "\(all)")
      #expect(!all.stdout.contains("\"root_1\""))
      let before = try await database.sql(
        "select count(*) from pg_stat_user_tables where analyze_count > 0 and schemaname = 'town'")
      #expect(before == [["3"]])
      let text = try await run(["--stale-only", "--schema", "town"], database)
      #expect(text.stdout.contains("Nothing was done; --execute does it."), "\(text)")
      #expect(text.stdout.contains("root and 1 partition "), "\(text)")
    }
  }

  @Test func theAuditAndTheJobSayTheSame() async throws {
    try await withDatabase(template: .migrated) { database in
      try await fill(database)
      let audit = try await Ironforge.run(
        [
          "index", "audit", "--only", "stale_statistics", "--schema", "town", "--json", "--database-url",
          database.url,
        ])
      let found = try JSON(parsing: Array(audit.stdout.utf8))["findings"].elements.compactMap {
        $0["table"].text
      }
      #expect(Set(found) == ["Never \"so\" on", "changed", "root", "upgraded"], "\(audit)")
      let job = try await Ironforge.run(
        [
          "job", "run", "analyze-stale", "--schema", "town", "--dry-run", "--json", "--database-url",
          database.url,
        ])
      #expect(try JSON(parsing: Array(job.stdout.utf8))["rows"].integer == 4, "\(job)")
    }
  }

  @Test func executeAnalysesEachOnce() async throws {
    try await withDatabase(template: .migrated) { database in
      try await fill(database)
      let result = try await run(["--stale-only", "--execute", "--schema", "town", "--json"], database)
      #expect(result.exitCode == 0, "\(result)")
      #expect(try outcomes(result).filter { $0.hasSuffix(" analyzed") }.count == 4, "\(result)")
      let known = try await database.sql(
        "select count(distinct tablename) from pg_stats where schemaname = 'town' and tablename <> 'empty'")
      #expect(known == [["6"]])
      let again = try await run(["--stale-only", "--schema", "town", "--json"], database)
      #expect(try outcomes(again) == [], "\(again)")
      let text = try await run(["--stale-only", "--schema", "town"], database)
      #expect(text.stdout == "No table's statistics are stale.\n", "\(text)")
    }
  }

  @Test func whatTheRoleMayNotAnalyseIsNamed() async throws {
    try await withDatabase(template: .migrated) { database in
      try await fill(database)
      let role = "analyst_\(database.name)"
      try await database.sql(
        "create role \(role) login; grant pg_monitor to \(role); grant usage on schema town to \(role); alter table town.changed owner to \(role)"
      )
      let result = try await run(
        ["--stale-only", "--execute", "--schema", "town", "--json"], database, role: role)
      #expect(result.exitCode == 3, "\(result)")
      let found = try outcomes(result)
      #expect(found.contains("changed rows_changed analyzed"), "\(result)")
      #expect(found.contains("root parent_never_analyzed not_allowed"), "\(result)")
      let plan = try await run(["--stale-only", "--schema", "town"], database, role: role)
      #expect(plan.exitCode == 0 && plan.stdout.contains("This role may not analyse 2 of them"), "\(plan)")
      // The job says the same, before and after.
      try await database.sql(
        "grant usage on schema ironforge to \(role); grant all on all tables in schema ironforge to \(role)")
      let words = ["job", "run", "analyze-stale", "--schema", "town", "--database-url"]
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      let rehearsed = try await Ironforge.run(words + [url, "--dry-run"])
      #expect(
        rehearsed.exitCode == 0 && rehearsed.stdout.contains("\n-- not town.root: only its owner, the"),
        "\(rehearsed)")
      #expect(rehearsed.stdout.contains("\ntables       2\n"), "\(rehearsed)")
      let job = try await Ironforge.run(words + [url, "--json"])
      #expect(job.exitCode == 3, "\(job)")
      let failed = try JSON(parsing: Array(job.stdout.utf8))["failed"].elements
      #expect(failed.map { $0["code"].text } == ["not_allowed", "not_allowed"], "\(job)")
      try await database.sql(
        "alter table town.changed owner to ironforge; drop owned by \(role); drop role \(role)")
    }
  }

  /// A table that somebody is at work on is passed over after the lock time-out, and the others are done.
  @Test func aLockedTableDoesNotStopTheRest() async throws {
    try await withDatabase(template: .migrated) { database in
      try await fill(database)
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("begin; lock table town.changed in share update exclusive mode")
      let directory = try TemporaryDirectory("analyze")
      let file = try directory.write("[database]\nlock_timeout_secs = 1\n", to: "ironforge.toml")
      let result = try await run(
        ["--stale-only", "--execute", "--schema", "town", "--json", "--config", file], database)
      #expect(result.exitCode == 3, "\(result)")
      #expect(try outcomes(result).contains("changed rows_changed failed"), "\(result)")
      #expect(try outcomes(result).filter { $0.hasSuffix(" analyzed") }.count == 3)
      #expect(result.stdout.contains(#""code":"lock_timeout""#))
      holder.close()
    }
  }
}
