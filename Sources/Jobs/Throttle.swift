internal import Primitives

/// What keeps a run from going faster.
public enum Throttle: Sendable, Equatable {
  /// `--max-rate`: rows a second.
  case rate(Int)
  /// A standby is further behind than `--max-lag`; seconds.
  case replicaLag(seconds: Double, limit: Double)
  /// A configured replica cannot be asked how far behind it is.
  case replicaUnreachable
  /// So many other sessions wait for locks that the run holds.
  case lockWaits(Int)
  /// Chunks gave way to other transactions (lock time-out, deadlock) and wait for another attempt.
  case conflicts
  /// The lock that makes this process the owner was lost and is not back yet.
  case ownership
  case paused

  /// The word in `throttled_by`.
  public var code: String {
    switch self {
    case .rate: "rate"
    case .replicaLag: "replica_lag"
    case .replicaUnreachable: "replica_unreachable"
    case .lockWaits: "lock_waits"
    case .conflicts: "conflicts"
    case .ownership: "ownership"
    case .paused: "paused"
    }
  }

  /// For people.
  public var detail: String {
    switch self {
    case .rate(let rows): "at most \(rows) rows a second"
    case .replicaLag(let seconds, let limit):
      seconds.isFinite
        ? "a replica is \(tenths(seconds)) s behind, at most \(tenths(limit)) s are wanted"
        : "a replica is catching up, and its lag is not known"
    case .replicaUnreachable: "a configured replica cannot be asked for its lag"
    case .lockWaits(let count):
      "\(count) other session\(count == 1 ? " waits" : "s wait") for locks of this run"
    case .conflicts: "chunks wait for another attempt after a lock time-out or a deadlock"
    case .ownership: "the connection that holds the run's lock was lost"
    case .paused: "paused"
    }
  }
}

private func tenths(_ value: Double) -> String { "\((min(value, 1e12) * 10).rounded() / 10)" }

/// Spreads rows over time. Nanoseconds of the monotonic clock.
struct RateLimiter: Sendable, Equatable {
  private let rowsPerSecond: Double
  private var freeAt: Int64 = .min

  /// Time that was not used is kept for this long: whoever asks a few times a second still gets the whole
  /// rate.
  private static let memory: Int64 = 250_000_000

  init(rowsPerSecond: Int) {
    self.rowsPerSecond = Double(max(1, rowsPerSecond))
  }

  /// Whether a chunk may start.
  func admits(at now: Int64) -> Bool { now >= freeAt }

  /// A chunk of `rows` starts.
  mutating func take(_ rows: Int64, at now: Int64) {
    let nanoseconds = min(Double(rows) / rowsPerSecond * 1e9, 1e17)
    freeAt = max(freeAt, now - Self.memory) + Int64(nanoseconds)
  }
}

/// Decides whether a chunk may start now. All that is measured comes in from outside.
struct Governor: Sendable {
  var isPaused = false
  var isOwner = true
  var lockWaits = 0
  /// Seconds; nil where lag does not matter or is not known yet.
  var lag: Double?
  var isReplicaUnreachable = false
  private let maxLag: Double?
  private let maxRate: Int?
  private var limiter: RateLimiter?

  init(_ settings: RunSettings) {
    maxLag = settings.maxLagSeconds
    maxRate = settings.maxRate
    limiter = settings.maxRate.map { RateLimiter(rowsPerSecond: $0) }
  }

  /// Why no chunk may start; nil where one may. The rate comes last: it is the normal case.
  func throttle(at now: Int64) -> Throttle? {
    if isPaused { return .paused }
    if !isOwner { return .ownership }
    if let maxLag {
      if isReplicaUnreachable { return .replicaUnreachable }
      if let lag, lag > maxLag { return .replicaLag(seconds: lag, limit: maxLag) }
    }
    if lockWaits > 0 { return .lockWaits(lockWaits) }
    if let maxRate, let limiter, !limiter.admits(at: now) { return .rate(maxRate) }
    return nil
  }

  /// A chunk of `rows` starts.
  mutating func take(_ rows: Int64, at now: Int64) { limiter?.take(rows, at: now) }
}

/// Rows a second, of late: a mean in which ten seconds ago counts a third.
struct RateMeter: Sendable {
  private(set) var rowsPerSecond = 0.0
  private var last: (done: Int64, time: Int64)?
  private var seconds = 0.0

  private static let memory = 10.0

  /// `done` rows at `now`, in nanoseconds.
  mutating func update(done: Int64, at now: Int64) {
    defer { last = (done, now) }
    guard let last, now > last.time else { return }
    let step = Double(now - last.time) / 1e9
    seconds += step
    let rate = Double(done - last.done) / step
    // At first the plain mean: the average of nothing with something would be half of it.
    let weight = step / min(seconds, Self.memory)
    rowsPerSecond += (rate - rowsPerSecond) * min(1, weight)
  }
}
