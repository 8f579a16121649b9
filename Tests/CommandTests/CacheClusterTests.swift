import ArgumentParser
import Cache
import Redis
import TestSupport
import Testing
import WalletCache

@testable import Commands

/// The cache's commands on a Redis Cluster of six nodes.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CacheClusterTests {
  private func environment(_ cluster: RedisCluster) throws -> [String: String] {
    guard case .tcp(let host, let port) = try cluster.endpoint(0).address else {
      throw TestFailure("a node without a port")
    }
    return ["IRONFORGE_REDIS_URL": "redis://\(host):\(port)", "IRONFORGE_REDIS_CLUSTER": "true"]
  }

  @Test func everyCommandGoesToTheRightNode() async throws {
    let cluster = try RedisCluster.shared()
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

  /// What works on one Redis works on six. A command that is new needs a line here.
  @Test func everyCommandOfTheCacheWorks() async throws {
    let cluster = try RedisCluster.shared()
    let env = try environment(cluster)
    let directory = try TemporaryDirectory("cluster-cache")
    let trace = try directory.write((1...500).map { "k\($0 % 60)\n" }.joined(), to: "trace.txt")
    try await withTown { town in
      let id = try await town.database.sql("select id from users where email = 'ada@example.com'")[0][0]
      let table: [(words: [String], codes: [Int32])] = [
        (["cache", "warmup"], [0]), (["cache", "get", "user:\(id)"], [0]),
        (["cache", "audit", "--all"], [0]),
        (["cache", "invalidate", "user:\(id)"], [0]), (["cache", "stats"], [0]),
        // Other tests move slots of the shared cluster meanwhile, so that there may be no hit (1); a stale read would be
        // exit 10.
        (["cache", "race", "--seconds", "2"], [0, 1]),
        (["cache", "simulate", trace, "--capacity", "50"], [0]), (["job", "run", "drain-outbox"], [0]),
      ]
      let told = Set(table.map { $0.words[1] })
      let missing = CacheCommand.configuration.subcommands.map { $0._commandName }.filter {
        !told.contains($0)
      }
      #expect(missing == [], "a command that needs a line in this table")
      for (words, codes) in table {
        let result = try await town.run(words + ["--json"], env: env)
        #expect(codes.contains(result.exitCode), "\(words): \(result)")
      }
    }
  }

  /// Every write takes the copies of what it has changed out of the node that has them.
  @Test func everyWriteFences() async throws {
    let cluster = try RedisCluster.shared()
    let env = try environment(cluster)
    let directory = try TemporaryDirectory("cluster-fences")
    let (bank, main, savings) = ("ada@example.com/bank", "ada@example.com/main", "ada@example.com/savings")
    let file = try directory.write("from,to,amount,currency\n\(bank),\(main),1,USD\n", to: "batch.csv")
    func move(_ verb: [String], _ key: String) -> [String] {
      verb + ["--from", main, "--to", savings, "--amount", "1", "--currency", "USD", "--key", key]
    }
    try await withTown { town in
      #expect(try await town.send("fund", "100", env: env).exitCode == 0)
      var holds: [String] = []
      for key in ["h1", "h2"] {
        let held = try await town.run(move(["transfer", "hold"], key) + ["--json"], env: env)
        holds.append(try #require(value("transfer_id", in: held.stdout)))
      }
      let wallet = try await town.database.sql("select id from wallets where name = 'main'")[0][0]
      for words in [
        move(["transfer"], "t1"), ["transfer", "batch", file], ["transfer", "batch", file, "--atomic"],
        move(["transfer", "hold"], "h3"), ["transfer", "capture", holds[0]], ["transfer", "void", holds[1]],
        ["transfer", "reverse", "t1", "--key", "r1"], ["job", "run", "settle-pending"],
        ["wallet", "freeze", main], ["wallet", "unfreeze", main], ["wallet", "rename", main, "till"],
      ] {
        let read = try await town.run(["cache", "get", "wallet:\(wallet)"], env: env)
        #expect(read.exitCode == 0, "\(read)")
        let before = try cluster.cluster().execute("EXISTS", .text("wallet:\(wallet)")).integer()
        let result = try await town.run(words + ["--json"], env: env)
        #expect(result.exitCode == 0, "\(words): \(result)")
        let after = try cluster.cluster().execute("EXISTS", .text("wallet:\(wallet)")).integer()
        // The file is carried out once: its second run changes nothing.
        let isReplay = words.contains("--atomic")
        #expect(before == 1 && after == (isReplay ? 1 : 0), "\(words): \(before) \(after)")
      }
    }
  }

  @Test func aWarmupOutlivesAMaster() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { cluster in
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
