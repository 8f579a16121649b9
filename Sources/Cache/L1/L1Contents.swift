internal import Primitives

/// The entries of an L1 cache as a value: the policy, the values and their times. The caller hands in the clock.
///
/// Times are nanoseconds of any clock that never steps back.
struct L1Contents: ~Copyable {
  /// What a place holds. Its key is bytes of its own: comparing a `String` with another counts references.
  private struct Entry {
    let key: UnsafeRawBufferPointer
    let value: CachedValue
    /// From here on the entry is too old.
    let expiry: Int64
    /// From here on nobody has asked for it for too long.
    var idleExpiry: Int64

    init(_ value: CachedValue, for key: UnsafeRawBufferPointer, expiry: Int64, idleExpiry: Int64) {
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: key.count, alignment: 1)
      copy.copyMemory(from: key)
      self.key = UnsafeRawBufferPointer(copy)
      self.value = value
      self.expiry = expiry
      self.idleExpiry = idleExpiry
    }

    func isAlive(at now: Int64) -> Bool { now < expiry && now < idleExpiry }
  }

  private var policy: EvictionPolicy
  /// Room for each place of the policy; initialized where the policy keeps an entry.
  private let entries: UnsafeMutablePointer<Entry>
  private let fingerprint: Fingerprint
  private let timeToLive: Int64
  private let timeToIdle: Int64
  /// The place that is looked at next for its age.
  private var hand = 0

  /// - Parameters:
  ///   - timeToLive: the longest life of an entry.
  ///   - timeToIdle: the longest time between two requests for it.
  init(capacity: Int, timeToLive: Duration, timeToIdle: Duration, seed: UInt64) {
    policy = EvictionPolicy(capacity: capacity)
    entries = .allocate(capacity: capacity)
    fingerprint = Fingerprint(seed: seed)
    self.timeToLive = timeToLive.wholeNanoseconds
    self.timeToIdle = timeToIdle.wholeNanoseconds
  }

  deinit {
    for place in 0..<policy.placesUsed where policy.keeps(place) { Self.clear(entries + place) }
    entries.deallocate()
  }

  /// Entries held, those that have expired and were not yet looked at included. Never above the capacity.
  var count: Int { policy.count }

  /// The value of a key that is held and alive.
  @inline(__always) mutating func value(of key: String, at now: Int64) -> CachedValue? {
    withBytes(of: key) { value(of: $0, at: now) }
  }

  @inline(__always) private mutating func value(
    of key: UnsafeRawBufferPointer, at now: Int64
  ) -> CachedValue? {
    guard let place = policy.request(fingerprint(key)) else { return nil }
    let entry = entries + place
    guard isSameKey(entry.pointee.key, key) else { return nil }
    guard entry.pointee.isAlive(at: now) else {
      release(place)
      return nil
    }
    entry.pointee.idleExpiry = later(now, timeToIdle)
    return entry.pointee.value
  }

  /// Holds a value, unless everything that is held is worth more.
  ///
  /// - Parameter lifetime: less than the cache's own time to live, where the value must go sooner.
  mutating func store(_ value: CachedValue, for key: String, lifetime: Int64 = .max, at now: Int64) {
    withBytes(of: key) { store(value, for: $0, lifetime, now) }
  }

  private mutating func store(
    _ value: CachedValue, for key: UnsafeRawBufferPointer, _ lifetime: Int64, _ now: Int64
  ) {
    sweep(at: now)
    let entry = Entry(
      value, for: key, expiry: later(now, min(lifetime, timeToLive)), idleExpiry: later(now, timeToIdle))
    switch policy.admit(fingerprint(key)) {
    case .declined: entry.key.deallocate()
    case .place(let free): (entries + free).initialize(to: entry)
    case .again(let victim), .evict(let victim):
      Self.clear(entries + victim)
      (entries + victim).initialize(to: entry)
    }
  }

  /// Removes a key.
  mutating func remove(_ key: String) {
    withBytes(of: key) { key in
      guard let place = policy.place(of: fingerprint(key)), isSameKey(entries[place].key, key) else { return }
      release(place)
    }
  }

  /// Removes everything.
  mutating func removeAll() {
    for place in 0..<policy.placesUsed where policy.keeps(place) { release(place) }
  }

  private mutating func release(_ place: Int) {
    Self.clear(entries + place)
    policy.free(place)
  }

  private static func clear(_ entry: UnsafeMutablePointer<Entry>) {
    entry.pointee.key.deallocate()
    entry.deinitialize(count: 1)
  }

  /// Looks at two places, so that entries that nobody asks for leave sooner than a live one has to.
  private mutating func sweep(at now: Int64) {
    for _ in 0..<2 {
      if hand >= policy.placesUsed { hand = 0 }
      if policy.keeps(hand), !entries[hand].isAlive(at: now) { release(hand) }
      hand += 1
    }
  }

  private func later(_ now: Int64, _ time: Int64) -> Int64 {
    let (sum, isTooLate) = now.addingReportingOverflow(time)
    return isTooLate ? .max : sum
  }
}
