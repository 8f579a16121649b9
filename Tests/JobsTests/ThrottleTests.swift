import Primitives
import TestSupport
import Testing

@testable import Jobs

/// What slows a run down, as values.
@Suite struct ThrottleValueTests {
  private let second: Int64 = 1_000_000_000

  @Test func theRateIsKeptHoweverOftenItIsAsked() {
    for step in [Int64(1_000_000), 50_000_000, 240_000_000] {
      var limiter = RateLimiter(rowsPerSecond: 1000)
      var rows: Int64 = 0
      var now: Int64 = 5
      while now < 10 * second {
        while limiter.admits(at: now) {
          limiter.take(50, at: now)
          rows += 50
        }
        now += step
      }
      #expect((9_900...10_400).contains(rows), "\(rows) at steps of \(step)")
    }
  }

  @Test func aPauseIsNotMadeUpFor() {
    var limiter = RateLimiter(rowsPerSecond: 100)
    limiter.take(100, at: 0)
    #expect(!limiter.admits(at: second / 2) && limiter.admits(at: second))
    var rows = 0
    while limiter.admits(at: 100 * second) {
      limiter.take(10, at: 100 * second)
      rows += 10
    }
    #expect(rows <= 40, "a quarter of a second is kept, and a chunk more")
  }

  @Test func lagIsMeasuredInTimeEvenWhereTheServerSaysNothing() {
    var lag = StandbyLag()
    func report(_ written: Int64, _ replayed: Int64?, _ reported: Double? = nil) -> StandbyReport {
      StandbyReport(written: written, replayed: replayed, reported: reported)
    }
    #expect(lag.update(report(100, nil), at: 0) == nil)
    #expect(lag.update(report(100, 100), at: second) == 0)
    // WAL up to 200 was written at 2 s and is not replayed at 7 s.
    #expect(lag.update(report(200, 150), at: 2 * second) == 0)
    #expect(lag.update(report(300, 150), at: 5 * second) == 3)
    #expect(lag.update(report(300, 150), at: 7 * second) == 5)
    #expect(lag.update(report(300, 250), at: 8 * second) == 3)
    #expect(lag.update(report(300, 250, 60), at: 8 * second) == 60)
    #expect(lag.update(report(300, 300, 60), at: 9 * second) == 0, "all is replayed: what is reported is old")
  }

  @Test func theGovernorNamesTheMostImportantReason() {
    var governor = Governor(RunSettings(maxRate: 10, maxLagSeconds: 2))
    #expect(governor.throttle(at: 0) == nil)
    governor.take(10, at: 0)
    #expect(governor.throttle(at: 0) == .rate(10))
    governor.lockWaits = 2
    #expect(governor.throttle(at: 0) == .lockWaits(2))
    governor.lag = 2
    #expect(governor.throttle(at: 0) == .lockWaits(2))
    governor.lag = 2.5
    #expect(governor.throttle(at: 0) == .replicaLag(seconds: 2.5, limit: 2))
    governor.isReplicaUnreachable = true
    #expect(governor.throttle(at: 0) == .replicaUnreachable)
    governor.isOwner = false
    #expect(governor.throttle(at: 0) == .ownership)
    governor.isPaused = true
    #expect(governor.throttle(at: 0) == .paused)
    var plain = Governor(RunSettings())
    plain.lag = 1e9
    #expect(plain.throttle(at: 0) == nil, "lag that nobody asked about")
  }

  @Test func theMeterForgets() {
    var meter = RateMeter()
    for tick in 0...40 { meter.update(done: Int64(tick) * 25, at: Int64(tick) * second / 4) }
    #expect((99...101).contains(meter.rowsPerSecond))
    for tick in 1...160 { meter.update(done: 1000, at: (10 * second) + Int64(tick) * second / 4) }
    #expect(meter.rowsPerSecond < 5)
  }

  @Test func chunksThatRestAreLeftOut() {
    func task(_ number: Int64, notBefore: Int64) -> ChunkTask {
      let chunk = Chunk(run: Identifier(high: 0, low: 0), number: number, first: [], last: [], rows: 1)
      return ChunkTask(chunk: chunk, notBefore: notBefore)
    }
    var queue = ChunkQueue()
    queue.putBack(task(2, notBefore: 100))
    queue.putBack(task(1, notBefore: 200))
    #expect(queue.isResting(at: 50) && queue.next(at: 50) == nil)
    #expect(queue.next(at: 150)?.chunk.number == 2)
    #expect(queue.next(at: 150) == nil && queue.next(at: 200)?.chunk.number == 1)
    #expect(queue.isEmpty && !queue.isResting(at: 0))
  }

