import FoundationEssentials
import Glibc
import Primitives
import TestSupport
import Testing

/// `job run analyze-stale`, and what every job has: the lock, cron's options, a pooler.
@Suite struct BuiltInJobTests {
  private func analysed(_ shop: Workshop) async throws -> [String] {
    try await shop.sql(
      """
      select relname from pg_stat_user_tables where schemaname = 'town' and last_analyze is not null order by relname
      """
    ).map { $0[0] }
  }

  private func makeTown(_ shop: Workshop) async throws {
    try await shop.sql(
      """
      create schema town;
      create table town.never (id int);
      create table town."Odd ""name"" " (id int);
      create table town.fresh (id int);
      create table town.changed (id int);
      insert into town.never select generate_series(1, 10);
      insert into town."Odd ""name"" " values (1);
      insert into town.fresh select generate_series(1, 1000);
      insert into town.changed select generate_series(1, 1000)
      """)
    // A session reports what it changed at its end at the latest; an ANALYZE before that would not count it.
    try await shop.wait(
      "select min(n_mod_since_analyze) = 1000 from pg_stat_user_tables where relname in ('fresh', 'changed')")
    try await shop.sql("analyze town.fresh, town.changed")
    try await shop.sql("insert into town.changed select generate_series(1, 500)")
    try await shop.wait(
      "select n_mod_since_analyze > 400 from pg_stat_user_tables where relid = 'town.changed'::regclass")
  }

  @Test func onlyStaleTablesAreAnalysed() async throws {
    try await withWorkshop { shop in
      try await makeTown(shop)
      let plan = try await shop.job("run", "analyze-stale", "--schema", "town", "--dry-run", "--json")
      #expect(plan.exitCode == 0 && value("rows", in: plan.stdout) == "3", "\(plan)")
      for name in ["analyze town.never", "analyze town.changed", #"analyze town.Odd \"name\" "#] {
        #expect(plan.stdout.contains(name))
      }
      #expect(!plan.stdout.contains("fresh"))
      let before = try await analysed(shop)
      let result = try await shop.job("run", "analyze-stale", "--schema", "town", "--json")
      #expect(result.exitCode == 0 && value("affected", in: result.stdout) == "3", "\(result)")
      #expect(before == ["changed", "fresh"])
      try await shop.wait(
        "select count(*) = 4 from pg_stat_user_tables where schemaname = 'town' and last_analyze is not null")
      // Statistics arrive after the transaction; then nothing is stale any more.
      try await shop.wait(
        "select n_mod_since_analyze = 0 from pg_stat_user_tables where relid = 'town.changed'::regclass")
      let again = try await shop.job("run", "analyze-stale", "--schema", "town", "--json")
      #expect(again.exitCode == 0 && value("total", in: again.stdout) == "0", "\(again)")
    }
  }

  /// The server passes over tables of others with a warning; here it is a failed row.
  @Test func aTableThatMayNotBeAnalysedIsListed() async throws {
    try await withWorkshop { shop in
      try await makeTown(shop)
      let role = "analyst_\(shop.database.name)"
      try await shop.sql(
        """
        create role \(role) login;
        grant usage on schema ironforge, town to \(role);
        grant all on all tables in schema ironforge to \(role);
        alter table town.never owner to \(role)
        """)
      let url = shop.database.url.replacing("user=ironforge", with: "user=\(role)")
      let result = try await shop.job("run", "analyze-stale", "--schema", "town", "--json", url: url)
      #expect(result.exitCode == 3 && value("failed_count", in: result.stdout) == "2", "\(result)")
      #expect(value("affected", in: result.stdout) == "1")
      #expect(
        result.stdout.contains(
          #""key":{"schema_name":"town","table_name":"changed"},"code":"not_allowed""#))
      try await shop.sql("reassign owned by \(role) to ironforge; drop owned by \(role); drop role \(role)")
    }
  }

  @Test func theLockIsWaitedForAndCronGetsItsMetrics() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(300)
      let directory = try TemporaryDirectory("metrics")
      let options = Workshop.increment + ["--chunk-size", "10", "--json"]
      let first = try await shop.start(options + ["--max-rate", "100"])
      _ = try await shop.latestRun()
      let refused = try await shop.job(arguments: options + ["--metrics-file", directory.file("j.prom")])
      #expect(refused.exitCode == 75, "\(refused)")
      let second = try await shop.job(
        arguments: options + [
          "--lock-wait", "60", "--jitter", "1", "--metrics-file", directory.file("j.prom"),
        ])
      #expect(second.exitCode == 0 && second.stderr.contains("waiting"), "\(second)")
      #expect(try await first.finish().exitCode == 0)
      // What waited found nothing left unfinished, and began anew.
      #expect(try await shop.counts() == [["2", "300"]])
      let metrics = try String(contentsOfFile: directory.file("j.prom"), encoding: .utf8)
      #expect(
        metrics.contains(#"ironforge_last_run_items{command="job run sql",file="j.prom"} 300"#), "\(metrics)")
      #expect(metrics.contains(#"ironforge_last_run_exit_code{command="job run sql",file="j.prom"} 0"#))
    }
  }

