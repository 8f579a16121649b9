public import Redis
import Synchronization

/// How often each tier answered, of this process and, added up in Redis, of all.
public final class CacheCounters: Sendable {
  /// What is counted.
  public struct Counts: Sendable, Hashable {
    /// Answered by L1, and not.
    public var l1Hits: Int64 = 0
    /// Asked of L1 in vain.
    public var l1Misses: Int64 = 0
    /// Answered by Redis.
    public var l2Hits: Int64 = 0
    /// Asked of Redis in vain.
    public var l2Misses: Int64 = 0

    /// None.
    public init() {}
  }

  /// One hash for everybody; in a cluster its slot has no load worth mention.
  private static let key = "ironforge:cache"
  private static let fields = ["l1_hits", "l1_misses", "l2_hits", "l2_misses"]

  private let counts = Mutex(Counts())

  /// All zero.
  public init() {}

  func noteL1(isHit: Bool) {
    counts.withLock { if isHit { $0.l1Hits += 1 } else { $0.l1Misses += 1 } }
  }

  func noteL2(isHit: Bool) {
    counts.withLock { if isHit { $0.l2Hits += 1 } else { $0.l2Misses += 1 } }
  }

  /// Adds what this process has counted since the last time to what all have: to be called when it ends, and now and then by
  /// one that goes on. What a failure leaves out stays out.
  ///
  /// - Throws: `RedisError`.
  public func publish(to runner: some CommandRunner) throws {
    let counts = counts.withLock { counts in
      defer { counts = Counts() }
      return counts
    }
    let numbers = [counts.l1Hits, counts.l1Misses, counts.l2Hits, counts.l2Misses]
    let commands = zip(Self.fields, numbers).filter { $0.1 > 0 }.map { field, count in
      Command("HINCRBY", .text(Self.key), .text(field), .integer(Int(count)))
    }
    // Not twice: too little is better than too much.
    try runner.pipeline(commands) { _, reply in _ = try reply.get() }
  }

  /// What all processes have counted.
  ///
  /// - Throws: `RedisError`.
  public static func total(in runner: some CommandRunner) throws -> Counts {
    let command = Command([.text("HMGET"), .text(key)] + fields.map { .text($0) })
    let values = try (runner.execute(command, isIdempotent: true).array() ?? []).map {
      try $0.text().flatMap { Int64($0) } ?? 0
    }
    var counts = Counts()
    guard values.count == fields.count else { return counts }
    (counts.l1Hits, counts.l1Misses, counts.l2Hits, counts.l2Misses) = (
      values[0], values[1], values[2], values[3]
    )
    return counts
  }
}
