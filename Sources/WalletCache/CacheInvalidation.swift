public import Cache
public import Redis

/// Takes values out of Redis at once.
public struct CacheInvalidation {
  private let store: FencedStore
  private let runner: any CommandRunner
  /// Nil while the database is away.
  private let writer: WritingTransaction?

  /// Keys that are dealt with at once.
  private static let chunk = 1000

  /// - Parameter writer: a transaction that the primary has just assigned a number. Fenced by it, a value cannot come back out
  ///   of a load that began before, nor out of a standby that lags. Without one the values and the leases of loads in
  ///   flight are taken away, which keeps out all but the standby.
  public init(by writer: WritingTransaction?, store: FencedStore, redis: any CommandRunner) {
    self.writer = writer
    self.store = store
    runner = redis
  }

  /// Invalidates keys, and returns how many of them had a value.
  ///
  /// - Throws: `RedisError`.
  public func invalidate(_ keys: [CacheKey]) throws -> Int {
    var deleted = 0
    for start in stride(from: 0, to: keys.count, by: Self.chunk) {
      let part = Array(keys[start..<min(start + Self.chunk, keys.count)])
      try runner.pipeline(part.map { Command("EXISTS", .text($0.text)) }, isIdempotent: true) { _, reply in
        deleted += Int(clamping: try reply.integer())
      }
      if let writer {
        try store.fence(part, by: writer, in: runner)
      } else {
        let commands = part.flatMap {
          [Command("DEL", .text($0.text)), Command("HDEL", .text($0.sideKey), "lease")]
        }
        try runner.pipeline(commands, isIdempotent: true) { _, reply in _ = try reply.get() }
      }
    }
    return deleted
  }

  /// Invalidates the keys of all rows of tables, and nothing else that is named alike, and returns how many had a value.
  ///
  /// - Parameter check: asked between parts; throws to end it.
  /// - Throws: `RedisError`; what `check` throws.
  public func invalidateAll(of tables: [CachedTable], check: () throws -> Void) throws -> Int {
    var deleted = 0
    for table in tables {
      // Side hashes first: those without a value may belong to a load in flight, and fencing values makes more of them.
      for pattern in ["fence:{\(table.keyPattern)}", table.keyPattern] {
        try Self.scan(pattern, in: runner) { keys in
          try check()
          deleted += try invalidate(keys)
        }
      }
    }
    return deleted
  }

  /// How many values rows of tables have in Redis.
  ///
  /// - Throws: `RedisError`; what `check` throws.
  public static func count(
    _ tables: [CachedTable], in runner: any CommandRunner, check: () throws -> Void
  ) throws -> Int {
    var count = 0
    for table in tables {
      try scan(table.keyPattern, in: runner) { keys in
        try check()
        count += keys.count
      }
    }
    return count
  }

  private static func scan(
    _ pattern: String, in runner: any CommandRunner, _ body: ([CacheKey]) throws -> Void
  ) throws {
    for node in try runner.nodes() {
      try node.session.scan(matching: pattern) { names in
        try body(Array(Set(names.compactMap(CacheKey.owner).filter { CachedRow(key: $0.text) != nil })))
      }
    }
  }
}
