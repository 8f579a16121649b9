import Foundation
import Primitives
import Redis
import TestSupport
import Testing

/// Whatever is wrong with Redis, money moves, once, in time; what the cache was not told is noted, and told later.
@Suite struct RedisTroubleTests {
  /// What is wrong.
  enum Trouble: String, CaseIterable, Sendable {
    case killed, stopped, full, wrongPassword, replica, unreachable, noPermission
  }

  /// Makes the trouble, runs `body` with the URL that a command has then, and ends it.
  private static func with(
    _ trouble: Trouble, _ cached: CachedTown, _ body: (String) async throws -> Void
  ) async throws {
    let redis = cached.redis
    func configure(_ words: Argument...) async throws {
      let command = Command([.text("CONFIG"), .text("SET")] + words)
      try await cached.ask { try $0.execute(command) }
    }
    switch trouble {
    case .killed:
      try await redis.stop()
      try await body(redis.url)
      try await redis.start()
    case .stopped:
      try redis.signal(SIGSTOP)
      try await body(redis.url)
      try redis.signal(SIGCONT)
    case .full:
      try await configure("maxmemory", 1, "maxmemory-policy", "noeviction")
      try await body(redis.url)
      try await configure("maxmemory", 0)
    case .wrongPassword:
      // A login that the server does not know.
      try await body("unix://nobody:wrong@\(redis.socket)")
    case .replica:
      try await cached.ask { try $0.execute("REPLICAOF", "127.0.0.1", "1") }
      try await body(redis.url)
      try await cached.ask { try $0.execute("REPLICAOF", "NO", "ONE") }
    case .unreachable:
      let proxy = try Proxy(to: .unix(redis.socket))
      proxy.set(.hang)
      try await body("redis://127.0.0.1:\(proxy.port)")
    case .noPermission:
      try await cached.ask {
        try $0.execute("ACL", "SETUSER", "reader", "on", ">secret", "allkeys", "+@read", "+@connection")
      }
      try await body("unix://reader:secret@\(redis.socket)")
    }
  }

  /// Redis may be slow for 500 ms and PostgreSQL for as long as it likes on a machine full of tests; without a bound of
  /// their own fences would wait for 5 s, each.
  private static let bound: Duration = .seconds(4)

  @Test(arguments: Trouble.allCases)
  func moneyMovesAndTheNextCommandDrains(trouble: Trouble) async throws {
    try await withCachedTown { cached in
      let planted = try await cached.plant()
      try await Self.with(trouble, cached) { url in
        for (round, words) in [
          CachedTown.sending("a"), CachedTown.sending("b", to: "savings") + ["--quiet"],
        ].enumerated() {
          let start = monotonicNanoseconds()
          let sent = try await cached.run(words, redis: url)
          let elapsed = Duration.nanoseconds(monotonicNanoseconds() - start)
          #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
          let warnings = sent.stderr.split(separator: "\n").filter { $0.contains("\"warning\"") }
          #expect(warnings.count == 1 && sent.stderr.contains("outbox"), "round \(round): \(sent)")
          #expect(!sent.stderr.contains("secret") && !sent.stderr.contains("wrong@"))
          #expect(elapsed < Self.bound, "round \(round) took \(elapsed)")
        }
        #expect(try await cached.outbox() == ["bank", "main", "savings"])
      }
      #expect(try await cached.town.balance("main") == "1.00")
      // A killed server comes back empty: what was planted is gone without a fence.
      let changed = trouble == .killed ? try await cached.plant() : planted
      let next = try await cached.run("wallet", "freeze", "ada@example.com/savings")
      #expect(next.exitCode == 0 && next.stderr == "", "\(next)")
      #expect(try await cached.outbox() == [])
      let since = CachedTown.Planted(changed, from: planted)
      #expect(try await cached.fenced(since: since) == ["bank", "main", "savings"])
    }
  }

