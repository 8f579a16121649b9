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
/// time-out; such loads are shared within the process. A load that fails or is cancelled gives its lease back. The same
/// goes for a server that has restarted or been replaced: reads go past it until it is vouched for, in the background.
///
/// A value that was read from L2 is no older than any write that was acknowledged before the call, and so is one from the
/// database, if the load reads the primary. One out of L1 is no older than what a `KeyTracker` allows, and lives no longer
/// than in L2.
public final class TieredCache: Sendable {
  /// Reads one row, or its absence, in one statement with its snapshot.
  public typealias Load = @Sendable () async throws -> LoadedValue
  /// Asks the primary database who may have fenced so far.
  public typealias AskHorizon = @Sendable () async throws -> Horizon

  /// How often each tier answered.
  public let counters = CacheCounters()

  private let l1: L1Cache?
  private let store: FencedStore
  private let redis: Connection
  private let servers: TrustedServers
  private let horizon: AskHorizon
  private let loads: SharedLoads<CachedValue>
  private let breaker = Mutex(Breaker())
  /// How often Redis has failed.
  private let failures = Atomic<Int>(0)
  private let refresh: EarlyRefresh
  /// Seconds that a load takes, the mean of the latest; guesses 10 ms at first.
  private let loadTime = Mutex(0.01)
  private let refreshes = Mutex(0)
  private let vouching = Mutex<Task<Bool, any Error>?>(nil)
  private let vouchingBreaker = Mutex(Breaker())

  /// How often a reader looks again for a value that another process loads, and how long it waits between.
  private static let looks = 5
  private static let lookPause = Duration.milliseconds(20)
  /// Loads in the background at a time; a value whose turn does not come is loaded by a later reader.
  private static let refreshesMax = 8
  /// Tries to vouch for servers that are replaced while it goes on.
  private static let vouchingAttempts = 3

  /// A cache over one connection to Redis.
  ///
  /// - Parameters:
  ///   - l1: nil for none, where a value must not be older than the last acknowledged write. Otherwise a `KeyTracker` of the
  ///     same Redis must follow it.
  ///   - servers: for this connection; its prefixes are those of all keys that are asked for.
  ///   - patience: how long a reader waits for a load.
  public convenience init(
    l1: L1Cache?, store: FencedStore, redis: Connection, servers: TrustedServers,
    patience: Duration = .seconds(30), horizon: @escaping AskHorizon
  ) {
    self.init(
      l1: l1, store: store, redis: redis, servers: servers, patience: patience,
      refresh: EarlyRefresh(eagerness: 1), horizon: horizon)
  }

  init(
    l1: L1Cache?, store: FencedStore, redis: Connection, servers: TrustedServers,
    patience: Duration = .seconds(30), refresh: EarlyRefresh, horizon: @escaping AskHorizon
  ) {
    self.l1 = l1
    self.store = store
    self.redis = redis
    self.servers = servers
    self.refresh = refresh
    self.horizon = horizon
    loads = SharedLoads(patience: patience)
  }

  /// Whether Redis is being left alone because it failed.
  public var isBypassingRedis: Bool { breaker.withLock(\.isOpen) }

  /// The value of a key.
  ///
  /// - Throws: what `load` throws; `LoadFailure`; `CancellationError`. Never an error of Redis.
  public func value(of key: CacheKey, load: @escaping Load) async throws -> CachedValue {
    try await answer(for: key, load: load).value
  }

  /// The value of a key out of L1, which waits for nothing; nil where it is not held. A miss is not counted, because
  /// ``answer(for:load:)`` will follow and count it.
  public func valueInMemory(of key: CacheKey) -> CachedValue? {
    guard let value = l1?.value(of: key.text) else { return nil }
    counters.noteL1(isHit: true)
    return value
  }

  /// The value of a key, and the tier that it came from.
  ///
  /// - Throws: as ``value(of:load:)``.
  public func answer(
    for key: CacheKey, load: @escaping Load
  ) async throws -> (value: CachedValue, tier: CacheTier) {
    if let l1 {
      let value = l1.value(of: key.text)
      counters.noteL1(isHit: value != nil)
      if let value { return (value, .l1) }
    }
    return try await readThrough(key, load)
  }

  private func readThrough(
    _ key: CacheKey, _ load: @escaping Load
  ) async throws -> (value: CachedValue, tier: CacheTier) {
    for look in 0..<Self.looks {
      let ticket = l1?.ticket(for: key.text)
      let reading = try await read(key)
      if look == 0 { counters.noteL2(isHit: reading?.isValue ?? false) }
      switch reading {
      case nil, .untrusted: return (try await shared(key, load), .database)
      case .value(let value, let timeLeft):
        await refreshIfDue(key, timeLeft, load)
        if let ticket { l1?.store(value, for: key.text, lifetime: timeLeft, under: ticket) }
        return (value, .l2)
      case .granted(let lease): return (try await loadAndFill(lease, load), .database)
      case .beingLoaded:
        if look + 1 < Self.looks { try await Task.sleep(for: Self.lookPause) }
      }
    }
    return (try await shared(key, load), .database)
  }

