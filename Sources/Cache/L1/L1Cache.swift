public import Primitives
public import Redis
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
    /// Nothing is served from here on; see ``L1Cache/serve(until:)``.
    var servedUntil = Int64.max
    /// Removals so far, of everything and of the keys of each stripe.
    var removals: UInt64 = 0
    var stripes = ContiguousArray<UInt64>(repeating: 0, count: L1Cache.stripeCount)
  }

  /// Keys share the counts by which a read finds that its key was removed meanwhile. Where they share one needlessly, a
  /// value is not held that could be.
  private static let stripeCount = 1024

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
      let value = now < state.servedUntil ? state.contents.value(of: key, at: now) : nil
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

  /// To be asked for before a value is read elsewhere that shall be held here.
  public func ticket(for key: String) -> L1Ticket {
    let stripe = Self.stripe(of: key)
    return state.withLock { L1Ticket(stripe: stripe, removals: $0.removals &+ $0.stripes[stripe]) }
  }

  /// Offers a value that was read since the ticket was given. It is not held if the key was removed since then, or while
  /// nothing is served.
  ///
  /// - Parameter lifetime: when the value must be gone, if that is before the cache's own time to live.
  public func store(_ value: CachedValue, for key: String, lifetime: Duration, under ticket: L1Ticket) {
    let now = coarseNanoseconds()
    state.withLock { state in
      let removals = state.removals &+ state.stripes[ticket.stripe]
      guard removals == ticket.removals, now < state.servedUntil else { return }
      state.contents.store(value, for: key, lifetime: lifetime.wholeNanoseconds, at: now)
    }
  }

  private static func stripe(of key: String) -> Int {
    Int(UInt(bitPattern: key.hashValue) % UInt(stripeCount))
  }

  /// The counts now.
  public var statistics: L1Statistics {
    state.withLock {
      L1Statistics(hits: $0.hits, misses: $0.misses, count: $0.contents.count, capacity: capacity)
    }
  }
}

/// The state of a key before it was read elsewhere.
public struct L1Ticket: Sendable {
  fileprivate let stripe: Int
  fileprivate let removals: UInt64
}

extension L1Cache: TrackedValues {
  /// Removes a key, and voids the tickets for it.
  public func remove(_ key: String) {
    let stripe = Self.stripe(of: key)
    state.withLock { state in
      state.stripes[stripe] &+= 1
      state.contents.remove(key)
    }
  }

  /// Removes everything, and voids all tickets.
  public func removeAll() {
    state.withLock { state in
      state.removals &+= 1
      state.contents.removeAll()
    }
  }

  /// Serves nothing from then on, until it is called again. A cache for which it is never called has no such end.
  public func serve(until deadline: Deadline) {
    state.withLock { $0.servedUntil = deadline.nanoseconds - Self.clockLag }
  }

  /// How far the clock by which a hit is judged may be behind: a tick, of which those of a virtual machine come late.
  private static let clockLag: Int64 = 100_000_000
}
