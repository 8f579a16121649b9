public import Primitives
public import Redis

/// A key as it stands in Redis, for whoever only looks.
public struct StoredEntry: Sendable, Hashable {
  /// The value; nil where there is none.
  public let value: CachedValue?
  /// Whether something else than a value stands there, such as a list; another program has put it there.
  public let isForeign: Bool
  /// What the value has left; nil without a value, and for one without an end, which only others write.
  public let timeLeft: Duration?
  /// When the value was filled, in milliseconds since 1970 by the clock of Redis; nil where that is not known, as after
  /// most of a warmup.
  public let filledAt: Int64?
  /// The transactions that have written the key lately, in rising order.
  public let fences: [TransactionID]
  /// Fences that are gone were not higher.
  public let floor: TransactionID?
  /// Transactions up to this one may have fenced the key without a trace.
  public let since: TransactionID?
}

extension FencedStore {
  /// What stands in Redis for keys, in their order. Changes nothing, and trusts whatever is there.
  ///
  /// - Throws: `RedisError`.
  public func peek(_ keys: [CacheKey], in runner: some CommandRunner) throws -> [StoredEntry] {
    let commands = keys.lazy.flatMap { key in
      [
        Command("GET", .text(key.text)), Command("PTTL", .text(key.text)),
        Command("HGETALL", .text(key.sideKey)),
      ]
    }
    var entries: [StoredEntry] = []
    var replies: [Reply] = []
    try runner.pipeline(commands, isIdempotent: true) { _, reply in
      replies.append(reply)
      guard replies.count == 3 else { return }
      entries.append(try entry(replies))
      replies.removeAll(keepingCapacity: true)
    }
    return entries
  }

  /// How long ago a value was filled, in milliseconds; nil where that is not known. A side hash may tell of a fill before a
  /// warmup; a value with more life in all than a fill gives is none of that fill's.
  public func age(of entry: StoredEntry, at now: Timestamp) -> Int64? {
    guard entry.value != nil, let filledAt = entry.filledAt, let left = entry.timeLeft else { return nil }
    let (difference, isAbsurd) = (now.microseconds / 1000).subtractingReportingOverflow(filledAt)
    if isAbsurd { return nil }
    let age = max(0, difference)
    let longest = settings.timeToLive * (1 + settings.jitter) + .seconds(1)
    return .milliseconds(age) + left <= longest ? age : nil
  }

  private func entry(_ replies: [Reply]) throws -> StoredEntry {
    var (text, isForeign): (String?, Bool) = (nil, false)
    if case .error(let error) = replies[0], error.code == "WRONGTYPE" {
      isForeign = true
    } else {
      text = try replies[0].text()
    }
    let left = try replies[1].integer()
    let side = try Registry(replies[2])
    return StoredEntry(
      value: text.map { $0 == "null" ? .absent : .text($0) }, isForeign: isForeign,
      timeLeft: text == nil || left < 0 ? nil : .milliseconds(left), filledAt: side.filledAt,
      fences: side.fences.sorted(), floor: side.floor, since: side.since)
  }
}
