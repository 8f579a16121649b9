import Primitives
import Redis
import TestSupport
import Testing

/// Fences on a Redis Cluster: keys on three masters, the registry on one of them.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FenceClusterTests {
  private static func environment(_ cluster: RedisCluster, _ node: Int) throws -> [String: String] {
    guard case .tcp(let host, let port) = try cluster.endpoint(node).address else {
      throw TestFailure("a node without a port")
    }
    return ["IRONFORGE_REDIS_URL": "redis://\(host):\(port)", "IRONFORGE_REDIS_CLUSTER": "true"]
  }

  /// Caches every wallet.
  private static func plant(_ town: Town, _ cluster: RedisCluster) async throws -> [String] {
    let keys = try await town.database.sql("select 'wallet:' || id from wallets order by id").map { $0[0] }
    try await blocking {
      let session = try cluster.cluster()
      defer { session.close() }
      for key in keys { try session.execute("SET", .text(key), "planted") }
    }
    return keys
  }

  /// How many of the keys have lost their value and have a fence.
  private static func fenced(_ keys: [String], _ cluster: RedisCluster) async throws -> Int {
    try await blocking {
      let session = try cluster.cluster()
      defer { session.close() }
      return try keys.count { key in
        let value = try session.execute("GET", .text(key)).text()
        return try value == nil && session.execute("EXISTS", .text("fence:{\(key)}")).integer() == 1
      }
    }
  }

  /// A batch whose keys lie all over the cluster.
  private static func batch(_ town: Town, wallets: Int, _ directory: TemporaryDirectory) async throws
    -> String
  {
    try await town.database.sql(
      "insert into wallets (user_id, name) select id, 'w' || n from users, generate_series(1, \(wallets)) n")
    let rows = (1...wallets).map { "k\($0),ada@example.com/bank,ada@example.com/w\($0),1,USD" }
    return try directory.write(
      "key,from,to,amount,currency\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
  }

  @Test func keysOfAllNodesAreFenced() async throws {
    let cluster = try await blocking { try RedisCluster.shared() }
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try await Self.batch(town, wallets: 600, directory)
      let keys = try await Self.plant(town, cluster)
      let env = try Self.environment(cluster, 0)
      let result = try await town.run("transfer", "batch", file, "--json", env: env)
      #expect(result.exitCode == 0 && !result.stderr.contains("warning"), "\(result)")
      // All but the two that the batch does not name.
      #expect(try await Self.fenced(keys, cluster) == 601)
      #expect(try await town.database.sql("select count(*) from ironforge.cache_outbox") == [["0"]])
    }
  }

  /// A master dies: money moves at once, and what it could not be told is told to its successor.
  @Test func aFailoverIsSurvived() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { cluster in
      try await withTown { town in
        let directory = try TemporaryDirectory("batch")
        let file = try await Self.batch(town, wallets: 100, directory)
        let keys = try await Self.plant(town, cluster)
        let env = try Self.environment(cluster, 0)
        cluster.kill(1)
        let start = monotonicNanoseconds()
        let result = try await town.run("transfer", "batch", file, "--json", env: env)
        let elapsed = Duration.nanoseconds(monotonicNanoseconds() - start)
        #expect(result.exitCode == 0 && value("created", in: result.stdout) == "100", "\(result)")
        #expect(elapsed < .seconds(10), "\(elapsed)")
        try await waitUntil("the cluster is whole, and told") {
          let sent = try await town.send("next \(monotonicNanoseconds())", env: env)
          #expect(sent.exitCode == 0, "\(sent)")
          return try await town.database.sql("select count(*) from ironforge.cache_outbox") == [["0"]]
        }
        #expect(try await Self.fenced(keys, cluster) >= 101)
        let verified = try await town.run("ledger", "verify")
        #expect(verified.exitCode == 0, "\(verified)")
      }
    }
  }
}
