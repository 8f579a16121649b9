import Glibc
import Primitives
import TestSupport
import Testing

/// A run is watched and steered from another terminal.
@Suite struct SteeringTests {
  /// A run that would take a minute.
  private static let slow =
    Workshop.increment + ["--chunk-size", "5", "--concurrency", "2", "--max-rate", "50", "--json"]

  private func withSlowRun(_ body: (Workshop, RunningProgram, String) async throws -> Void) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(3000)
      let running = try await shop.start(Self.slow)
      do {
        try await shop.wait("select count(*) > 5 from counters where n = 1")
        try await body(shop, running, try await shop.latestRun())
      } catch {
        running.kill()
        throw error
      }
    }
  }

  /// How long `body` takes, in seconds.
  private func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = monotonicNanoseconds()
    try await body()
    return Double(monotonicNanoseconds() - start) / 1e9
  }

  private func visited(_ shop: Workshop) async throws -> String? {
    try await shop.sql("select count(*) from counters where n = 1").first?.first
  }

  @Test func pauseResumeAndCancelWorkFromAnotherTerminal() async throws {
    try await withSlowRun { shop, running, run in
      try await shop.wait("select throttled_by = 'rate' from ironforge.job_runs")
      let paused = try await shop.job("pause", run, "--json")
      #expect(paused.exitCode == 0 && value("state", in: paused.stdout) == "paused", "\(paused)")
      try await shop.wait("select throttled_by = 'paused' from ironforge.job_runs", timeout: .seconds(5))
      let before = try await visited(shop)
      try await Task.sleep(for: .milliseconds(700))
      #expect(try await visited(shop) == before)
      // Paused is not dead: nobody else may take it.
      let second = try await shop.job(arguments: Self.slow)
      #expect(second.exitCode == 75 && value("code", in: second.stderr) == "job_running", "\(second)")
      #expect(try await shop.job("pause", run).exitCode == 0)

      let resumed = try await shop.job("resume", run, "--json")
      #expect(resumed.exitCode == 0 && resumed.stderr.contains("a process works on it"), "\(resumed)")
      try await shop.wait(
        "select count(*) > \(before ?? "0") from counters where n = 1", timeout: .seconds(5))

      let cancelled = try await shop.job("cancel", run, "--json")
      #expect(cancelled.exitCode == 0 && value("state", in: cancelled.stdout) == "cancelled")
      var result: ProgramResult?
      let taken = try await seconds { result = try await running.finish() }
      #expect(taken < 10, "within about a second on a machine with nothing else to do")
      #expect(
        result?.exitCode == 143 && value("state", in: result?.stdout ?? "") == "cancelled",
        "\(String(describing: result))")
      #expect(value("done", in: result?.stdout ?? "") == (try await visited(shop)))
      #expect(try await shop.sql("select count(*) from ironforge.job_chunks") == [["0"]])
      // Final is final.
      #expect(try await shop.job("cancel", run).exitCode == 0)
      for verb in ["pause", "resume"] {
        let refused = try await shop.job(verb, run, "--json")
        #expect(
          refused.exitCode == 4 && value("code", in: refused.stderr) == "job_run_finished", "\(refused)")
      }
    }
  }

  /// A dry run ends as the real one would, and says what that would go on with.
  @Test func aDryRunSeesTheOpenRun() async throws {
    try await withSlowRun { shop, running, run in
      let rehearsal = Self.slow + ["--dry-run"]
      let busy = try await shop.job(arguments: rehearsal)
      #expect(busy.exitCode == 75 && value("code", in: busy.stderr) == "job_running", "\(busy)")
      try running.signal(SIGINT)
      #expect(try await running.finish().exitCode == 130)
      let done = try await visited(shop) ?? ""
      let plan = try await shop.job(arguments: rehearsal)
      #expect(
        plan.exitCode == 0
          && plan.stdout.contains(
            #""open_run":{"run":"\#(run)","state":"interrupted","done":\#(done),"total":3000}"#),
        "\(plan)")
      let text = try await shop.job(arguments: rehearsal.filter { $0 != "--json" })
      #expect(text.stdout.contains("A real run goes on with it, at \(done) of 3000 rows."), "\(text)")
      #expect(try await shop.job("pause", run).exitCode == 0)
      let paused = try await shop.job(arguments: rehearsal)
      #expect(paused.exitCode == 75 && value("code", in: paused.stderr) == "job_paused", "\(paused)")
      #expect(try await visited(shop) == done)
    }
  }

  @Test(arguments: [(SIGINT, Int32(130), "interrupted"), (SIGTERM, 143, "terminated")])
  func aSignalKeepsTheRunsPlace(signal: Int32, exitCode: Int32, code: String) async throws {
    try await withSlowRun { shop, running, run in
      try running.signal(signal)
      let stopped = try await running.finish()
      #expect(stopped.exitCode == exitCode && value("code", in: stopped.stderr) == code, "\(stopped)")
      #expect(stopped.stderr.contains("ironforge job resume \(run)") && stopped.stdout == "")
      #expect(try await shop.status("state") == "interrupted")
      #expect(try await shop.status("done") == (try await visited(shop)))
      // `resume` remembers how hard it may work, and takes another word.
      let resumed = try await shop.job(
        "resume", run, "--max-rate", "1000000", "--chunk-size", "500", "--json")
      #expect(resumed.exitCode == 0 && value("state", in: resumed.stdout) == "done", "\(resumed)")
      #expect(resumed.stderr.contains("continuing run \(run)"))
      #expect(try await shop.counts() == [["1", "3000"]])
      #expect(
        try await shop.sql("select max_rate, chunk_size, concurrency from ironforge.job_runs") == [
          ["1000000", "500", "2"]
        ])
    }
  }

  /// Chunks in flight that do not end by themselves are rolled back.
  @Test(arguments: [true, false])
  func whoeverStopsARunDoesNotWaitForALongChunk(bySignal: Bool) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(10)
      let running = try await shop.start([
        "run", "sql", "--table", "counters", "--key", "id", "--json", "--statement",
        "with slow as (select pg_sleep(25)) update counters set n = n + 1 from slow where id = any($1)",
      ])
      try await shop.wait(
        "select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
      )
      let taken = try await seconds {
        if bySignal {
          try running.signal(SIGINT)
        } else {
          #expect(try await shop.job("cancel", try await shop.latestRun()).exitCode == 0)
        }
        let result = try await running.finish()
        #expect(result.exitCode == (bySignal ? 130 : 143), "\(result)")
      }
      #expect(taken < 20)
      #expect(try await shop.counts() == [["0", "10"]])
      try await shop.wait(
        "select count(*) = 0 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
      )
      #expect(try await shop.status("state") == (bySignal ? "interrupted" : "cancelled"))
    }
  }

  @Test func aRunWhoseProcessDiedIsCancelledAtOnce() async throws {
    try await withSlowRun { shop, running, run in
      running.kill()
      _ = try await running.finish()
      try await shop.waitUntilNobodyOwnsARun()
      #expect(try await shop.status("state") == "interrupted")
      #expect(try await shop.status("owned") == "false")
      let cancelled = try await shop.job("cancel", run, "--json")
      #expect(cancelled.exitCode == 0 && value("state", in: cancelled.stdout) == "cancelled", "\(cancelled)")
      #expect(try await shop.sql("select count(*) from ironforge.job_chunks where not is_done") == [["0"]])
      // What follows is a new run, from the beginning.
      let again = try await shop.job(arguments: Workshop.increment + ["--json"])
      #expect(again.exitCode == 0 && value("attempt", in: again.stdout) == "1", "\(again)")
      let sum = try await shop.sql(
        "select sum(n) - 3000 = (select done from ironforge.job_runs order by id limit 1) + coalesce((select sum(visited) from ironforge.job_chunks), 0) from counters"
      )
      #expect(sum == [["t"]])
    }
  }

  /// A pause outlives the process: cron does not go on behind the operator's back.
  @Test func aPausedRunIsNotContinuedByAPlainStart() async throws {
    try await withSlowRun { shop, running, run in
      running.kill()
      _ = try await running.finish()
      try await shop.waitUntilNobodyOwnsARun()
      let paused = try await shop.job("pause", run, "--json")
      #expect(paused.exitCode == 0 && value("state", in: paused.stdout) == "paused", "\(paused)")
      let refused = try await shop.job(arguments: Self.slow)
      #expect(refused.exitCode == 75 && value("code", in: refused.stderr) == "job_paused", "\(refused)")
      #expect(refused.stderr.contains("ironforge job resume \(run)"))
      let resumed = try await shop.job("resume", run, "--max-rate", "1000000", "--json")
      #expect(resumed.exitCode == 0 && value("done", in: resumed.stdout) == "3000", "\(resumed)")
      #expect(try await shop.counts() == [["1", "3000"]])
    }
  }

  /// SIGSTOP is no death: the lock is still held, and afterwards the run goes on.
  @Test func aProcessThatStandsStillKeepsItsRun() async throws {
    try await withSlowRun { shop, running, run in
      try running.signal(SIGSTOP)
      let second = try await shop.job(arguments: Self.slow)
      #expect(second.exitCode == 75, "\(second)")
      try running.signal(SIGCONT)
      try running.signal(SIGTERM)
      #expect(try await running.finish().exitCode == 143)
    }
  }

  /// The connection with the lock dies, and another process is faster: the first one does no further chunk.
  @Test func whoLosesTheLockStops() async throws {
    try await withSlowRun { shop, running, run in
      try running.signal(SIGSTOP)
      try await shop.sql(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like 'ironforge%'
        """)
      try await shop.waitUntilNobodyOwnsARun()
      let second = try await shop.start(Self.slow)
      try await shop.wait("select attempt = 2 from ironforge.job_runs")
      try running.signal(SIGCONT)
      let first = try await running.finish()
      #expect(first.exitCode == 75 && value("code", in: first.stderr) == "job_lock_lost", "\(first)")
      #expect(try await shop.status("state") == "running")
      try second.signal(SIGTERM)
      #expect(try await second.finish().exitCode == 143)
      #expect(try await shop.job("resume", run, "--max-rate", "1000000").exitCode == 0)
      #expect(try await shop.counts() == [["1", "3000"]])
    }
  }

  @Test func runsAreListedNewestFirst() async throws {
    try await withWorkshop { shop in
      let none = try await shop.job("status", "--json")
      #expect(none.exitCode == 4 && value("code", in: none.stderr) == "job_run_not_found")
      #expect(try await shop.job("list").exitCode == 0)
      try await shop.makeCounters(5)
      var runs: [String] = []
      for _ in 1...3 {
        runs.append(
          value("run", in: try await shop.job(arguments: Workshop.increment + ["--json"]).stdout) ?? "")
      }
      let first = try await shop.job("list", "--limit", "2", "--json")
      let lines = first.stdout.split(separator: "\n").map { value("run", in: String($0)) ?? "" }
      #expect(lines == [runs[2], runs[1]])
      let cursor = try #require(value("next_cursor", in: first.stderr))
      let rest = try await shop.job("list", "--limit", "2", "--cursor", cursor, "--json")
      #expect(rest.stdout.split(separator: "\n").map { value("run", in: String($0)) ?? "" } == [runs[0]])
      #expect(rest.stderr == "")
      #expect(try await shop.job("list", "--job", "other", "--json").stdout == "")
      // People need no microseconds; scripts get them.
      let second = #/ [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z(?:\n|$)/#
      #expect(try await shop.job("list").stdout.matches(of: second).count == 3)
      #expect(try await shop.job("status").stdout.matches(of: second).count == 2)
      let precise = #/"created_at":"[^"]*\.[0-9]{6}Z"/#
      #expect(first.stdout.matches(of: precise).count == 2)
      #expect(try await shop.status("run") == runs[2])
      #expect(try await shop.status("run", runs[0]) == runs[0])
      #expect(try await shop.job("status", "nonsense").exitCode == 64)
    }
  }

  @Test func progressNamesWhatThrottles() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(100)
      let result = try await shop.job(
        arguments: Workshop.increment + ["--max-rate", "40", "--chunk-size", "5", "--progress", "json"])
      #expect(result.exitCode == 0, "\(result)")
      #expect(
        result.stderr.contains(#""label":"sql""#) && result.stderr.contains("at most 40 rows a second"),
        "\(result)")
      #expect(result.stderr.contains("\"eta_seconds\":"))
      // A hundred rows at forty a second, of which the first few are free.
      #expect(
        Double(value("rows_per_second", in: try await shop.job("status", "--json").stdout) ?? "") ?? 0 < 60)
      let quiet = try await shop.job(arguments: Workshop.increment + ["--quiet"])
      #expect(quiet.exitCode == 0 && quiet.stderr == "" && quiet.stdout == "", "\(quiet)")
    }
  }
}
