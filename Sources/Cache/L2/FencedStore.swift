public import Primitives
public import Redis

/// The right to fill one key once, until a write fences the key or the lease runs out.
public struct FillLease: Sendable, Hashable {
  /// The key that may be filled.
  public let key: CacheKey
  let token: String
}

/// What Redis says of a key.
public enum StoreReading: Sendable, Hashable {
  /// The value, and the time that it has left there.
  case value(CachedValue, timeLeft: Duration)
  /// There is none, and the caller is the one to load it.
  case granted(FillLease)
  /// There is none, and somebody else loads it.
  case beingLoaded
}

/// What became of a fill.
public enum FillOutcome: Sendable, Hashable {
  case stored
  /// The lease ran out, or a write has taken it away.
  case leaseLost
  /// A write has fenced the key that the load did not see.
  case fenced
}

/// A value out of the database with the snapshot that it was read in, both of one statement.
public struct LoadedValue: Sendable, Hashable {
  /// The row as text, or its absence.
  public let value: CachedValue
  /// What the statement saw.
  public let snapshot: DatabaseSnapshot

  /// What one statement returned.
  public init(_ value: CachedValue, snapshot: DatabaseSnapshot) {
    self.value = value
    self.snapshot = snapshot
  }
}

/// The bounds of L2. The defaults are those of SPEC section 1.3.
public struct StoreSettings: Sendable, Hashable {
  /// How long a value lives in Redis, before jitter.
  public var timeToLive: Duration = .seconds(300)
  /// How long an absence is remembered, before jitter.
  public var absenceTimeToLive: Duration = .seconds(30)
  /// The share of a life that is taken or added at random, 0 to 0.5, so that not all values die at once.
  public var jitter = 0.1
  /// How long a lease lives: what a slow load takes.
  public var leaseLife: Duration = .seconds(2)
  /// How long a fence lives: at least twice the longest writing transaction, and longer than any standby lags behind.
  public var fenceLife: Duration = .seconds(600)
  /// Fences of one key above which those that were seen become one.
  public var fencesMax = 32

  /// The defaults.
  public init() {}
}

/// L2: values in Redis that are never older than a write that was acknowledged before they are read.
///
/// ```swift
/// // A write, in its transaction, before COMMIT:
/// try store.fence([key], by: transaction, in: redis)
/// // A read:
/// switch try store.read(key, in: redis) {
/// case .value(let value, _): return value
/// case .beingLoaded: return try load().value
/// case .granted(let lease):
///   let loaded = try load()
///   try store.fill(loaded, under: lease, in: redis)
///   return loaded.value
/// }
/// ```
///
/// The scheme and what it guarantees stand in docs/cache.md. An absence is stored as the JSON text `null`.
public struct FencedStore: Sendable {
  private let settings: StoreSettings

  /// L2 with these bounds.
  ///
  /// - Throws: `cache_settings_invalid`, which names the value that cannot be.
  public init(_ settings: StoreSettings = StoreSettings()) throws(SimpleFailure) {
    func require(_ condition: Bool, _ complaint: String) throws(SimpleFailure) {
      if !condition {
        throw SimpleFailure(.configuration, code: "cache_settings_invalid", message: complaint)
      }
    }
    let lives = [
      settings.timeToLive, settings.absenceTimeToLive, settings.leaseLife, settings.fenceLife,
    ]
    try require(
      lives.allSatisfy { $0 >= .milliseconds(1) && $0 <= .seconds(366 * 86_400) },
      "the lives of values, leases and fences are from a millisecond to a year")
    try require((0...0.5).contains(settings.jitter), "the jitter is from 0 to 0.5, not \(settings.jitter)")
    try require((1...4096).contains(settings.fencesMax), "the most fences are from 1 to 4096")
    try require(settings.leaseLife < settings.fenceLife, "a lease must not outlive the fences")
    self.settings = settings
  }

  // MARK: Writing

  /// The commands that fence keys, one a key, for a caller that pipelines them with others.
  public func fencing(_ keys: [CacheKey], by transaction: TransactionID) -> [Command] {
    keys.map { key in
      Command(
        FenceScripts.fence, keys: [.text(key.text), .text(key.sideKey)],
        arguments: [.text(transaction.description), milliseconds(settings.fenceLife)])
    }
  }

