import Glibc
import Primitives
import Synchronization
import TestSupport
import Testing

/// Each row exactly once, whatever dies.
@Suite struct JobFaultTests {
  private static let rows = 3000

  /// `kill -9` at every point of a chunk's life, again and again, until a run gets through.
  @Test(arguments: [
    "job-planned:1", "job-planned:2", "job-claimed:1", "job-claimed:7", "job-worked:1", "job-worked:5",
    "job-commit-sent:4", "job-committed:1", "job-committed:9", "job-folded:3",
  ])
  func aKilledProcessRepeatsNothing(point: String) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(Self.rows)
      let options = Workshop.increment + ["--chunk-size", "20", "--concurrency", "4", "--json"]
      for round in 1...4 {
        // The rate keeps it from being done before the point is reached.
        let killed = try await shop.job(
          arguments: options + ["--max-rate", "1000"], env: ["IRONFORGE_FAULT": point])
        #expect(killed.exitCode == 128 + SIGKILL, "round \(round), debug builds know \(point): \(killed)")
        let counts = try await shop.counts()
        #expect(counts.allSatisfy { $0[0] == "0" || $0[0] == "1" }, "\(counts)")
        #expect(try await shop.status("state") == "interrupted")
      }
      let finished = try await shop.job(arguments: options)
      #expect(finished.exitCode == 0 && finished.stderr.contains("continuing run"), "\(finished)")
      #expect(
        value("attempt", in: finished.stdout) == "5"
          && value("affected", in: finished.stdout) == "\(Self.rows)")
      #expect(try await shop.counts() == [["1", "\(Self.rows)"]])
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["1"]])
      #expect(try await shop.sql("select count(*) from ironforge.job_chunks") == [["0"]])
    }
  }

  /// The process dies when the run is done, before or while somebody is told: the same command tells that end, and counts
  /// nothing again. The one after it is another run.
  @Test(arguments: ["job-finished:1", "job-reported:1"], [false, true])
  func anEndThatNobodyHeardOfIsToldAgain(point: String, byResume: Bool) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(100)
      try await shop.sql("alter table counters add check (n < 1 or id <> 7)")
      let options = Workshop.increment + ["--json"]
      let killed = try await shop.job(arguments: options, env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "debug builds know \(point): \(killed)")
      #expect(killed.stdout.isEmpty == (point == "job-finished:1"))
      #expect(try await shop.status("state") == "done")
      let again = byResume ? ["resume", try await shop.latestRun(), "--json"] : options
      let killedAgain = try await shop.job(arguments: again, env: ["IRONFORGE_FAULT": point])
      #expect(killedAgain.exitCode == 128 + SIGKILL && killedAgain.stdout == killed.stdout, "\(killedAgain)")
      let rehearsed = try await shop.job(arguments: Workshop.increment + ["--dry-run"])
      #expect(rehearsed.exitCode == 3 && rehearsed.stdout.contains("A real run tells how"), "\(rehearsed)")
      let told = try await shop.job(arguments: again)
      #expect(told.exitCode == 3 && told.stderr.contains("nothing is done again"), "\(told)")
      #expect(value("done", in: told.stdout) == "100" && value("failed_count", in: told.stdout) == "1")
      if point == "job-reported:1" { #expect(told.stdout == killed.stdout) }
      #expect(try await shop.counts() == [["0", "1"], ["1", "99"]])
      if byResume {
        let refused = try await shop.job(arguments: again)
        #expect(value("code", in: refused.stderr) == "job_run_finished", "\(refused)")
      }
      let next = try await shop.job(arguments: options)
      #expect(
        next.exitCode == 3 && value("run", in: next.stdout) != value("run", in: told.stdout), "\(next)")
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["2"]])
    }
  }

  /// A chunk is cut in two, and the process dies in between.
  @Test func aProcessThatDiesWhileItIsolatesABadRowLosesNone() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(400)
      try await shop.sql("alter table counters add check (n < 1 or id not in (7, 1400))")
      let options = Workshop.increment + ["--chunk-size", "64", "--concurrency", "3", "--json"]
      for count in [1, 3, 4, 2] {
        let killed = try await shop.job(arguments: options, env: ["IRONFORGE_FAULT": "job-split:\(count)"])
        #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      }
      let finished = try await shop.job(arguments: options)
      #expect(finished.exitCode == 3 && value("failed_count", in: finished.stdout) == "2", "\(finished)")
      #expect(value("done", in: finished.stdout) == "400")
      #expect(try await shop.counts() == [["0", "2"], ["1", "398"]])
    }
  }

  /// SIGKILL at random moments, while backends are terminated at random as well.
  @Test func randomDeathsOfProcessesAndBackends() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(Self.rows)
      // A chunk takes a while, so that most deaths come in the middle of one.
      try await shop.sql(
        """
        create function slowly() returns trigger language plpgsql
        as 'begin perform pg_sleep(0.0005); return new; end';
        create trigger slowly before update on counters for each row execute function slowly()
        """)
      let options = Workshop.increment + ["--chunk-size", "25", "--concurrency", "5", "--json"]
      let seed = UInt64.random(in: 0...(.max))
      var deaths = 0
      var last: ProgramResult?
      while last?.exitCode != 0 {
        let running = try await shop.start(options)
        let isMeantToDie = deaths < 8
        let waits = (0..<3).map { _ in Int.random(in: 20...150) }
        for wait in waits {
          try await Task.sleep(for: .milliseconds(wait))
          try await shop.sql(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and application_name like 'ironforge%' and random() < 0.3
            """)
        }
        if isMeantToDie {
          deaths += 1
          // Also when the run is done already: what then starts must tell that, and count nothing again.
          running.kill()
        }
        last = try await running.finish()
        let counts = try await shop.counts()
        #expect(counts.allSatisfy { ["0", "1"].contains($0[0]) }, "\(counts), seed \(seed)")
        // A connection that is terminated before the run has begun is an error: nothing is there to be saved.
        guard let code = last?.exitCode, [0, 69, 128 + SIGKILL].contains(code) else {
          Issue.record("it gave up: \(String(describing: last))")
          break
        }
      }
      #expect(try await shop.counts() == [["1", "\(Self.rows)"]])
      #expect(try await shop.status("done") == "\(Self.rows)")
    }
  }

  /// The whole server crashes under a run, which goes on by itself.
  @Test func aRunOutlivesACrashOfTheServer() async throws {
    try await withPrivatePostgres { server in
      let shop = Workshop(database: try await Town(on: server).database)
      try await shop.makeCounters(Self.rows)
      // However slow this machine is, the run cannot come to its end before the crash.
      let holder = try await Holder(shop, "select from counters where id = \(7 * Self.rows) for update")
      let running = try await shop.start(
        Workshop.increment + ["--chunk-size", "10", "--concurrency", "3", "--max-rate", "1500", "--json"])
      try await shop.wait("select count(*) > 200 from counters where n = 1", timeout: .seconds(90))
      try await server.restart(mode: .immediate)
      try await holder.release()
      let result = try await running.finish(timeout: .seconds(120))
      #expect(result.exitCode == 0 && result.stderr.contains("trying again"), "\(result)")
      #expect(try await shop.counts() == [["1", "\(Self.rows)"]])
      #expect(value("attempt", in: result.stdout) == "1")
    }
  }

  /// The answer to COMMIT is lost: whether the chunk was done stands in the database, and only there.
  @Test(arguments: [true, false])
  func aLostCommitIsSettledByTheChunk(replyIsLost: Bool) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(1000)
      let proxy = try Proxy(to: shop.database.address)
      let commit: [UInt8] = [0] + Array("commit".utf8) + [0]
      // Slow enough to be struck again and again.
      let running = try await shop.start(
        Workshop.increment + ["--chunk-size", "2", "--concurrency", "2", "--max-rate", "10", "--json"],
        url: proxy.url(database: shop.database.name))
      let run = try await shop.latestRun()
      for _ in 1...3 {
        let before = proxy.strikes
        // Prepared statements travel by name: the text of COMMIT is there to be seen on new connections.
        proxy.set(replyIsLost ? .loseReply(needle: commit) : .loseRequest(needle: commit))
        proxy.cutAll()
        let deadline = Deadline.after(.seconds(40))
        while proxy.strikes == before, !deadline.hasPassed { try await Task.sleep(for: .milliseconds(10)) }
        #expect(proxy.strikes > before)
      }
      try running.signal(SIGTERM)
      #expect(try await running.finish().exitCode == 143)
      let resumed = try await shop.job("resume", run, "--max-rate", "1000000", "--json")
      #expect(resumed.exitCode == 0 && value("affected", in: resumed.stdout) == "1000", "\(resumed)")
      #expect(try await shop.counts() == [["1", "1000"]])
    }
  }

  /// Two processes start the same job at the same moment, many times over.
  @Test func twoProcessesDoNotRunTheSameJob() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(500)
      let options =
        Workshop.increment + ["--chunk-size", "20", "--concurrency", "2", "--max-rate", "400", "--json"]
      let results = try await withThrowingTaskGroup(of: ProgramResult.self) { group in
        for _ in 0..<4 { group.addTask { try await shop.job(arguments: options) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.filter { $0.exitCode == 0 }.count == 1, "\(results)")
      let refused = results.filter { $0.exitCode == 75 }
      #expect(refused.count == 3 && refused.allSatisfy { value("code", in: $0.stderr) == "job_running" })
      #expect(try await shop.counts() == [["1", "500"]])
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["1"]])
    }
  }
}
