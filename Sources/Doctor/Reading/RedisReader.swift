internal import Cache
internal import Postgres
internal import Primitives
internal import Redis

/// Asks Redis how it does.
struct RedisReader {
  let runner: any CommandRunner

  /// - Throws: `RedisError`.
  func read() throws -> RedisFacts {
    var worst: RedisFacts?
    for node in try runner.nodes() {
      let info = try node.session.execute(Command("INFO"), isIdempotent: true).text() ?? ""
      let facts = Self.facts(info)
      if worst.map({ Self.isWorse(facts, $0) }) ?? true { worst = facts }
    }
    var facts = worst ?? RedisFacts()
    let counts = try CacheCounters.total(in: runner)
    (facts.hits, facts.misses) = (max(0, counts.l2Hits), max(0, counts.l2Misses))
    return facts
  }

  /// How many of these users have their key.
  ///
  /// - Throws: `RedisError`.
  func found(_ users: [Identifier]) throws -> WarmthFacts {
    var found = 0
    let commands = users.map { Command("EXISTS", .text("user:\($0)")) }
    try runner.pipeline(commands) { _, reply in
      if try reply.get().integer() > 0 { found += 1 }
    }
    return WarmthFacts(sampled: users.count, found: found)
  }

  /// The lines of INFO that matter; a number that is none counts as zero.
  static func facts(_ info: String) -> RedisFacts {
    var facts = RedisFacts()
    for line in info.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = String(parts[1])
      switch parts[0] {
      case "redis_version": facts.version = value
      case "used_memory": facts.memoryUsed = max(0, Int64(value) ?? 0)
      case "maxmemory": facts.memoryMax = max(0, Int64(value) ?? 0)
      case "maxmemory_policy": facts.policy = value
      default: break
      }
    }
    return facts
  }

  /// The fuller of two, as far as they have a limit.
  private static func isWorse(_ a: RedisFacts, _ b: RedisFacts) -> Bool {
    func share(_ facts: RedisFacts) -> Double {
      facts.memoryMax > 0 ? Double(facts.memoryUsed) / Double(facts.memoryMax) : 0
    }
    return share(a) > share(b)
  }
}