  /// Through PgBouncer in transaction mode: one that says so, and one that swallows our start-up options.
  @Test(arguments: ["", "ignore_startup_parameters = options,extra_float_digits"])
  func jobsRunBehindAPooler(settings: String) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(1000)
      // The lock keeps one server connection to itself.
      try await withPooler(shop.database, settings: settings + "\ndefault_pool_size = 6") { url in
        let options = Workshop.increment + ["--chunk-size", "10", "--concurrency", "3", "--json"]
        let slow = try await shop.start(options + ["--max-rate", "50"], url: url)
        try await shop.wait("select count(*) > 20 from counters where n = 1")
        let second = try await shop.job(arguments: options, url: url)
        #expect(second.exitCode == 75 && value("code", in: second.stderr) == "job_running", "\(second)")
        #expect(try await shop.status("state") == "running")
        slow.kill()
        _ = try await slow.finish()
        try await shop.waitUntilNobodyOwnsARun()
        let finished = try await shop.job(arguments: options, url: url)
        #expect(finished.exitCode == 0 && finished.stderr.contains("continuing run"), "\(finished)")
        #expect(try await shop.counts() == [["1", "1000"]])
      }
    }
  }
}

/// `settle-pending` and `expire-holds`.
@Suite struct HoldJobTests {
  private static let main = "ada@example.com/main"
  private static let savings = "ada@example.com/savings"

  /// A town with money and open holds: `count` of a dollar each from main to savings.
  private func withHolds(_ count: Int, _ body: (Town, Workshop) async throws -> Void) async throws {
    try await withTown { town in
      #expect(try await town.send("fund", "1000").exitCode == 0)
      for number in 1...count { try await hold(town, "h\(number)") }
      try await body(town, Workshop(database: town.database))
      let verified = try await town.run("ledger", "verify", "--json")
      #expect(verified.exitCode == 0, "\(verified)")
    }
  }

  private func hold(_ town: Town, _ key: String, to: String = savings, _ more: String...) async throws {
    let made = try await town.run(
      [
        "transfer", "hold", "--from", Self.main, "--to", to, "--amount", "1", "--currency", "USD", "--key",
        key,
      ] + more)
    guard made.exitCode == 0 else { throw TestFailure("no hold: \(made.stderr)") }
  }

  @Test func openHoldsAreCapturedWhole() async throws {
    try await withHolds(12) { town, shop in
      let plan = try await shop.job("run", "settle-pending", "--dry-run", "--json")
      #expect(plan.exitCode == 0 && value("rows", in: plan.stdout) == "12", "\(plan)")
      let early = try await shop.job("run", "settle-pending", "--older-than", "1h", "--json")
      #expect(early.exitCode == 0 && value("total", in: early.stdout) == "0", "\(early)")
      let result = try await shop.job("run", "settle-pending", "--chunk-size", "5", "--json")
      #expect(result.exitCode == 0 && value("affected", in: result.stdout) == "12", "\(result)")
      #expect(try await town.balance("savings") == "12.00")
      let run = try #require(value("run", in: result.stdout))
      let keys = try await town.database.sql(
        "select count(*) from hold_resolutions where key = 'settle:\(run):' || hold_id and kind = 'capture'")
      #expect(keys == [["12"]])
      let again = try await shop.job("run", "settle-pending", "--json")
      #expect(again.exitCode == 0 && value("total", in: again.stdout) == "0")
      #expect(try await town.balance("savings") == "12.00")
    }
  }