  @Test func theJobDrainsAll() async throws {
    try await withCachedTown { cached in
      let planted = try await cached.plant()
      for round in 1...3 {
        _ = try await cached.run(CachedTown.sending("k\(round)"), redis: "unix:///nonexistent")
      }
      // Rows as a long outage leaves them; a name that is no key of ours does no harm.
      try await cached.town.database.sql(
        """
        insert into ironforge.cache_outbox (keys)
        select array['wallet:' || (select id from wallets where name = 'savings'), 'no {key}'] from generate_series(1, 2500)
        """)
      let down = try await cached.run(["job", "run", "drain-outbox", "--json"], redis: "unix:///nonexistent")
      #expect(down.exitCode == 69 && value("code", in: down.stderr) == "redis_unreachable", "\(down)")
      let plan = try await cached.run("job", "run", "drain-outbox", "--dry-run", "--json")
      #expect(plan.exitCode == 0 && value("rows", in: plan.stdout) == "2503", "\(plan)")
      #expect(try await cached.fenced(since: planted) == [])
      let directory = try TemporaryDirectory("metrics")
      let drained = try await cached.run(
        "job", "run", "drain-outbox", "--json", "--metrics-file", directory.file("d.prom"))
      #expect(drained.exitCode == 0 && value("affected", in: drained.stdout) == "2503", "\(drained)")
      #expect(try await cached.outbox() == [])
      #expect(try await cached.fenced(since: planted) == ["bank", "main", "savings"])
      let metrics = try String(contentsOfFile: directory.file("d.prom"), encoding: .utf8)
      #expect(
        metrics.contains("ironforge_last_run_items{command=\"job run drain-outbox\",file=\"d.prom\"} 2503"))
      let none = try await cached.run(["job", "run", "drain-outbox"], redis: nil)
      #expect(none.exitCode == 78, "\(none)")
    }
  }

  /// A command drains others' rows for so long, and leaves the rest.
  @Test func aCommandDrainsSomeOfALongOutbox() async throws {
    try await withCachedTown { cached in
      try await cached.town.database.sql(
        """
        insert into ironforge.cache_outbox (keys)
        select array(select 'wallet:' || id from wallets) from generate_series(1, 3000)
        """)
      let sent = try await cached.run(CachedTown.sending("k"), redis: cached.redis.url)
      #expect(sent.exitCode == 0 && sent.stderr == "", "\(sent)")
      let left = try await cached.town.database.sql(
        "select count(*), bool_or(xid::text = (select xmin::text from transfers where key = 'k')) from ironforge.cache_outbox"
      )
      let rest = try #require(Int(left[0][0]))
      #expect((2000..<3000).contains(rest), "\(rest) are left")
      // Its own row was the first to go.
      #expect(left[0][1] == "f")
    }
  }

  /// Between fence and COMMIT the server dies: the change is noted after the COMMIT, under its number.
  @Test func aServerThatDiesBeforeTheCommitIsToldLater() async throws {
    try await withCachedTown { cached in
      let lock = try TransfersLock(cached.town)
      let planted = try await cached.plant()
      async let sending = cached.run(
        CachedTown.sending("k"), redis: cached.redis.url,
        env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "60"])
      try await waitForWaiters(1, cached.town)
      try await waitUntil("the fence is raised") {
        try await cached.fenced(since: planted) == ["bank", "main"]
      }
      try await cached.redis.stop()
      lock.release()
      let sent = try await sending
      #expect(sent.exitCode == 0 && sent.stderr.contains("outbox"), "\(sent)")
      let rows = try await cached.town.database.sql(
        "select cardinality(keys), xid::text = (select xmin::text from transfers where key = 'k') from ironforge.cache_outbox"
      )
      #expect(rows == [["2", "t"]])
    }
  }

  /// A server that does not answer costs a batch of many chunks its time once.
  @Test(arguments: [[], ["--atomic"]]) func aSlowServerCostsABatchOnce(words: [String]) async throws {
    try await withCachedTown { cached in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...300).map { "k\($0),ada@example.com/bank,ada@example.com/main,1,USD" }
      let file = try directory.write(
        "key,from,to,amount,currency\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
      let planted = try await cached.plant()
      try cached.redis.signal(SIGSTOP)
      let start = monotonicNanoseconds()
      let result = try await cached.run(
        ["transfer", "batch", file, "--chunk-size", "5", "--json"] + words, redis: cached.redis.url)
      let elapsed = Duration.nanoseconds(monotonicNanoseconds() - start)
      try cached.redis.signal(SIGCONT)
      #expect(result.exitCode == 0 && value("created", in: result.stdout) == "300", "\(result)")
      #expect(result.stderr.split(separator: "\n").count == 1, "\(result)")
      // 60 chunks at 500 ms would be half a minute.
      #expect(elapsed < .seconds(15), "\(elapsed)")
      #expect(try await cached.outbox() == ["bank", "main"])
      let next = try await cached.run("job", "run", "drain-outbox")
      #expect(next.exitCode == 0, "\(next)")
      #expect(try await cached.fenced(since: planted) == ["bank", "main"])
    }
  }

  /// A restart in the middle of a batch: the rest is noted, or fenced again, and nothing is left when all is over.
  @Test func aRestartInTheMiddleOfABatchIsSurvived() async throws {
    try await withCachedTown { cached in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...1500).map { "k\($0),ada@example.com/bank,ada@example.com/main,1,USD" }
      let file = try directory.write(
        "key,from,to,amount,currency\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
      async let batch = cached.run(
        ["transfer", "batch", file, "--chunk-size", "2", "--json"], redis: cached.redis.url)
      try await waitUntil("some rows are done") {
        try await cached.town.database.sql("select count(*) > 50 from transfers") == [["t"]]
      }
      try await cached.redis.stop()
      try await cached.redis.start()
      let result = try await batch
      #expect(result.exitCode == 0 && value("created", in: result.stdout) == "1500", "\(result)")
      let planted = try await cached.plant()
      let next = try await cached.run(CachedTown.sending("last", to: "savings"), redis: cached.redis.url)
      #expect(next.exitCode == 0 && next.stderr == "", "\(next)")
      #expect(try await cached.outbox() == [])
      #expect(try await cached.fenced(since: planted).isSuperset(of: ["bank", "savings"]))
    }
  }

  /// Eight workers of a job share one connection, and one outage.
  @Test func aSlowServerCostsAJobOnce() async throws {
    try await withCachedTown { cached in
      _ = try await cached.town.send("fund", "100")
      let directory = try TemporaryDirectory("holds")
      let rows = (1...60).map { "hold,h\($0),ada@example.com/main,ada@example.com/savings,1,USD" }
      let file = try directory.write(
        "kind,key,from,to,amount,currency\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
      #expect(try await cached.town.run("transfer", "batch", file).exitCode == 0)
      let planted = try await cached.plant()
      try cached.redis.signal(SIGSTOP)
      let start = monotonicNanoseconds()
      let settled = try await cached.run("job", "run", "settle-pending", "--chunk-size", "2", "--json")
      let elapsed = Duration.nanoseconds(monotonicNanoseconds() - start)
      try cached.redis.signal(SIGCONT)
      #expect(settled.exitCode == 0 && value("affected", in: settled.stdout) == "60", "\(settled)")
      #expect(elapsed < .seconds(12), "\(elapsed)")
      #expect(try await cached.outbox() == ["main", "savings"])
      let next = try await cached.run(CachedTown.sending("k", to: "savings"), redis: cached.redis.url)
      #expect(next.exitCode == 0 && next.stderr == "", "\(next)")
      #expect(try await cached.fenced(since: planted) == ["bank", "main", "savings"])
    }
  }
}
