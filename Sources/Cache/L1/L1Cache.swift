import Primitives
import Synchronization

/// What an L1 cache counted since it was made.
public struct L1Statistics: Sendable, Equatable {
  /// Requests that found their value.
  public var hits: UInt64 = 0
  /// Requests that did not.
  public var misses: UInt64 = 0
  /// Entries held now.
  public var count = 0
  /// The bound of ``count``.
  public var capacity = 0
}

/// A bounded cache in this process, for any number of threads.
///
/// ```swift
/// let cache = L1Cache(capacity: 10_000, timeToLive: .seconds(300), timeToIdle: .seconds(60))
/// cache.store(.text(json), for: "user:42")
/// let json = cache.value(of: "user:42")?.text
/// ```
///
/// It never holds more entries than its capacity, not even for a moment. Which ones it holds is decided by the
/// policy of docs/cache.md; a value that is stored may therefore be declined. An entry is gone once it is older than
/// the time to live, or once nobody has asked for it for the time to idle.
public final class L1Cache: Sendable {
  private struct State: ~Copyable {
    var contents: L1Contents
    var hits: UInt64 = 0
    var misses: UInt64 = 0
  }

  /// The most entries at a time.
  public let capacity: Int
  private let state: Mutex<State>

  /// An empty cache.
  ///
  /// - Parameters:
  ///   - capacity: entries, 1 to 100,000,000. Some 350 bytes each for the policy, beside the values.
  ///   - timeToLive: the longest life of an entry.
  ///   - timeToIdle: the longest time between two requests for an entry.
  public convenience init(capacity: Int, timeToLive: Duration, timeToIdle: Duration) {
    self.init(
      capacity: capacity, timeToLive: timeToLive, timeToIdle: timeToIdle, seed: .random(in: 0...UInt64.max))
  }

  /// As the public one, with a seed, for runs that can be repeated.
  init(capacity: Int, timeToLive: Duration, timeToIdle: Duration, seed: UInt64) {
    self.capacity = capacity
    state = Mutex(
      State(
        contents: L1Contents(capacity: capacity, timeToLive: timeToLive, timeToIdle: timeToIdle, seed: seed)))
  }

  /// The value of a key, if it is held and alive.
  public func value(of key: String) -> CachedValue? {
    let now = coarseNanoseconds()
    return state.withLock { state in
      let value = state.contents.value(of: key, at: now)
      if value == nil { state.misses &+= 1 } else { state.hits &+= 1 }
      return value
    }
  }

  /// Offers a value to the cache.
  ///
  /// - Parameter lifetime: where the value must be gone before the cache's own time to live.
  public func store(_ value: CachedValue, for key: String, lifetime: Duration? = nil) {
    let now = coarseNanoseconds()
    state.withLock { state in
      state.contents.store(value, for: key, lifetime: lifetime?.wholeNanoseconds ?? .max, at: now)
    }
  }

  /// Removes a key.
  public func remove(_ key: String) {
    state.withLock { $0.contents.remove(key) }
  }

  /// Removes everything.
  public func removeAll() {
    state.withLock { $0.contents.removeAll() }
  }

  /// The counts now.
  public var statistics: L1Statistics {
    state.withLock {
      L1Statistics(hits: $0.hits, misses: $0.misses, count: $0.contents.count, capacity: capacity)
    }
  }
}
