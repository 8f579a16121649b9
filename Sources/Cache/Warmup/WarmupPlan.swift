/// How a warmup goes about it.
public struct WarmupPlan: Sendable, Hashable {
  /// How long the values live, before the store's jitter.
  public var timeToLive: Duration = .seconds(3600)
  /// Rows of one read: enough for the round trips to cost little, few enough for a write of theirs to be rare meanwhile.
  public var rowsMax = 2000
  /// Rows a second; nil for as many as can be.
  public var rate: Int?
  /// Compare and count, and write nothing.
  public var isDryRun = false

  /// The defaults.
  public init() {}
}

/// What a warmup came to.
public struct WarmupTally: Sendable, Hashable {
  /// Rows that were read.
  public var scanned = 0
  /// Values that are new in Redis, or other than before.
  public var written = 0
  /// Values that stood there already; their lives were renewed.
  public var fresh = 0
  /// Rows that others were writing or loading for half a second and more: their readers will fetch them.
  public var refused = 0
  /// Bytes of the values that were sent.
  public var bytes = 0
  /// Rows that were looked at, active or not.
  public var lookedAt = 0

  /// Nothing yet.
  public init() {}

  mutating func add(_ other: WarmupTally) {
    scanned += other.scanned
    written += other.written
    fresh += other.fresh
    refused += other.refused
    bytes += other.bytes
    lookedAt += other.lookedAt
  }

  mutating func add(_ counts: WarmCounts) {
    written += counts.written
    fresh += counts.fresh
    bytes += counts.bytes
  }
}
