import Cache
import Redis
import TestSupport
import Testing
import WalletCache

/// The cache's commands on a Redis Cluster of six nodes.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CacheClusterTests {
  private func environment(_ cluster: RedisCluster) throws -> [String: String] {
    guard case .tcp(let host, let port) = try cluster.endpoint(0).address else {
      throw TestFailure("a node without a port")
    }
    return ["IRONFORGE_REDIS_URL": "redis://\(host):\(port)", "IRONFORGE_REDIS_CLUSTER": "true"]
  }

  /// With an early horizon, as in `withCachedTown`.
  private func vouch(_ cluster: RedisCluster) async throws {
    let isTrusted = try await blocking {
      try FencedStore().establish(
        TrustedServers(CachedTable.keys), in: cluster.cluster()
      ) { TransactionID(3) }
    }
    guard isTrusted else { throw TestFailure("the cluster is not trusted") }
  }

  @Test func everyCommandGoesToTheRightNode() async throws {
    let cluster = try RedisCluster.shared()
    try await vouch(cluster)
    let env = try environment(cluster)
    try await withTown { town in
      try await town.database.sql(
        "insert into users (email) select n || '@example.com' from generate_series(1, 500) n")
      let warm = try await town.run("cache", "warmup", "--json", env: env)
      #expect(warm.exitCode == 0 && value("written", in: warm.stdout) == "504", "\(warm.stderr)")
      let audit = try await town.run("cache", "audit", "--all", "--json", env: env)
      #expect(audit.exitCode == 0 && value("fresh", in: audit.stdout) == "504", "\(audit.stdout)")
      let sample = try await town.run("cache", "audit", "--sample", "20", "--json", env: env)
      #expect(sample.exitCode == 0)
      let id = try await town.database.sql("select id from users where email = 'ada@example.com'")[0][0]
      let read = try await town.run("cache", "get", "user:\(id)", "--json", env: env)
      #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "l2")
      #expect(try await town.run("cache", "stats", env: env).exitCode == 0)
      let plan = try await town.run("cache", "invalidate", "--scope", "users", "--json", env: env)
      #expect(plan.stdout.hasPrefix("{\"keys\":501,"))
      let gone = try await town.run("cache", "invalidate", "--scope", "all", "--execute", "--json", env: env)
      #expect(gone.stdout == "{\"keys\":504,\"deleted\":504,\"fenced\":true,\"executed\":true}\n")
    }
  }

  @Test func aWarmupOutlivesAMaster() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { cluster in
      try await vouch(cluster)
      var env = try environment(cluster).mapValues { Optional($0) }
      try await withTown { town in
        try await town.database.sql(
          "insert into users (email) select n || '@example.com' from generate_series(1, 1200) n")
        env["IRONFORGE_DATABASE_URL"] = town.database.url
        env["IRONFORGE_REDIS_COMMAND_TIMEOUT_SECS"] = "20"
        let run = try await Ironforge.start(
          ["cache", "warmup", "--scope", "users", "--rate", "300", "--json"], env: env)
        try await Task.sleep(for: .milliseconds(1500))
        let victim = try #require(try cluster.owner(of: 0, witness: 1))
        cluster.kill(victim)
        let result = try await run.finish()
        #expect(result.exitCode == 0 && value("scanned", in: result.stdout) == "1201", "\(result.stderr)")
        let witness = (victim + 1) % 3
        guard case .tcp(let host, let port) = try cluster.endpoint(witness).address else {
          throw TestFailure("a node of the cluster is reached over TCP")
        }
        let after = try await town.run(
          "cache", "audit", "--all", "--scope", "users", "--fail-on", "stale,orphaned",
          env: ["IRONFORGE_REDIS_URL": "redis://\(host):\(port)", "IRONFORGE_REDIS_CLUSTER": "true"])
        #expect(after.exitCode == 0, "\(after.stderr)")
      }
    }
  }
}
