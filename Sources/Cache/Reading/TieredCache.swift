import Primitives
public import Redis
import Synchronization

/// Where a value came from.
public enum CacheTier: String, Sendable, Hashable {
  case l1, l2, database
}

/// Reads through both tiers: L1, then Redis, then the database, and fills back.
///
/// ```swift
/// let value = try await cache.value(of: key) { try await readUser(42) }
/// ```
///
/// By the lease one load of a key at a time goes on among all processes. Whoever finds it taken looks again a few times,
/// and then reads the database without filling. When Redis fails, reads go to the database, and a breaker spares them its
/// time-out; such loads are shared within the process. A load that fails or is cancelled gives its lease back.
///
/// A value that was read from L2 or the database is no older than any write that was acknowledged before the call, if the
/// load reads the primary. L1 knows nothing of writes by others: its time to live is how old a value out of it can be.
public final class TieredCache: Sendable {
  /// Reads one row, or its absence, in one statement with its snapshot.
  public typealias Load = @Sendable () async throws -> LoadedValue

  private let l1: L1Cache?
  private let store: FencedStore
  private let redis: Connection
  private let loads: SharedLoads<CachedValue>
  private let breaker = Mutex(Breaker())
  private let refresh = EarlyRefresh(eagerness: 1)
  /// Seconds that a load takes, the mean of the latest; guesses 10 ms at first.
  private let loadTime = Mutex(0.01)

  /// How often a reader looks again for a value that another process loads, and how long it waits between.
  private static let looks = 5
  private static let lookPause = Duration.milliseconds(20)

  /// A cache over one connection to Redis.
  ///
  /// - Parameters:
  ///   - l1: nil for none, where a value must not be older than the last acknowledged write.
  ///   - patience: how long a reader waits for a load.
  public init(
    l1: L1Cache?, store: FencedStore, redis: Connection, patience: Duration = .seconds(30)
  ) {
    self.l1 = l1
    self.store = store
    self.redis = redis
    loads = SharedLoads(patience: patience)
  }

  /// Whether Redis is being left alone because it failed.
  public var isBypassingRedis: Bool { breaker.withLock(\.isOpen) }

  /// The value of a key.
  ///
  /// - Throws: what `load` throws; `LoadFailure`; `CancellationError`. Never an error of Redis.
  public func value(of key: CacheKey, load: @escaping Load) async throws -> CachedValue {
    if let value = l1?.value(of: key.text) { return value }
    return try await readThrough(key, load)
  }

  /// Forgets a key in this process.
  public func forget(_ key: CacheKey) {
    l1?.remove(key.text)
  }

  private func readThrough(_ key: CacheKey, _ load: @escaping Load) async throws -> CachedValue {
    for look in 0..<Self.looks {
      switch try await read(key) {
      case nil: return try await loads.value(of: key) { [self] in try await timed(load).value }
      case .value(let value, let timeLeft):
        await refreshIfDue(key, timeLeft, load)
        l1?.store(value, for: key.text, lifetime: timeLeft)
        return value
      case .granted(let lease): return try await loadAndFill(lease, load)
      case .beingLoaded:
        if look + 1 < Self.looks { try await Task.sleep(for: Self.lookPause) }
      }
    }
    return try await loads.value(of: key) { [self] in try await timed(load).value }
  }

  /// Loads the value anew in the background, with a likelihood that rises towards its end. Its readers wait for nothing.
  private func refreshIfDue(_ key: CacheKey, _ timeLeft: Duration, _ load: @escaping Load) async {
    let isDue = refresh.isDue(
      timeLeft: timeLeft, loadTime: .seconds(loadTime.withLock { $0 }),
      draw: .random(in: Double.leastNormalMagnitude...1))
    guard isDue, let lease = await attempt({ [store] in try store.refreshLease(key, in: $0) }) ?? nil else {
      return
    }
    Task.detached { [self] in
      do {
        _ = try await loadAndFill(lease, load)
      } catch {
        // The value still lives, and who finds it gone will see the error of a load of its own.
        return
      }
    }
  }

  private func loadAndFill(_ lease: FillLease, _ load: Load) async throws -> CachedValue {
    let loaded: LoadedValue
    do {
      loaded = try await timed(load)
    } catch {
      // Not as part of this task, which may have been cancelled.
      Task.detached { [self] in await attempt { [store] in try store.release(lease, in: $0) } }
      throw error
    }
    let outcome = await attempt { [store] in try store.fill(loaded, under: lease, in: $0) }
    // Anything else may have been overtaken by a write already.
    if outcome == .stored { l1?.store(loaded.value, for: lease.key.text) }
    return loaded.value
  }

  private func timed(_ load: Load) async throws -> LoadedValue {
    let begin = monotonicNanoseconds()
    let loaded = try await load()
    let seconds = Double(monotonicNanoseconds() - begin) / 1e9
    loadTime.withLock { $0 += (seconds - $0) / 8 }
    return loaded
  }

  // MARK: Redis

  /// Nil when Redis is left alone, or has just failed.
  private func read(_ key: CacheKey) async throws -> StoreReading? {
    let reading = await attempt { [store] in try store.read(key, in: $0) }
    try Task.checkCancellation()
    return reading
  }

  /// What `body` returns; nil when it failed or the breaker is open. A cache is never why a read fails.
  @discardableResult
  private func attempt<Result: Sendable>(_ body: @Sendable (Session) throws -> Result) async -> Result? {
    guard breaker.withLock({ $0.admits(at: monotonicNanoseconds()) }) else { return nil }
    do {
      let result = try await redis.withSession(body)
      breaker.withLock { $0.succeeded() }
      return result
    } catch {
      breaker.withLock { breaker in
        // The caller was cancelled: that tells nothing of the server.
        if error is CancellationError {
          breaker.abandoned()
        } else {
          breaker.failed(at: monotonicNanoseconds())
        }
      }
      return nil
    }
  }
}