  @Test(arguments: [
    ("Seq Scan on t  (cost=0.00..35.50 rows=2550 width=4)", Int64(2550)), ("nothing", nil),
    ("rows=99999999999999999999", nil),
  ])
  func anEstimateIsReadOutOfAPlan(line: String, rows: Int64?) {
    #expect(KeySource.rows(inPlan: line) == rows)
  }
}

/// What slows a run down, on real servers.
@Suite struct ThrottleTests {
  private static let options = Workshop.increment + ["--chunk-size", "10", "--concurrency", "2", "--json"]

  /// Somebody waits for a row that the run has locked: no chunk is started until he has it.
  @Test func othersThatWaitForOurLocksComeFirst() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(100)
      // The first chunk keeps its locks until it is told, the others for no time.
      try await shop.sql(
        """
        create table public.told (yes bool);
        create function public.linger(first bigint) returns void language plpgsql as
        $$ begin
          while first = 7 and not exists (select from told) loop perform pg_sleep(0.02); end loop;
        end $$
        """)
      let running = try await shop.start([
        "run", "sql", "--table", "counters", "--key", "id", "--chunk-size", "10", "--concurrency", "1",
        "--json",
        "--statement",
        """
        with changed as (update counters set n = n + 1 where id = any($1) returning id)
        select linger(min(id)) from changed
        """,
      ])
      try await shop.wait(
        "select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
      )
      async let waiting = shop.sql("select n from counters where id = 7 for update")
      try await shop.wait("select throttled_by = 'lock_waits' from ironforge.job_runs")
      #expect(try await shop.status("throttle_detail") == "1 other session waits for locks of this run")
      try await shop.sql("insert into told values (true)")
      #expect(try await waiting == [["1"]])
      let result = try await running.finish()
      #expect(result.exitCode == 0 && value("throttled_by", in: result.stdout) == "null", "\(result)")
      #expect(try await shop.counts() == [["1", "100"]])
    }
  }

  /// A configured replica that cannot be asked holds the run up, visibly, until it can.
  @Test func aReplicaThatCannotBeAskedHoldsTheRunUp() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(100)
      let proxy = try Proxy(to: shop.database.address)
      proxy.accept(false)
      let directory = try TemporaryDirectory("replica")
      let config = try directory.write(
        "[database]\nreplicas = [\"\(proxy.url(database: shop.database.name))\"]\n", to: "ironforge.toml")
      let running = try await shop.start(Self.options + ["--max-lag", "5", "--config", config])
      try await shop.wait("select throttled_by = 'replica_unreachable' from ironforge.job_runs")
      #expect(try await shop.sql("select count(*) < 100 from counters where n = 1") == [["t"]])
      proxy.accept(true)
      let result = try await running.finish()
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.counts() == [["1", "100"]])
    }
  }

  /// A real standby whose replay is stopped: the run waits for it, and says why.
  @Test func aRunWaitsForAStandbyThatIsBehind() async throws {
    try await withPrivatePostgres { server in
      let shop = Workshop(database: try await Town(on: server).database)
      try await shop.makeCounters(3000)
      try await withStandby(of: server) { standby in
        try await standby.sql("select pg_wal_replay_pause()", database: "postgres")
        let running = try await shop.start(Self.options + ["--max-lag", "1", "--max-rate", "400"])
        try await shop.wait(
          "select throttled_by = 'replica_lag' from ironforge.job_runs", timeout: .seconds(40))
        // Chunks that were in flight end, and then nothing moves.
        var (before, counts) = ([[String]](), try await shop.counts())
        let deadline = Deadline.after(.seconds(30))
        while counts != before, !deadline.hasPassed {
          before = counts
          try await Task.sleep(for: .seconds(2))
          counts = try await shop.counts()
        }
        #expect(counts == before && counts.count == 2, "\(before), then \(counts)")
        #expect(try await shop.status("throttle_detail")?.contains("behind") == true)
        try await standby.sql("select pg_wal_replay_resume()", database: "postgres")
        try await shop.wait("select throttled_by is distinct from 'replica_lag' from ironforge.job_runs")
        #expect(try await shop.job("cancel", try await shop.latestRun()).exitCode == 0)
        #expect(try await running.finish().exitCode == 143)
      }
    }
  }
}
