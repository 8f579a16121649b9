public import Primitives
import Redis

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
  /// How long a side hash lives. Once it is gone, the registry answers for it: at the price of a look into that, and of
  /// fills that wait for all transactions that it names.
  public var fenceLife: Duration = .seconds(600)
  /// Fences of one key above which those of transactions that are over become one.
  public var fencesMax = 32
  /// Which registry answers for side hashes that were lost: `fence:{ironforge}`. All who write or read the same keys have
  /// the same.
  public var registry = "ironforge"

  /// The defaults.
  public init() {}
}

/// L2: values in Redis that are never older than a write that was acknowledged before they are read.
///
/// ```swift
/// // A write, in its transaction, before COMMIT, and after it:
/// try store.fence([key], by: transaction, in: redis)
/// try store.confirm([key], by: transaction.id, in: redis)
/// // A read:
/// switch try store.read(key, trusting: servers, in: redis) {
/// case .value(let value, _): return value
/// case .beingLoaded, .untrusted: return try load().value
/// case .granted(let lease):
///   let loaded = try load()
///   try store.fill(loaded, under: lease, in: redis)
///   return loaded.value
/// }
/// ```
///
/// The scheme and what it guarantees stand in docs/cache.md. An absence is stored as the JSON text `null`. The operations
/// stand in files of their own: Writing, Reading, Filling, Warming, Establishing.
public struct FencedStore: Sendable {
  let settings: StoreSettings

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

  var registryKey: String { Registry.key(settings.registry) }

  func milliseconds(_ duration: Duration) -> Argument {
    .integer(Int(clamping: max(1, duration.wholeNanoseconds / 1_000_000)))
  }

  /// Keys in groups that may stand in one command, each of which keeps Redis busy for about a millisecond at most.
  func groups<Element>(
    _ elements: [Element], by key: (Element) -> CacheKey, in runner: some CommandRunner
  ) -> [ArraySlice<Element>] {
    // One server: any keys may go together.
    guard runner.slot(of: registryKey) != nil else { return bounded(elements) }
    var slots: [Int?: [Element]] = [:]
    for element in elements { slots[runner.slot(of: key(element).text), default: []].append(element) }
    return slots.values.flatMap(bounded)
  }

  private func bounded<Element>(_ elements: [Element]) -> [ArraySlice<Element>] {
    stride(from: 0, to: elements.count, by: FenceScripts.keysMax).map {
      elements[$0..<min($0 + FenceScripts.keysMax, elements.count)]
    }
  }

  /// The values' keys and their side hashes', as the scripts take them.
  func pairs(_ keys: some Sequence<CacheKey>) -> [Argument] {
    keys.flatMap { [.text($0.text), .text($0.sideKey)] }
  }
}