  /// Fences keys that a transaction has written. To be called before its COMMIT is sent; must have succeeded by then, or
  /// the keys must stand in the outbox. Once fenced, no value that the transaction made obsolete can come in again, whether
  /// it commits or not and whoever dies.
  ///
  /// - Throws: `RedisError`, also where one key was refused.
  public func fence(_ keys: [CacheKey], by transaction: TransactionID, in session: some CommandRunner) throws
  {
    // Twice is as good as once.
    try session.pipeline(fencing(keys, by: transaction), isIdempotent: true) { _, reply in
      _ = try reply.get()
    }
  }

  // MARK: Reading

  /// Reads a key, or asks for the right to fill it.
  ///
  /// - Throws: `RedisError`.
  public func read(_ key: CacheKey, in session: some CommandRunner) throws -> StoreReading {
    let lease = newLease(key)
    let reply = try session.execute(asking(FenceScripts.getOrLease, for: lease))
    guard let parts = try reply.array(), parts.count == 2 else {
      throw RedisError.unexpectedReply(expected: "two elements", got: "others")
    }
    let number = try parts[1].integer()
    guard let text = try parts[0].text() else { return number == 1 ? .granted(lease) : .beingLoaded }
    // -1: another program has stored it without an end.
    let timeLeft = number < 0 ? settings.timeToLive : .milliseconds(number)
    return .value(text == "null" ? .absent : .text(text), timeLeft: timeLeft)
  }

  /// Asks for the right to load a value anew while it still lives; nil when another has it.
  ///
  /// - Throws: `RedisError`.
  public func refreshLease(_ key: CacheKey, in session: some CommandRunner) throws -> FillLease? {
    let lease = newLease(key)
    return try session.execute(asking(FenceScripts.leaseToRefresh, for: lease)).integer() == 1 ? lease : nil
  }

  private func newLease(_ key: CacheKey) -> FillLease {
    FillLease(key: key, token: String(UInt64.random(in: .min ... .max), radix: 36))
  }

  private func asking(_ script: Script, for lease: FillLease) -> Command {
    Command(
      script, keys: [.text(lease.key.text), .text(lease.key.sideKey)],
      arguments: [.text(lease.token), milliseconds(settings.leaseLife)])
  }

  /// Stores a loaded value, if the lease still stands and the load saw every write that has fenced the key.
  ///
  /// - Parameter timeToLive: instead of the settings'; before jitter.
  /// - Throws: `RedisError`.
  @discardableResult
  public func fill(
    _ loaded: LoadedValue, under lease: FillLease, timeToLive: Duration? = nil, in session: some CommandRunner
  ) throws -> FillOutcome {
    // Sent again after a lost reply it would find no lease and do no harm.
    let reply = try session.execute(
      filling(loaded, under: lease, timeToLive: timeToLive, jitter: .random(in: -1...1)))
    switch try reply.integer() {
    case 1: return .stored
    case 0: return .leaseLost
    case -1: return .fenced
    case let other: throw RedisError.unexpectedReply(expected: "1, 0 or -1", got: String(other))
    }
  }

  /// Gives the lease back, where the load has failed, so that the next reader need not wait for its end.
  ///
  /// - Throws: `RedisError`.
  public func release(_ lease: FillLease, in session: some CommandRunner) throws {
    try session.execute(
      Command(
        FenceScripts.release, keys: [.text(lease.key.text), .text(lease.key.sideKey)],
        arguments: [.text(lease.token)]), isIdempotent: true)
  }

  /// - Parameter jitter: -1 to 1.
  func filling(
    _ loaded: LoadedValue, under lease: FillLease, timeToLive: Duration?, jitter: Double
  ) -> Command {
    let text: String
    let life: Duration
    switch loaded.value {
    case .text(let json): (text, life) = (json, timeToLive ?? settings.timeToLive)
    case .absent: (text, life) = ("null", settings.absenceTimeToLive)
    }
    let snapshot = loaded.snapshot
    let running = snapshot.running.reduce(into: ",") { $0 += "\($1)," }
    return Command(
      FenceScripts.fill, keys: [.text(lease.key.text), .text(lease.key.sideKey)],
      arguments: [
        .text(lease.token), .text(text), milliseconds(life * (1 + settings.jitter * jitter)),
        .text(snapshot.oldestRunning.description), .text(snapshot.firstUnborn.description), .text(running),
        .integer(snapshot.isFromStandby ? 1 : 0), .integer(settings.fencesMax),
        milliseconds(settings.fenceLife),
      ])
  }

  private func milliseconds(_ duration: Duration) -> Argument {
    .integer(Int(clamping: max(1, duration.wholeNanoseconds / 1_000_000)))
  }
}
