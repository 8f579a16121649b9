/// One key of the configuration: its name, what values it takes, and where its value lives in ``Configuration``.
public struct Setting: Sendable {
  /// The table of the file: `database`.
  public let section: String
  /// The key in that table: `max_connections`.
  public let key: String
  /// Where the value lives, and with it the type.
  let storage: Storage

  /// What a setting holds and the bounds of it.
  enum Storage: Sendable {
    case text(any WritableKeyPath<Configuration, String> & Sendable, TextForm)
    case list(any WritableKeyPath<Configuration, [String]> & Sendable, TextForm)
    case boolean(any WritableKeyPath<Configuration, Bool> & Sendable)
    case integer(any WritableKeyPath<Configuration, Int> & Sendable, ClosedRange<Int>)
    case number(any WritableKeyPath<Configuration, Double> & Sendable, ClosedRange<Double>)
  }

  /// `database.max_connections`.
  public var name: String { "\(section).\(key)" }

  /// `IRONFORGE_DATABASE_MAX_CONNECTIONS`.
  public var environmentName: String { "IRONFORGE_\(section)_\(key)".uppercased() }

  /// The names of all tables, in the order in which they are shown.
  public static let sections = ["database", "redis", "cache", "batch", "http", "targets"]

  private static let day = 86_400
  private static let year = 365 * day

  /// All settings, in the order in which they are shown.
  ///
  /// Time-outs start at one second: a wait without a bound is not on offer.
  public static let all: [Setting] = [
    Setting("database", "url", .text(\.database.url, .postgres)),
    Setting("database", "replicas", .list(\.database.replicas, .postgres)),
    Setting("database", "max_connections", .integer(\.database.maxConnections, 1...10_000)),
    Setting("database", "min_connections", .integer(\.database.minConnections, 0...10_000)),
    Setting("database", "connect_timeout_secs", .integer(\.database.connectTimeoutSeconds, 1...3600)),
    Setting("database", "idle_timeout_secs", .integer(\.database.idleTimeoutSeconds, 1...day)),
    Setting("database", "max_lifetime_secs", .integer(\.database.maxLifetimeSeconds, 1...(7 * day))),
    Setting(
      "database", "statement_timeout_secs", .integer(\.database.statementTimeoutSeconds, 1...(7 * day))),
    Setting("database", "lock_timeout_secs", .integer(\.database.lockTimeoutSeconds, 1...day)),
    Setting("redis", "url", .text(\.redis.url, .redis)),
    Setting("redis", "cluster", .boolean(\.redis.cluster)),
    Setting("redis", "connect_timeout_secs", .integer(\.redis.connectTimeoutSeconds, 1...3600)),
    Setting("redis", "command_timeout_secs", .integer(\.redis.commandTimeoutSeconds, 1...3600)),
    Setting("cache", "l1_max_capacity", .integer(\.cache.l1MaxCapacity, 1...100_000_000)),
    Setting("cache", "l1_time_to_live_secs", .integer(\.cache.l1TimeToLiveSeconds, 1...year)),
    Setting("cache", "l1_time_to_idle_secs", .integer(\.cache.l1TimeToIdleSeconds, 1...year)),
    Setting("cache", "l2_ttl_secs", .integer(\.cache.l2TTLSeconds, 1...year)),
    Setting("cache", "warmup_ttl_secs", .integer(\.cache.warmupTTLSeconds, 1...year)),
    Setting("cache", "ttl_jitter", .number(\.cache.ttlJitter, 0...0.5)),
    Setting("batch", "chunk_size", .integer(\.batch.chunkSize, 1...100_000)),
    Setting("batch", "concurrency", .integer(\.batch.concurrency, 1...1000)),
    Setting("http", "listen", .text(\.http.listen, .listen)),
    Setting("targets", "p50_ms", .number(\.targets.p50Milliseconds, 0.001...3_600_000)),
    Setting("targets", "p95_ms", .number(\.targets.p95Milliseconds, 0.001...3_600_000)),
    Setting("targets", "p99_ms", .number(\.targets.p99Milliseconds, 0.001...3_600_000)),
    Setting("targets", "requests_per_second", .number(\.targets.requestsPerSecond, 0...1_000_000_000)),
    Setting("targets", "error_rate", .number(\.targets.errorRate, 0...1)),
    Setting("targets", "availability", .number(\.targets.availability, 0...1)),
    Setting("targets", "cache_hit_rate", .number(\.targets.cacheHitRate, 0...1)),
  ]

  private init(_ section: String, _ key: String, _ storage: Storage) {
    self.section = section
    self.key = key
    self.storage = storage
  }

  /// The value that `configuration` holds for this setting.
  public func value(in configuration: Configuration) -> SettingValue {
    switch storage {
    case .text(let path, _): .text(configuration[keyPath: path])
    case .list(let path, _): .list(configuration[keyPath: path])
    case .boolean(let path): .boolean(configuration[keyPath: path])
    case .integer(let path, _): .integer(configuration[keyPath: path])
    case .number(let path, _): .number(configuration[keyPath: path])
    }
  }

  /// Whether the value can hold a password and must be shown through ``redacted(_:)``.
  public var isSecret: Bool {
    switch storage {
    case .text(_, let form), .list(_, let form): form == .postgres || form == .redis
    case .boolean, .integer, .number: false
    }
  }
}

/// The value of a setting.
public enum SettingValue: Sendable, Equatable {
  case text(String)
  case list([String])
  case boolean(Bool)
  case integer(Int)
  case number(Double)
}