  private func shared(_ key: CacheKey, _ load: @escaping Load) async throws -> CachedValue {
    try await loads.value(of: key) { [self] in try await timed(load).value }
  }

  /// Loads the value anew in the background, with a likelihood that rises towards its end. Its readers wait for nothing.
  private func refreshIfDue(_ key: CacheKey, _ timeLeft: Duration, _ load: @escaping Load) async {
    let isDue = refresh.isDue(
      timeLeft: timeLeft, loadTime: .seconds(loadTime.withLock { $0 }),
      draw: .random(in: Double.leastNormalMagnitude...1))
    guard isDue, beginRefresh() else { return }
    let lease = await attempt { [store, servers] in try store.refreshLease(key, trusting: servers, in: $0) }
    guard let lease = lease ?? nil else { return endRefresh() }
    Task.detached { [self] in
      defer { endRefresh() }
      do {
        _ = try await loadAndFill(lease, load)
      } catch {
        // The value still lives, and who finds it gone will see the error of a load of its own.
        return
      }
    }
  }

  private func beginRefresh() -> Bool {
    refreshes.withLock { count in
      guard count < Self.refreshesMax else { return false }
      count += 1
      return true
    }
  }

  private func endRefresh() {
    refreshes.withLock { $0 -= 1 }
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
    // L1 gets it when it is next read out of L2: the fill is a change, which takes the key out of every L1.
    await attempt { [store] in try store.fill(loaded, under: lease, in: $0) }
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
    if vouching.withLock({ $0 != nil }) { return nil }
    let reading = await attempt { [store, servers] in try store.read(key, trusting: servers, in: $0) }
    try Task.checkCancellation()
    if case .untrusted = reading { vouchInBackground() }
    return reading
  }

  /// What `body` returns; nil when it failed or the breaker is open. A cache is never why a read fails.
  @discardableResult
  private func attempt<Result: Sendable>(
    _ body: @Sendable (any CommandRunner) throws -> Result
  ) async -> Result? {
    guard breaker.withLock({ $0.admits(at: monotonicNanoseconds()) }) else { return nil }
    let failuresBefore = failures.load(ordering: .acquiring)
    do {
      let result = try await redis.withSession { [self] runner -> Result? in
        // Whoever waited for the connection while Redis failed does not pay its time-out once more.
        guard failures.load(ordering: .acquiring) == failuresBefore else { return nil }
        return try body(runner)
      }
      if result != nil { breaker.withLock { $0.succeeded() } }
      return result
    } catch {
      breaker.withLock { breaker in
        switch error {
        // The caller was cancelled: that tells nothing of the server.
        case is CancellationError: breaker.abandoned()
        // Another program's key bears the name; the server is well.
        case RedisError.server(let error) where error.code == "WRONGTYPE": breaker.succeeded()
        default:
          failures.add(1, ordering: .acquiringAndReleasing)
          breaker.failed(at: monotonicNanoseconds())
        }
      }
      return nil
    }
  }

  // MARK: Trust

  /// Sees to it that values in Redis may be served, which is quick where they may be already. Reads do it by themselves, in
  /// the background; a command that reads once and ends does it first, or it would never come to an end.
  ///
  /// - Returns: whether they may; no, where `TrustedServers.refusal` says why, or servers are being replaced.
  /// - Throws: `RedisError`; what `horizon` throws.
  public func vouch() async throws -> Bool {
    let task = vouching.withLock { running in
      if let running { return running }
      let task = Task.detached { [self] in
        defer { vouching.withLock { $0 = nil } }
        for _ in 0..<Self.vouchingAttempts where try await vouchOnce() { return true }
        return false
      }
      running = task
      return task
    }
    return try await task.value
  }

  private func vouchOnce() async throws -> Bool {
    let begun = try await redis.withSession { [store, servers] in
      try store.beginEstablishing(servers, in: $0)
    }
    for var step in begun {
      // Others get their turn on the connection between two parts.
      while !step.isScrubbed {
        let before = step
        step = try await redis.withSession { [store, servers] session in
          var after = before
          try store.scrub(&after, servers, in: session)
          return after
        }
      }
      let (scrubbed, bound) = (step, try await horizon())
      let isDone = try await redis.withSession { [store, servers] in
        try store.finish(scrubbed, horizon: bound, servers, in: $0)
      }
      guard isDone else { return false }
    }
    return try await redis.withSession { [store, servers] in try store.trustsAll(servers, in: $0) }
  }

  private func vouchInBackground() {
    guard vouchingBreaker.withLock({ $0.admits(at: monotonicNanoseconds()) }) else { return }
    Task.detached { [self] in
      let isDone: Bool
      do {
        isDone = try await vouch()
      } catch {
        // Of no consequence but for another try after a pause; until then reads go past L2.
        isDone = false
      }
      vouchingBreaker.withLock { breaker in
        if isDone { breaker.succeeded() } else { breaker.failed(at: monotonicNanoseconds()) }
      }
    }
  }
}

extension StoreReading {
  fileprivate var isValue: Bool {
    if case .value = self { true } else { false }
  }
}
