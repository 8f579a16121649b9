import FoundationEssentials
import Glibc
import Primitives
import TestSupport
import Testing

@testable import Commands

/// What cron relies on: one run at a time, a random start, metrics whatever happens.
@Suite(.timeLimit(.minutes(3)))
struct CronTests {
  /// A writer's lock on a table that `ledger verify` reads makes it stay: a run that holds its lock for as long as a test wants.
  private func withHeldRun(
    _ town: Town, _ command: [String] = ["ledger", "verify"], _ body: (RunningProgram) async throws -> Void
  ) async throws {
    let blocker = try await Program(
      "\(town.database.address.programs)/psql", [town.database.url, "-qf", "-"],
      stdin: "begin; lock table transfers; select pg_advisory_lock(77); select pg_sleep(120);"
    ).start()
    try await wait(town, "select count(*) from pg_locks where objid = 77 and granted and \(Self.here)", "1")
    let holder = try await Ironforge.start(
      command,
      env: ["IRONFORGE_DATABASE_URL": town.database.url, "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "150"])
    try await wait(
      town,
      "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      "1")
    do {
      try await body(holder)
    } catch {
      try await unblock(town)
      throw error
    }
    try await unblock(town)
    _ = try await blocker.finish()
  }

  /// Ends the writer, if the test has not done it.
  private func unblock(_ town: Town) async throws {
    try await town.database.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(120)%' and datname = current_database() and pid <> pg_backend_pid()"
    )
  }

  private static let here = "database = (select oid from pg_database where datname = current_database())"

  private func wait(_ town: Town, _ query: String, _ expected: String) async throws {
    let deadline = Deadline.after(.seconds(40))
    while try await town.database.sql(query) != [[expected]] {
      if deadline.hasPassed { throw TestFailure("it did not happen: \(query)") }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  private func read(_ directory: TemporaryDirectory) throws -> String {
    try String(contentsOfFile: directory.file("v.prom"), encoding: .utf8)
  }

  private func metric(_ name: String, in text: String) -> Double? {
    let start = "ironforge_\(name){command=\"ledger verify\",file=\"v.prom\"} "
    let line = text.split(separator: "\n").first { $0.hasPrefix(start) }
    return line.flatMap { Double($0.dropFirst(start.count)) }
  }

  @Test func aSecondRunIsRefusedAndNamesTheFirst() async throws {
    try await withTown { town in
      try await withHeldRun(town) { holder in
        let refused = try await town.run("ledger", "verify", "--json")
        #expect(refused.exitCode == 75 && refused.stdout == "")
        #expect(
          value("code", in: refused.stderr) == "run_lock_busy"
            && value("retryable", in: refused.stderr) == "true")
        #expect(
          refused.stderr.contains("another run of `ledger verify` is at work on this database: process "))
        #expect(
          refused.stderr.contains("(ironforge ledger verify) since 20")
            && refused.stderr.contains("--lock-wait"))
        let start = monotonicNanoseconds()
        let waited = try await town.run("ledger", "verify", "--lock-wait", "1")
        #expect(waited.exitCode == 75 && waited.stderr.contains("; waiting"))
        #expect(monotonicNanoseconds() - start >= 1_000_000_000)
        let quiet = try await town.run("ledger", "verify", "--lock-wait", "1", "--quiet")
        #expect(
          quiet.exitCode == 75 && !quiet.stderr.contains("; waiting") && quiet.stderr.contains("error: "))
        // Another database has a lock of its own.
        let elsewhere = try await withTown { other in try await other.run("ledger", "verify") }
        #expect(elsewhere.exitCode == 0)
        try holder.signal(SIGKILL)
        _ = try await holder.finish()
      }
    }
  }

