import ArgumentParser
import Bench
import Cache
import ConnectionPool
import Postgres
import Primitives
import Redis
import WalletCache

/// `ironforge bench cache`.
struct BenchCache: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Measure reads of wallets through both tiers of the cache; exit 99 when a target is missed.",
    discussion: """
      Each request reads a wallet by its id as the service does: out of its own memory (L1), else out of Redis (L2), else \
      out of PostgreSQL, which fills Redis. Readers share one cache, as the requests of a service do: --connections says how many \
      read at the same time. The report says how many reads each tier has answered. What is in Redis at the begin is used: \
      `ironforge cache warmup` fills it, and `ironforge cache invalidate` empties it.

      \(BenchOptions.help)

      EXAMPLES:
        ironforge bench cache --connections 8 --duration 10s --skew zipf
        ironforge bench cache --l1 off --rate 2000 --duration 1m
      """)

  @OptionGroup(title: "Load") var bench: BenchOptions
  @OptionGroup(title: "Keys") var keys: BenchKeyOptions

  @Option(
    help: ArgumentHelp("Whether reads begin in the memory of the process: on or off.", valueName: "on|off"))
  var l1 = Switch.on

  @OptionGroup(title: "Global options") var global: GlobalOptions

  enum Switch: String, Sendable, CaseIterable, ExpressibleByArgument {
    case on, off
  }

  func runConcurrently(in context: CommandContext) async throws {
    let run = try BenchRun("bench cache", bench, in: context)
    let pool = try context.pool(connections: bench.connections)
    let found = try await BenchKeys(from: pool, limit: keys.wallets, skew: keys.skew)
    let follower = l1 == .on ? try context.followedL1() : nil
    defer { follower?.tracker.stop() }
    let redis = try context.redisConnections(1)[0]
    let cache = TieredCache(
      l1: follower?.l1, store: try context.fencedStore(), redis: redis,
      servers: TrustedServers(CachedTable.keys)
    ) {
      try await pool.withConnection { try await $0.withSession { try $0.fenceHorizon() } }
    }
    if try await !cache.vouch() {
      context.messages.warning(
        "Redis is not trusted, so PostgreSQL answers: its user may not say INFO, or it is being replaced")
    }
    let load = CacheLoad(found, through: cache, pool: pool)
    let servers = try await context.serverWatch(readsRedis: true)
    try await run.measure(servers: servers, tiers: { load.answered }) { run in
      try await load.run(run)
    } close: {
      do {
        try await redis.withSession { try cache.counters.publish(to: $0) }
      } catch {
        context.messages.warning(
          "`ironforge cache stats` will not know of these reads: \(ErrorReport(error).message)")
      }
      try await pool.drain(deadline: .after(.seconds(10)))
    }
  }
}