  @Test func whatARuleRefusesIsListedAndTheRestIsSettled() async throws {
    try await withHolds(4) { town, shop in
      #expect(
        try await town.run("wallet", "create", "--user", "ada@example.com", "--name", "cold").exitCode == 0)
      try await hold(town, "frozen", to: "ada@example.com/cold")
      #expect(try await town.run("wallet", "freeze", "ada@example.com/cold").exitCode == 0)
      let result = try await shop.job("run", "settle-pending", "--json")
      #expect(result.exitCode == 3 && value("affected", in: result.stdout) == "4", "\(result)")
      #expect(result.stdout.contains(#""code":"destination_frozen""#))
      #expect(try await town.balance("savings") == "4.00")
      #expect(try await town.balance("cold") == "0.00")
      // A later run tries it again, under another key.
      #expect(try await town.run("wallet", "unfreeze", "ada@example.com/cold").exitCode == 0)
      #expect(try await shop.job("run", "settle-pending").exitCode == 0)
      #expect(try await town.balance("cold") == "1.00")
    }
  }

  @Test func expiredHoldsAreFreedAndTheOthersStay() async throws {
    try await withHolds(2) { town, shop in
      for number in 1...7 { try await hold(town, "short\(number)", "--expires", "1s") }
      try await shop.wait("select count(*) = 7 from transfers where expires_at <= now()")
      let settled = try await shop.job("run", "settle-pending", "--dry-run", "--json")
      #expect(value("rows", in: settled.stdout) == "2", "what has expired is not captured")
      let plan = try await shop.job("run", "expire-holds", "--dry-run", "--json")
      #expect(plan.exitCode == 0 && value("rows", in: plan.stdout) == "7", "\(plan)")
      let result = try await shop.job("run", "expire-holds", "--chunk-size", "3", "--json")
      #expect(result.exitCode == 0 && value("affected", in: result.stdout) == "7", "\(result)")
      let states = try await town.database.sql(
        "select status, count(*) from transfers where kind = 'hold' group by status order by status")
      #expect(states == [["expired", "7"], ["pending", "2"]])
      let held = try await town.database.sql("select max(held) from assets")
      #expect(held == [["200"]])
    }
  }

  /// `kill -9` in the middle of a settlement, several times: each hold is captured once.
  @Test(arguments: ["job-claimed:2", "job-worked:1", "job-commit-sent:2", "job-committed:1"])
  func aKilledSettlementRepeatsNothing(point: String) async throws {
    try await withHolds(20) { town, shop in
      let options = ["run", "settle-pending", "--chunk-size", "3", "--concurrency", "2", "--json"]
      for _ in 1...2 {
        let killed = try await shop.job(arguments: options, env: ["IRONFORGE_FAULT": point])
        #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      }
      let finished = try await shop.job(arguments: options)
      #expect(finished.exitCode == 0, "\(finished)")
      #expect(try await town.balance("savings") == "20.00")
      #expect(try await town.database.sql("select count(*) from hold_resolutions") == [["20"]])
    }
  }

  /// A job that finds by itself what is left to do does not stop at an end that nobody heard of.
  @Test func aSettlementThatWasNotToldIsFollowedByAnother() async throws {
    try await withHolds(5) { _, shop in
      let options = ["run", "settle-pending", "--json"]
      let killed = try await shop.job(arguments: options, env: ["IRONFORGE_FAULT": "job-finished:1"])
      #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      let next = try await shop.job(arguments: options)
      #expect(next.exitCode == 0 && value("affected", in: next.stdout) == "0", "\(next)")
      #expect(
        try await shop.sql("select count(*) from ironforge.job_runs where not awaits_report") == [["2"]])
    }
  }
}
