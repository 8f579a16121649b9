import Primitives
import Redis
import TestSupport
import Testing

/// `--from-replica`: rows out of a standby that lags never come before those that are newer.
@Suite(.timeLimit(.minutes(3)))
struct CacheReplicaTests {
  /// A server that nobody listens on, which comes first in the list, and the standby.
  private func replicas(_ standby: PostgresAddress) -> [String: String] {
    [
      "IRONFORGE_DATABASE_REPLICAS": "postgresql://127.0.0.1:1/none;\(standby.url(database: "ironforge"))"
    ]
  }

  private func withReplicatedTown(_ body: (CachedTown, PostgresAddress) async throws -> Void) async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      try await withStandby(of: server) { standby in
        // `withRedis` would wait for a slot while it holds one.
        let redis = try await PrivateRedis()
        let outcome: Result<Void, any Error>
        do {
          outcome = .success(try await body(CachedTown(town: town, redis: redis), standby))
        } catch {
          outcome = .failure(error)
        }
        try await redis.destroy()
        try outcome.get()
      }
    }
  }

  /// What another program would read.
  private func stored(_ key: String, in town: CachedTown) async throws -> String? {
    try await town.command("GET", .text(key)).text()
  }

  private func lag(_ isPaused: Bool, _ standby: PostgresAddress) async throws {
    let verb = isPaused ? "pause" : "resume"
    try await standby.sql("select pg_wal_replay_\(verb)()", database: "ironforge")
    let deadline = Deadline.after(.seconds(30))
    let state = isPaused ? "paused" : "not paused"
    while try await standby.sql("select pg_get_wal_replay_pause_state()", database: "ironforge") != [[state]]
    {
      if deadline.hasPassed { throw TestFailure("the standby is not \(state)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test func whatAStandbyHasNotSeenIsNotPutBack() async throws {
    try await withReplicatedTown { town, standby in
      let env = replicas(standby)
      let key = try await town.key(ofWallet: "main")
      // Redis is new: it is vouched for by the primary, as a standby gives out no numbers.
      let first = try await town.run("cache", "warmup", "--from-replica", "--json", env: env)
      #expect(first.exitCode == 0 && value("written", in: first.stdout) == "4", "\(first)")
      #expect(try await stored(key, in: town)?.contains("\"main\"") == true)
      #expect(try await town.run("cache", "audit", "--all").exitCode == 0)

      try await lag(true, standby)
      #expect(try await town.run("wallet", "rename", "ada@example.com/main", "till").exitCode == 0)
      #expect(try await stored(key, in: town) == nil)
      for _ in 0..<2 {
        let read = try await town.run("cache", "get", key, "--from-replica", "--json", env: env)
        #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "database", "\(read)")
        // That it comes from the standby shows by its age.
        #expect(read.stdout.contains("\"name\":\"main\""))
        #expect(try await stored(key, in: town) == nil)
      }
      // The other two wallets have no history of their own, and wait for all that fences.
      let refused = try await town.run(
        "cache", "warmup", "--scope", "wallets", "--from-replica", "--json", env: env)
      #expect(refused.exitCode == 3 && value("refused", in: refused.stdout) == "3", "\(refused)")
      #expect(refused.stderr.contains("the replica must have seen its end"))
      #expect(try await stored(key, in: town) == nil)
      #expect(try await stored(try await town.key(ofWallet: "bank"), in: town) != nil)
      // A newer value, loaded from the primary, stays.
      #expect(try await town.run("cache", "get", key).exitCode == 0)
      let newer = try #require(try await stored(key, in: town))
      #expect(newer.contains("\"till\""))
      #expect(try await town.run("cache", "warmup", "--from-replica", "--quiet", env: env).exitCode == 3)
      #expect(try await stored(key, in: town) == newer)

      try await lag(false, standby)
      try await expectItCatchesUp(key, town, env)
    }
  }

  private func expectItCatchesUp(_ key: String, _ town: CachedTown, _ env: [String: String]) async throws {
    let deadline = Deadline.after(.seconds(30))
    #expect(try await town.run("cache", "invalidate", key).exitCode == 0)
    while try await stored(key, in: town) == nil, !deadline.hasPassed {
      #expect(try await town.run("cache", "get", key, "--from-replica", env: env).exitCode == 0)
    }
    let warm = try await town.run("cache", "warmup", "--from-replica", "--json", env: env)
    #expect(warm.exitCode == 0 && value("refused", in: warm.stdout) == "0", "\(warm)")
    let read = try await town.run("cache", "get", key, "--from-replica", "--json", env: env)
    #expect(value("tier", in: read.stdout) == "l2" && read.stdout.contains("\"name\":\"till\""), "\(read)")
    #expect(try await town.run("cache", "audit", "--all").exitCode == 0)
  }

  @Test func whatIsNoStandbyIsRefused() async throws {
    try await withCachedTown { town in
      let key = try await town.keyOfAda()
      let cases: [(replicas: String?, exitCode: Int32, code: String)] = [
        (nil, 78, "replicas_not_configured"),
        ("postgresql://127.0.0.1:1/none;postgresql://127.0.0.1:2/none", 69, "replicas_unreachable"),
        // Promoted, or never a standby: the numbers of its transactions may be its own.
        (town.database.url, 78, "replica_not_standby"),
      ]
      for expected in cases {
        let env = expected.replicas.map { ["IRONFORGE_DATABASE_REPLICAS": $0] } ?? [:]
        for words in [["get", key], ["warmup"]] {
          let result = try await town.town.run(
            ["cache"] + words + ["--from-replica", "--json"],
            env: env.merging(["IRONFORGE_REDIS_URL": town.redis.url]) { given, _ in given })
          #expect(result.exitCode == expected.exitCode && result.stdout == "", "\(words) \(result)")
          #expect(value("code", in: result.stderr) == expected.code)
          #expect(value("hint", in: result.stderr) != nil)
        }
        #expect(try await stored(key, in: town) == nil)
      }
    }
  }
}
