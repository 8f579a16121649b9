import FoundationEssentials
import Glibc
import Ledger
import Postgres
import Primitives
import Redis
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct CacheWarmupTests {
  private func count(_ name: String, _ result: ProgramResult) -> Int? {
    value(name, in: result.stdout).flatMap { Int($0) }
  }

  private func addUsers(_ count: Int, to town: CachedTown) async throws {
    try await town.database.sql(
      "insert into users (email) select n || '@example.com' from generate_series(1, \(count)) n")
  }

  private func waitForUsers(_ count: Int64, in town: CachedTown) async throws {
    let deadline = Deadline.after(.seconds(30))
    while try await town.command("DBSIZE").integer() < count {
      if deadline.hasPassed { throw TestFailure("nothing is being warmed") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test func everyRowIsThereWithItsLife() async throws {
    try await withCachedTown { town in
      try await addUsers(5000, to: town)
      let directory = try TemporaryDirectory("warmup")
      let metrics = directory.file("w.prom")
      let first = try await town.run("cache", "warmup", "--json", "--quiet", "--metrics-file", metrics)
      #expect(first.exitCode == 0 && first.stderr == "")
      #expect(
        keys(first.stdout) == [
          "scanned", "written", "fresh", "refused", "bytes", "seconds", "keys_per_second", "dry_run",
        ])
      #expect(
        count("scanned", first) == 5004 && count("written", first) == 5004 && count("refused", first) == 0)
      let prom = try String(contentsOfFile: metrics, encoding: .utf8)
      #expect(prom.contains("last_run_items{command=\"cache warmup\",file=\"w.prom\"} 5004\n"))
      #expect(try await town.run("cache", "audit", "--all").exitCode == 0)
      let key = try await town.keyOfAda()
      let life = try await town.command("PTTL", .text(key)).integer()
      #expect((3_200_000...3_960_000).contains(life))
      let second = try await town.run("cache", "warmup", "--json", "--ttl", "7200")
      #expect(count("fresh", second) == 5004 && count("written", second) == 0)
      let longer = try await town.command("PTTL", .text(key)).integer()
      #expect((6_400_000...7_920_000).contains(longer))
      let text = try await town.run("cache", "warmup", "--scope", "wallets")
      #expect(
        text.stdout.hasPrefix("Warmed 3 rows, ")
          && text.stdout.contains(": 0 new or changed, 3 already there, 0 refused."))
      for verb in ["warmup", "audit"] {
        let result = try await town.run("cache", verb, "--quiet")
        #expect(result.exitCode == 0 && result.stdout == "" && result.stderr == "", "\(result)")
      }
    }
  }

  @Test func aWindowOfActivityAndATrial() async throws {
    try await withCachedTown { town in
      try await addUsers(3000, to: town)
      try await town.database.sql(
        "update users set last_login_at = now() - interval '2 days' where email in ('7@example.com', 'ada@example.com')"
      )
      let dry = try await town.run("cache", "warmup", "--active-within", "7d", "--dry-run", "--json")
      #expect(dry.exitCode == 0 && count("scanned", dry) == 5 && count("written", dry) == 5)
      #expect(try await town.command("DBSIZE").integer() == 1)
      let none = try await town.run("cache", "warmup", "--active-within", "1d", "--json")
      #expect(none.exitCode == 0 && count("scanned", none) == 0)
      let active = try await town.run("cache", "warmup", "--active-within", "7d", "--json")
      #expect(count("written", active) == 5)
      let key = try await town.key(ofWallet: "main")
      #expect(try await town.command("EXISTS", .text(key)).integer() == 1)
      let again = try await town.run("cache", "warmup", "--dry-run")
      #expect(again.stdout.hasPrefix("Would warm 3004 rows, "))
    }
  }

  @Test func aRateIsKeptAndProgressShown() async throws {
    try await withCachedTown { town in
      try await addUsers(500, to: town)
      let start = monotonicNanoseconds()
      let result = try await town.run(
        "cache", "warmup", "--scope", "users", "--rate", "200", "--progress", "json", "--json")
      let seconds = Double(monotonicNanoseconds() - start) / 1e9
      #expect(count("written", result) == 501 && seconds > 2.3)
      #expect(result.stderr.contains("{\"progress\":{\"label\":\"warming\",\"done\":"))
    }
  }

  @Test func oneRunAtATimeWhichStopsWhenAsked() async throws {
    try await withCachedTown { town in
      try await addUsers(500, to: town)
      let first = try await town.start("cache", "warmup", "--rate", "50")
      try await waitForUsers(10, in: town)
      let second = try await town.run("cache", "warmup", "--json")
      #expect(second.exitCode == 75 && value("code", in: second.stderr) == "run_lock_busy")
      try first.signal(SIGTERM)
      let stopped = try await first.finish()
      #expect(
        stopped.exitCode == 143 && stopped.stdout == "" && stopped.stderr.contains("stopped by SIGTERM"))
      #expect(try await town.run("cache", "warmup").exitCode == 0)
      #expect(try await town.run("cache", "audit", "--all").exitCode == 0)
    }
  }

  @Test func afterAKillItIsRunAgain() async throws {
    try await withCachedTown { town in
      try await addUsers(1000, to: town)
      let first = try await town.start("cache", "warmup", "--rate", "500", "--scope", "users")
      try await waitForUsers(100, in: town)
      first.kill()
      _ = try await first.finish()
      let again = try await town.run("cache", "warmup", "--json", "--lock-wait", "20")
      #expect(again.exitCode == 0 && count("scanned", again) == 1004)
      #expect(count("fresh", again).map { $0 >= 100 } == true)
      #expect(try await town.run("cache", "audit", "--all").exitCode == 0)
    }
  }

  /// Renames fence their keys while a warmup reads and writes them: nothing of before is put back.
  @Test func aWriterIsNeverOvertaken() async throws {
    try await withCachedTown { town in
      try await town.database.sql(
        "insert into wallets (user_id, name) select id, 'w' || n from users, generate_series(1, 300) n")
      let run = try await town.start("cache", "warmup", "--scope", "wallets", "--rate", "100", "--json")
      for round in 1...8 {
        for number in [1, 150, 299] {
          let names = round % 2 == 1 ? ["w\(number)", "v\(number)"] : ["v\(number)", "w\(number)"]
          let renamed = try await town.run("wallet", "rename", "ada@example.com/\(names[0])", names[1])
          #expect(renamed.exitCode == 0 && renamed.stderr == "")
        }
      }
      let result = try await run.finish()
      #expect(result.exitCode == 0 && count("scanned", result) == 303)
      let audit = try await town.run("cache", "audit", "--all", "--fail-on", "stale,orphaned", "--json")
      #expect(audit.exitCode == 0, "\(audit.stdout)")
    }
  }

  @Test func lostConnectionsAreMadeAnew() async throws {
    try await withCachedTown { town in
      try await addUsers(1000, to: town)
      let run = try await town.start("cache", "warmup", "--rate", "400", "--scope", "users", "--json")
      try await waitForUsers(50, in: town)
      try await town.database.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query like '%from users%'"
      )
      try await town.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      let result = try await run.finish()
      #expect(result.exitCode == 0, "\(result.stderr)")
      #expect(count("scanned", result) == 1001 && count("refused", result) == 0)
      #expect(try await town.run("cache", "audit", "--all", "--scope", "users").exitCode == 0)
    }
  }

  @Test func aRedisThatGoesAwayEndsIt() async throws {
    try await withCachedTown { town in
      try await addUsers(6000, to: town)
      let run = try await town.start("cache", "warmup", "--rate", "400", "--scope", "users", "--json")
      try await waitForUsers(50, in: town)
      try await town.redis.stop()
      let result = try await run.finish(timeout: .seconds(40))
      #expect(result.exitCode == 69 && result.stdout == "")
      #expect(value("hint", in: result.stderr)?.contains("run the same command again") == true)
      try await town.redis.start()
      #expect(try await town.run("cache", "warmup").exitCode == 0)
      #expect(try await town.run("cache", "audit", "--all").exitCode == 0)
    }
  }

  /// A restart of a cache that keeps nothing: what was written before is gone, and what comes after is good.
  @Test func aRestartOfRedisIsBridged() async throws {
    try await withCachedTown { town in
      try await addUsers(1500, to: town)
      let run = try await town.start("cache", "warmup", "--rate", "300", "--scope", "users", "--json")
      try await waitForUsers(50, in: town)
      try await town.redis.stop()
      try await town.redis.start()
      let result = try await run.finish()
      #expect(result.exitCode == 0, "\(result.stderr)")
      #expect(count("scanned", result) == 1501)
      let audit = try await town.run(
        "cache", "audit", "--all", "--scope", "users", "--fail-on", "stale,orphaned")
      #expect(audit.exitCode == 0)
    }
  }

  /// After Redis has lost all, only those count that fence: not a long load or index build, nor another database's.
  @Test func onlyTransactionsThatFenceHoldItUp() async throws {
    try await withCachedTown { town in
      try await addUsers(20, to: town)
      let holder = try Postgres.Session(connecting: ConnectionString(town.database.url))
      defer { holder.close() }
      try holder.simple("begin; create table loaded as select generate_series(1, 10)")
      let first = try await town.run("cache", "warmup", "--scope", "users", "--json")
      #expect(first.exitCode == 0 && count("refused", first) == 0, "\(first)")
      try holder.simple("select from \(FencedTransaction.mark.setting)")
      try await town.command("FLUSHALL")
      let second = try await town.run("cache", "warmup", "--scope", "users", "--json")
      #expect(second.exitCode == 3 && count("refused", second) == 21, "\(second)")
      #expect(second.stderr.contains("a long transaction that writes cached rows must be over first"))
      try holder.simple("rollback")
      let third = try await town.run("cache", "warmup", "--scope", "users", "--json")
      #expect(third.exitCode == 0 && count("written", third) == 21, "\(third)")
    }
  }

  @Test func wrongUsageIsRefused() async throws {
    for words in [["--ttl", "0"], ["--rate", "0"], ["--scope", "currencies"], ["--active-within", "7"]] {
      #expect(try await Ironforge.run(["cache", "warmup"] + words).exitCode == 64)
    }
  }
}
