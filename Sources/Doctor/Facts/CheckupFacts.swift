public import Indexes

/// Everything that the rules look at.
public struct CheckupFacts: Sendable {
  public var server: ServerFacts
  public var catalog: Catalog
  public var audit: IndexAuditReport
  /// By check: `plan_…`.
  public var plans: [Check: Known<AccessPath>]
  public var migrations: Known<MigrationState>
  public var outbox: Known<OutboxFact>
  public var statements: Known<[StatementFact]>
  /// `statement_statistics`: what mends that statements are not counted; nil where they are.
  public var statementsFix: String?
  public var redis: Known<RedisFacts>
  /// Whether a Redis is configured.
  public var isRedisConfigured: Bool
  public var warmth: Known<WarmthFacts>
  public var settings: ClientSettings
}

/// How far the database is behind the migration files.
public struct MigrationState: Sendable {
  public var applied = 0
  public var pending: [String] = []
  /// Changed, half done, or without their file.
  public var broken: [String] = []

  public init() {}
}

/// How a statement reaches its rows when reading tables whole and sorting are forbidden: what an index can serve is then
/// served by it, however small the table is.
public struct AccessPath: Sendable, Equatable {
  public var indexes: [String] = []
  /// Tables that are read whole nevertheless.
  public var tablesReadWhole: [String] = []
  public var isSorted = false

  public init() {}
}

/// What waits in the cache's outbox.
public struct OutboxFact: Sendable {
  public let pending: Int64
  /// Of the oldest; nil where none waits.
  public let oldestSeconds: Double?

  public init(pending: Int64, oldestSeconds: Double?) {
    self.pending = pending
    self.oldestSeconds = oldestSeconds
  }
}

/// A statement that the server counts.
public struct StatementFact: Sendable {
  public let text: String
  public let calls: Int64
  public let meanMilliseconds: Double
  public let rows: Int64

  public init(text: String, calls: Int64, meanMilliseconds: Double, rows: Int64) {
    self.text = text
    self.calls = calls
    self.meanMilliseconds = meanMilliseconds
    self.rows = rows
  }
}

/// What Redis says of itself; of a cluster the node that is worst off.
public struct RedisFacts: Sendable {
  public var version = ""
  public var memoryUsed: Int64 = 0
  /// 0 for no limit.
  public var memoryMax: Int64 = 0
  public var policy = ""
  /// Lookups of our own processes in L2.
  public var hits: Int64 = 0
  public var misses: Int64 = 0

  public init() {}
}

/// Of the users who were here last, how many have their key.
public struct WarmthFacts: Sendable {
  public let sampled: Int
  public let found: Int

  public init(sampled: Int, found: Int) {
    self.sampled = sampled
    self.found = found
  }
}

/// The configuration, as far as it is judged.
public struct ClientSettings: Sendable {
  public var connectionsMax = 50
  /// Processes of the backend that have a pool of that size.
  public var processes = 1
  /// Of the database's machine, where somebody has said; nil for those of this one, where the server is on it.
  public var cores: Int?
  public var localCores = 1
  public var disks = 1
  public var isPooled = false
  public var l1Capacity = 10_000
  public var l1Seconds = 300
  public var l1IdleSeconds = 60
  public var l2Seconds = 300
  public var warmupSeconds = 3600
  public var hitRateMin = 0.8
  public var p95Milliseconds = 500.0

  public init() {}
}
