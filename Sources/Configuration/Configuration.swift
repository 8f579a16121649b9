/// Every setting of IronForge with its type. The values given here are the defaults; the names, the bounds and
/// the spelling in files and in the environment stand in ``Setting/all``.
public struct Configuration: Sendable, Equatable {
  /// `[database]`.
  public var database = Database()
  /// `[redis]`.
  public var redis = Redis()
  /// `[cache]`.
  public var cache = Cache()
  /// `[batch]`.
  public var batch = Batch()
  /// `[http]`.
  public var http = HTTP()
  /// `[targets]`.
  public var targets = Targets()

  /// The defaults.
  public init() {}

  /// `[database]`: where PostgreSQL is and how patient to be with it.
  public struct Database: Sendable, Equatable {
    /// libpq URI or keyword string; empty when no flag, variable or file names one.
    public var url = ""
    /// Standbys: jobs heed their lag, and the cache may be loaded from them.
    public var replicas: [String] = []
    /// Open connections at once, of one process.
    public var maxConnections = 50
    /// Kept open by long-running commands only; never more than `maxConnections`.
    public var minConnections = 10
    /// How long to wait for a connection.
    public var connectTimeoutSeconds = 10
    /// How long an unused connection stays open.
    public var idleTimeoutSeconds = 600
    /// The age at which a connection is replaced.
    public var maxLifetimeSeconds = 1800
    /// The server's `statement_timeout`.
    public var statementTimeoutSeconds = 30
    /// The server's `lock_timeout`.
    public var lockTimeoutSeconds = 5
  }

  /// `[redis]`.
  public struct Redis: Sendable, Equatable {
    /// `redis://[:password@]host:port/db` or `unix:///path?db=0`; empty when none is named.
    public var url = ""
    /// Whether the server is a node of a Redis Cluster.
    public var cluster = false
    /// How long to wait for a connection.
    public var connectTimeoutSeconds = 5
    /// How long to wait for a reply.
    public var commandTimeoutSeconds = 5
  }

  /// `[cache]`: both tiers.
  public struct Cache: Sendable, Equatable {
    /// Entries.
    public var l1MaxCapacity = 10_000
    /// Since the entry was read.
    public var l1TimeToLiveSeconds = 300
    /// Since the entry was last used.
    public var l1TimeToIdleSeconds = 60
    /// Expiry of keys in Redis.
    public var l2TTLSeconds = 300
    /// Expiry of keys that `cache warmup` writes.
    public var warmupTTLSeconds = 3600
    /// The share of a time to live by which it varies, so that keys do not all expire at once.
    public var ttlJitter = 0.10
  }

  /// `[batch]`: how batches and jobs are cut up.
  public struct Batch: Sendable, Equatable {
    /// Rows in one transaction.
    public var chunkSize = 100
    /// Chunks in flight.
    public var concurrency = 10
  }

  /// `[http]`.
  public struct HTTP: Sendable, Equatable {
    /// `HOST:PORT`, `[IPv6]:PORT`.
    public var listen = "127.0.0.1:8088"
  }

  /// `[targets]`: the service levels that `bench` and `doctor` hold against what they measure.
  public struct Targets: Sendable, Equatable {
    /// Median latency, at most.
    public var p50Milliseconds = 100.0
    /// 95th percentile, at most.
    public var p95Milliseconds = 500.0
    /// 99th percentile, at most.
    public var p99Milliseconds = 1000.0
    /// Throughput, at least.
    public var requestsPerSecond = 1000.0
    /// A share from 0 to 1, at most.
    public var errorRate = 0.001
    /// A share from 0 to 1, at least.
    public var availability = 0.999
    /// A share from 0 to 1, at least.
    public var cacheHitRate = 0.80
  }
}
