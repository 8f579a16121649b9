import ConnectionPool
import Histogram
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Bench

/// Real reads through a proxy that holds back the server's answers for a while.
@Suite(.timeLimit(.minutes(3))) struct StallTests {
  /// Lends a pool that reaches a database with wallets through a proxy.
  private static func withStallingDatabase<R: Sendable>(
    _ body: @Sendable (PostgresPool, Proxy) async throws -> R
  ) async throws -> R {
    try await withDatabase(template: .migrated) { database in
      try await database.sql(
        """
        insert into users (id, email, name) values (gen_random_uuid(), 'ada@example.com', 'Ada');
        insert into wallets (id, user_id, name, network, kind)
          select gen_random_uuid(), u.id, 'w' || n, 'internal', 'standard' from users u, generate_series(1, 20) n
        """)
      let proxy = try Proxy(to: database.address)
      let pool = PostgresPool(
        try ConnectionString(proxy.url(database: database.name)),
        configuration: try PoolConfiguration(maxConnections: 4, minConnections: 0))
      let result = try await body(pool, proxy)
      try await pool.drain(deadline: .after(.seconds(10)))
      proxy.stop()
      return result
    }
  }

  /// Runs a load during which the server does not answer for a while, from a moment of the measurement on. A busy machine
  /// makes that later: `hung` is when it was.
  private static func sample(
    _ plan: LoadPlan, stall: Duration, at moment: Duration
  ) async throws -> (sample: LoadSample, hung: Duration) {
    try await withStallingDatabase { pool, proxy in
      let keys = try await BenchKeys(from: pool, limit: 100, skew: .uniform)
      let run = LoadRun(plan)
      async let done: Void = ReadLoad(keys, pool: pool).run(run)
      let begin = Duration.nanoseconds(run.schedule.measuredFrom - monotonicNanoseconds())
      try await Task.sleep(for: begin + moment)
      proxy.set(.hang)
      let hung = Duration.nanoseconds(monotonicNanoseconds() - run.schedule.measuredFrom)
      try await Task.sleep(for: stall)
      proxy.set(.none)
      try await done
      return (run.finish(), hung)
    }
  }

  @Test func aStallShowsInEveryRequestThatWasDueMeanwhile() async throws {
    let plan = LoadPlan(
      connections: 4, warmup: .seconds(1), arrivals: .open([LoadStage(duration: .seconds(5), rate: 50)]))
    let (sample, _) = try await Self.sample(plan, stall: .seconds(1), at: .seconds(2))
    // All that were due, and none forgotten.
    #expect(sample.requests == 250)
    #expect(sample.errors == [:])
    // Fifty were due in the second without answers: they waited for 1 s, 0.98 s, 0.96 s, … With coordinated omission it were one
    // a connection, the four slowest of 250. Noise of the machine only makes more of them slow.
    let slow = sample.latencies.count(within: 500_000_000...LatencyHistogram.nanosecondsMax)
    #expect(slow >= 20, "\(slow) requests took half a second or longer")
    #expect(sample.latencies.milliseconds(at: 95) >= 650)
    #expect(sample.latencies.milliseconds(at: 99) >= 900)
    #expect(sample.latencies.maxMilliseconds >= 970)
    // Seconds, by the time of the answer: there is one with hardly any.
    #expect((sample.intervals.map(\.requests).min() ?? 0) < 50)
    let doubt = try #require(GeneratorDoubt(sample, plan, GeneratorUse()))
    #expect(doubt.sentence.contains("4 connections cannot carry this rate"), "\(doubt.sentence)")
  }

  @Test func whatIsNeverSentIsAnError() async throws {
    let plan = LoadPlan(
      connections: 4, warmup: .seconds(1), arrivals: .open([LoadStage(duration: .seconds(2), rate: 50)]))
    // From the first second to after the end and the second that is given then.
    let (sample, hung) = try await Self.sample(plan, stall: .milliseconds(2300), at: .seconds(1))
    #expect(sample.requests == 100)
    // Of those that were due in the stall four were in flight, and a few of before may not have been answered.
    let due = Int((.seconds(2) - hung) / .milliseconds(20))
    #expect(sample.unsent >= due - 6 && (1...96).contains(sample.unsent), "\(sample.unsent) of \(due)")
    #expect(sample.errors == ["not_sent": sample.unsent])
    let report = LoadReport(
      sample, plan: plan, generator: GeneratorUse(),
      targets: LoadTargets(
        p50Milliseconds: 1e6, p95Milliseconds: 1e6, p99Milliseconds: 1e6, requestsPerSecond: 0,
        errorRate: 0.01,
        availability: 0.99))
    #expect(report.targets.filter { !$0.isOK }.map(\.name) == ["error_rate", "availability"])
  }

  @Test func aServerThatRefusesConnectionsIsCountedAndTheRunEnds() async throws {
    let plan = LoadPlan(connections: 2, warmup: .zero, arrivals: .closed(.seconds(1)))
    let sample = try await Self.withStallingDatabase { pool, proxy in
      let keys = try await BenchKeys(from: pool, limit: 100, skew: .uniform)
      let run = LoadRun(plan)
      async let done: Void = ReadLoad(keys, pool: pool).run(run)
      try await Task.sleep(for: .milliseconds(300))
      proxy.accept(false)
      proxy.cutAll()
      try await done
      return run.finish()
    }
    #expect(sample.requests > sample.errors.values.reduce(0, +))
    #expect(
      sample.errors["connection_failed", default: 0] + sample.errors["connection_lost", default: 0] >= 2,
      "\(sample.errors)")
  }
}