  @Test func whoWaitsGoesOnWhenTheHolderIsKilled() async throws {
    try await withTown { town in
      try await withHeldRun(town) { holder in
        let waiting = try await Ironforge.start(
          ["ledger", "verify", "--lock-wait", "100"],
          env: ["IRONFORGE_DATABASE_URL": town.database.url, "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "150"])
        try await wait(
          town,
          "select count(*) from pg_stat_activity where application_name = 'ironforge ledger verify' and datname = current_database()",
          "2")
        try holder.signal(SIGKILL)
        _ = try await holder.finish()
        // Now the table is what it waits for: it has the lock.
        try await wait(
          town,
          "select count(*) from pg_locks where locktype = 'advisory' and granted and classid = 1768317805 and \(Self.here)",
          "1")
        try await unblock(town)
        #expect(try await waiting.finish().exitCode == 0)
      }
    }
  }

  @Test func aSignalEndsTheWaitForTheLock() async throws {
    try await withTown { town in
      try await withHeldRun(town) { holder in
        let directory = try TemporaryDirectory("metrics")
        let waiting = try await Ironforge.start(
          ["ledger", "verify", "--lock-wait", "100", "--metrics-file", directory.file("v.prom")],
          env: ["IRONFORGE_DATABASE_URL": town.database.url])
        try await wait(
          town,
          "select count(*) from pg_stat_activity where application_name = 'ironforge ledger verify' and datname = current_database()",
          "2")
        try waiting.signal(SIGTERM)
        #expect(try await waiting.finish().exitCode == 143)
        #expect(metric("last_run_exit_code", in: try read(directory)) == 143)
        try holder.signal(SIGKILL)
        _ = try await holder.finish()
      }
    }
  }

  @Test func metricsTellOfSuccessAndOfEveryFailure() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("metrics")
      let file = directory.file("v.prom")
      let verify = ["ledger", "verify", "--quiet", "--metrics-file", file]
      let before = Double(Timestamp.now().microseconds) / 1e6
      #expect(try await town.run(verify).exitCode == 0)
      var text = try read(directory)
      let success = try #require(metric("last_success_timestamp_seconds", in: text))
      #expect(success >= before - 1 && success < before + 600)
      #expect(metric("last_run_timestamp_seconds", in: text) == success)
      #expect(metric("last_run_exit_code", in: text) == 0)
      #expect(try #require(metric("last_run_items", in: text)) > 0)
      #expect(try #require(metric("last_run_duration_seconds", in: text)) > 0)
      // A server that is away, a business rule, a finding: each is told, and the last success stays.
      let away = try await town.run(verify, url: "postgresql://127.0.0.1:1/none")
      text = try read(directory)
      #expect(away.exitCode == 69 && metric("last_run_exit_code", in: text) == 69)
      #expect(metric("last_success_timestamp_seconds", in: text) == success)
      #expect(metric("last_run_items", in: text) == 0)
      #expect(try await town.send("first").exitCode == 0)
      try await town.database.sql("update assets set balance = balance + 1, version = version")
      #expect(try await town.run(verify).exitCode == 10)
      text = try read(directory)
      #expect(metric("last_run_exit_code", in: text) == 10)
      #expect(metric("last_success_timestamp_seconds", in: text) == success)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["v.prom"],
        "no temporary file is left")
    }
  }

  /// Several processes with one file are safe, so a batch takes turns only where that is asked for.
  @Test func batchesTakeTurnsOnlyWhenAsked() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try directory.write(
        "key,from,to,amount,currency\nk,ada@example.com/bank,ada@example.com/main,1,USD\n", to: "payouts.csv")
      let batch = ["transfer", "batch", file, "--json"]
      try await withHeldRun(town, batch + ["--lock-wait", "0"]) { holder in
        let refused = try await town.run(batch + ["--lock-wait", "0"])
        #expect(refused.exitCode == 75 && value("code", in: refused.stderr) == "run_lock_busy")
        #expect(refused.stderr.contains("another run of `transfer batch` is at work"))
        // Another command has a lock of its own, and meets the table's.
        let verified = try await town.run(
          "ledger", "verify", "--json", env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"])
        #expect(verified.exitCode == 75 && value("code", in: verified.stderr) == "lock_timeout")
        let unasked = try await Ironforge.start(
          batch + ["--metrics-file", directory.file("v.prom")],
          env: ["IRONFORGE_DATABASE_URL": town.database.url, "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "150"])
        try await wait(
          town,
          "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
          "2")
        try await unblock(town)
        #expect(try await unasked.finish().exitCode == 0)
        #expect(try await holder.finish().exitCode == 0)
      }
      #expect(try await town.balance("main") == "1.00")
      let metrics = try read(directory)
      #expect(metrics.contains("ironforge_last_run_items{command=\"transfer batch\",file=\"v.prom\"} 1\n"))
    }
  }

  /// Known before the work and not after it.
  @Test func metricsThatCannotBeWrittenAreRefusedFirst() async throws {
    let result = try await Ironforge.run(
      ["ledger", "verify", "--metrics-file", "/nonexistent/v.prom", "--json"],
      env: ["IRONFORGE_DATABASE_URL": "postgresql://127.0.0.1:1/none"])
    #expect(result.exitCode == 1 && value("code", in: result.stderr) == "output_failed")
    #expect(result.stderr.contains("/nonexistent/v.prom"))
  }

  @Test func jitterIsBoundedAndInterruptible() async throws {
    try await withTown { town in
      let start = monotonicNanoseconds()
      let short = try await town.run("ledger", "verify", "--jitter", "1")
      #expect(short.exitCode == 0 && short.stderr.contains("beginning in "))
      #expect(monotonicNanoseconds() - start < 30_000_000_000)
      let quiet = try await town.run("ledger", "verify", "--jitter", "1", "--quiet")
      #expect(quiet.exitCode == 0 && quiet.stderr == "" && quiet.stdout == "")
      // The chance that a day's jitter is over within the test is one in many thousands.
      let directory = try TemporaryDirectory("metrics")
      let long = try await Ironforge.start(
        ["ledger", "verify", "--jitter", "86400", "--metrics-file", directory.file("v.prom")],
        env: ["IRONFORGE_DATABASE_URL": "postgresql://127.0.0.1:1/none"])
      try await Task.sleep(for: .milliseconds(1500))
      try long.signal(SIGINT)
      let stopped = try await long.finish()
      #expect(
        stopped.exitCode == 130 && !stopped.stderr.contains("PostgreSQL"),
        "nothing was connected to: \(stopped)")
      #expect(metric("last_run_exit_code", in: try read(directory)) == 130)
    }
  }

  @Test(arguments: [
    ["--lock-wait", "-1"], ["--lock-wait", "86401"], ["--jitter", "-1"], ["--jitter", "1.5"],
    ["--metrics-file", ""],
  ])
  func nonsenseIsRefused(option: [String]) async throws {
    #expect(try await Ironforge.run(["ledger", "verify"] + option).exitCode == 64)
  }
}
