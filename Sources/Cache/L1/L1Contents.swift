/// The entries of an L1 cache as a value: the policy, the values and their times. The caller hands in the clock.
///
/// Times are nanoseconds of any clock that never steps back.
struct L1Contents: ~Copyable {
  private struct Entry {
    let key: String
    let value: CachedValue
    /// From here on the entry is too old.
    let expiry: Int64
    /// From here on nobody has asked for it for too long.
    var idleExpiry: Int64

    func isAlive(at now: Int64) -> Bool { now < expiry && now < idleExpiry }
  }

  private enum Finding {
    case value(CachedValue)
    case otherKey
    case tooOld
  }

  private var policy: EvictionPolicy
  private var entries: ContiguousArray<Entry?> = []
  private let fingerprint: Fingerprint
  private let timeToLive: Int64
  private let timeToIdle: Int64
  /// The entry that is looked at next for its age.
  private var hand = 0

  /// - Parameters:
  ///   - timeToLive: the longest life of an entry.
  ///   - timeToIdle: the longest time between two requests for it.
  init(capacity: Int, timeToLive: Duration, timeToIdle: Duration, seed: UInt64) {
    policy = EvictionPolicy(capacity: capacity)
    fingerprint = Fingerprint(seed: seed)
    self.timeToLive = timeToLive.wholeNanoseconds
    self.timeToIdle = timeToIdle.wholeNanoseconds
  }

  /// Entries held, those that have expired and were not yet looked at included. Never above the capacity.
  var count: Int { policy.count }

  /// The value of a key that is held and alive.
  @inline(__always) mutating func value(of key: String, at now: Int64) -> CachedValue? {
    guard let place = policy.request(fingerprint(key)) else { return nil }
    let idleExpiry = later(now, timeToIdle)
    // In place: copying an entry out of the array would cost four reference counts.
    let finding = entries.withUnsafeMutableBufferPointer { entries -> Finding in
      guard entries[place].map({ isSameKey($0.key, key) }) ?? false else { return .otherKey }
      guard entries[place]?.isAlive(at: now) ?? false, let value = entries[place]?.value else {
        return .tooOld
      }
      entries[place]?.idleExpiry = idleExpiry
      return .value(value)
    }
    switch finding {
    case .value(let value): return value
    case .tooOld: release(place)
    case .otherKey: break
    }
    return nil
  }

  /// Holds a value, unless everything that is held is worth more.
  ///
  /// - Parameter lifetime: less than the cache's own time to live, where the value must go sooner.
  mutating func store(
    _ value: CachedValue, for key: String, lifetime: Int64 = .max, at now: Int64
  ) {
    sweep(at: now)
    let place: Int
    switch policy.admit(fingerprint(key)) {
    case .declined: return
    case .place(let free): place = free
    case .evict(let victim): place = victim
    }
    let entry = Entry(
      key: key, value: value, expiry: later(now, min(lifetime, timeToLive)),
      idleExpiry: later(now, timeToIdle))
    if place == entries.count { entries.append(entry) } else { entries[place] = entry }
  }

  /// Removes a key.
  mutating func remove(_ key: String) {
    guard let place = policy.place(of: fingerprint(key)), let entry = entries[place],
      isSameKey(entry.key, key)
    else { return }
    release(place)
  }

  /// Removes everything.
  mutating func removeAll() {
    for place in entries.indices where entries[place] != nil { release(place) }
  }

  private mutating func release(_ place: Int) {
    entries[place] = nil
    policy.free(place)
  }

  /// Looks at two entries, so that those that nobody asks for leave sooner than a live one has to.
  private mutating func sweep(at now: Int64) {
    for _ in 0..<min(2, entries.count) {
      if hand >= entries.count { hand = 0 }
      if let entry = entries[hand], !entry.isAlive(at: now) { release(hand) }
      hand += 1
    }
  }

  private func later(_ now: Int64, _ time: Int64) -> Int64 {
    let (sum, isTooLate) = now.addingReportingOverflow(time)
    return isTooLate ? .max : sum
  }
}

extension Duration {
  /// Nanoseconds, `Int64.max` where they do not fit, zero for a negative duration.
  var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooLongInAll) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isTooLong || isTooLongInAll ? .max : sum
  }
}
