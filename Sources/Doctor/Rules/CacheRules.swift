internal import Primitives

/// Both tiers, what is in them, and what waits to be taken out.
struct CacheRules {
  let facts: CheckupFacts
  let limits: CheckupLimits

  var items: [CheckupItem] {
    [redis, version, memory, l1Settings, hitRate, outbox, warmth]
  }

  private static let none = "no Redis is configured"

  private var redis: CheckupItem {
    guard facts.isRedisConfigured else { return Check.redis.notJudged(Self.none) }
    switch facts.redis {
    case .known: return Check.redis.good("it answers")
    case .unknown(let reason):
      return Check.redis.fault(
        "\(reason); reads go to PostgreSQL meanwhile", .shell("systemctl start redis-server"))
    }
  }

  private func answered(_ check: Check, _ judge: (RedisFacts) -> CheckupItem) -> CheckupItem {
    guard facts.isRedisConfigured else { return check.notJudged(Self.none) }
    // One fault is enough.
    guard let redis = facts.redis.value else { return check.notJudged("Redis does not answer") }
    return judge(redis)
  }

  private var version: CheckupItem {
    answered(.redisVersion) { redis in
      let parts = redis.version.split(separator: ".").map { Int($0) ?? 0 }
      let wanted = limits.redisVersionMin
      guard !parts.isEmpty else { return Check.redisVersion.notJudged("Redis does not tell it") }
      guard parts.lexicographicallyPrecedes(wanted) else { return Check.redisVersion.good(redis.version) }
      return Check.redisVersion.fault(
        "\(redis.version) is older than \(wanted.map(String.init).joined(separator: "."))",
        .shell("apt-get install --only-upgrade redis-server"))
    }
  }

  /// A Redis that is full and evicts nothing refuses every write, fences among them (docs/operations.md, "When Redis is down").
  private var memory: CheckupItem {
    answered(.redisMemory) { redis in
      let check = Check.redisMemory
      let figures = (
        CheckupItem.Figure("used_bytes", redis.memoryUsed), CheckupItem.Figure("max_bytes", redis.memoryMax)
      )
      guard redis.memoryMax > 0 else {
        return check.good(
          "\(spoken(bytes: redis.memoryUsed)), and maxmemory sets no limit", figures.0, figures.1)
      }
      let share = Double(redis.memoryUsed) / Double(redis.memoryMax)
      let use = "\(percent(share)) of \(spoken(bytes: redis.memoryMax)), policy \(redis.policy)"
      guard redis.policy == "noeviction", share >= limits.redisMemoryShare else {
        return check.good(use, figures.0, figures.1)
      }
      return check.fault(
        "\(use): when it is full, writes are refused",
        .shell("redis-cli CONFIG SET maxmemory-policy allkeys-lru"), figures.0, figures.1)
    }
  }

  /// A tier that keeps values for longer than the one behind it keeps them from being fetched anew.
  private var l1Settings: CheckupItem {
    let settings = facts.settings
    let check = Check.l1Settings
    func fault(_ why: String, _ key: String, _ seconds: Int) -> CheckupItem {
      check.fault(why, .setting("cache", key, Int64(seconds)))
    }
    if settings.l1Seconds > settings.l2Seconds {
      return fault(
        "L1 keeps values for \(settings.l1Seconds) s, longer than L2 (\(settings.l2Seconds) s)",
        "l1_time_to_live_secs", settings.l2Seconds)
    }
    if settings.l1IdleSeconds > settings.l1Seconds {
      return fault(
        "l1_time_to_idle_secs (\(settings.l1IdleSeconds)) is longer than a value lives (\(settings.l1Seconds))",
        "l1_time_to_idle_secs", settings.l1Seconds)
    }
    if settings.warmupSeconds < settings.l2Seconds {
      return fault(
        "warmed values live for \(settings.warmupSeconds) s, shorter than loaded ones (\(settings.l2Seconds) s)",
        "warmup_ttl_secs", settings.l2Seconds)
    }
    return check.good(
      "L1 holds \(settings.l1Capacity) values for \(settings.l1Seconds) s, L2 for \(settings.l2Seconds) s",
      .init("l1_max_capacity", settings.l1Capacity))
  }

  private var hitRate: CheckupItem {
    answered(.hitRate) { redis in
      let check = Check.hitRate
      let lookups = Double(redis.hits) + Double(redis.misses)
      let figures = (CheckupItem.Figure("hits", redis.hits), CheckupItem.Figure("misses", redis.misses))
      guard lookups >= Double(limits.lookupsMin) else {
        return check.notJudged(
          "only \(whole(lookups)) lookups, fewer than \(limits.lookupsMin)", figures.0, figures.1)
      }
      let rate = Double(redis.hits) / lookups
      let evidence =
        "\(percent(rate)) of \(Int64(clamping: Int128(redis.hits) + Int128(redis.misses))) lookups, target \(percent(facts.settings.hitRateMin))"
      guard rate < facts.settings.hitRateMin else {
        return check.good(evidence, .init("hit_rate", share: rate), figures.0, figures.1)
      }
      return check.fault(
        evidence, .shell("ironforge cache warmup --scope all"), .init("hit_rate", share: rate), figures.0,
        figures.1)
    }
  }

  private var outbox: CheckupItem {
    facts.outbox.judged(.outbox) { outbox in
      let check = Check.outbox
      guard outbox.pending > 0 else { return check.good("none", .init("pending", 0)) }
      let age = outbox.oldestSeconds ?? 0
      let evidence = "\(outbox.pending), the oldest for \(spoken(age))"
      let figures = (
        CheckupItem.Figure("pending", outbox.pending), CheckupItem.Figure("oldest_seconds", seconds: age)
      )
      guard age >= limits.outboxSeconds || outbox.pending >= limits.outboxRows else {
        return check.good(evidence, figures.0, figures.1)
      }
      return check.fault(
        "\(evidence): the cache may serve what was changed", .shell("ironforge job run drain-outbox"),
        figures.0,
        figures.1)
    }
  }

  private var warmth: CheckupItem {
    answered(.warmth) { _ in
      facts.warmth.judged(.warmth) { warmth in
        let check = Check.warmth
        guard warmth.sampled > 0 else { return check.notJudged("no user was here in seven days") }
        let share = Double(warmth.found) / Double(warmth.sampled)
        let evidence = "\(warmth.found) of the last \(warmth.sampled) active users are cached"
        let figures = (
          CheckupItem.Figure("sampled", warmth.sampled), CheckupItem.Figure("cached", warmth.found)
        )
        guard share < facts.settings.hitRateMin else { return check.good(evidence, figures.0, figures.1) }
        return check.fault(evidence, .shell("ironforge cache warmup --scope users"), figures.0, figures.1)
      }
    }
  }
}
