public import Cache
public import ConnectionPool
public import Postgres
internal import Primitives
internal import Synchronization
internal import WalletCache

/// Reads wallets through both tiers of the cache, as the service does: one cache with one connection to Redis for all readers,
/// and a pool of connections to PostgreSQL for what is in neither tier.
public final class CacheLoad: Sendable {
  private let cache: TieredCache
  private let keys: BenchKeys
  private let pool: PostgresPool
  private let answers = Mutex(TierAnswers())

  public init(_ keys: BenchKeys, through cache: TieredCache, pool: PostgresPool) {
    self.cache = cache
    self.keys = keys
    self.pool = pool
  }

  /// How many measured reads each tier has answered.
  public var answered: TierAnswers { answers.withLock { $0 } }

  /// Reads wallets until the run is over: as many readers at a time as the plan has connections.
  ///
  /// - Throws: `CancellationError`; failures of reads are counted.
  public func run(_ run: LoadRun) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<run.plan.connections {
        group.addTask { [self] in try await run.work { turn in await read(isMeasured: turn.isMeasured) } }
      }
      try await group.waitForAll()
    }
  }

  private func read(isMeasured: Bool) async -> String? {
    let row = keys.next()
    do {
      let (value, tier) = try await cache.answer(for: row.key) { [pool] in
        try await pool.withConnection { connection in
          try await connection.withSession { try RowReader($0).load(row) }
        }
      }
      if isMeasured { answers.withLock { $0.count(tier) } }
      return value == .absent ? BenchKeys.goneCode : nil
    } catch {
      return (error as? any Failure)?.code ?? "unexpected"
    }
  }
}

/// How many reads each tier has answered.
public struct TierAnswers: Sendable, Hashable {
  /// Out of the memory of the process.
  public private(set) var l1 = 0
  /// Out of Redis.
  public private(set) var l2 = 0
  /// Out of PostgreSQL.
  public private(set) var database = 0

  /// None.
  public init() {}

  mutating func count(_ tier: CacheTier) {
    switch tier {
    case .l1: l1 += 1
    case .l2: l2 += 1
    case .database: database += 1
    }
  }

  /// The share of reads that L1 answered; 0 where there were none.
  public var l1HitRatio: Double { ratio(l1, l1 + l2 + database) }
  /// The share of the rest that Redis answered.
  public var l2HitRatio: Double { ratio(l2, l2 + database) }

  private func ratio(_ part: Int, _ whole: Int) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
}
