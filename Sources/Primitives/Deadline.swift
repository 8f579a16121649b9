#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A point on the monotonic clock by which something must have happened. Every wait of IronForge has one.
public struct Deadline: Sendable, Comparable {
  /// Nanoseconds of `CLOCK_MONOTONIC`; `Int64.max` means that the caller bounds the wait by other means.
  public let nanoseconds: Int64

  private init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  public static func < (a: Deadline, b: Deadline) -> Bool { a.nanoseconds < b.nanoseconds }

  /// `duration` from now.
  public static func after(_ duration: Duration) -> Deadline {
    let parts = duration.components
    let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return .distantFuture }
    let (sum, tooFar) = monotonicNanoseconds().addingReportingOverflow(whole)
    guard !tooFar, sum < .max - 1_000_000_000 else { return .distantFuture }
    return Deadline(nanoseconds: sum + parts.attoseconds / 1_000_000_000)
  }

  /// Never. For work that a person bounds by Ctrl-C and the server by `statement_timeout`.
  public static let distantFuture = Deadline(nanoseconds: .max)

  public var hasPassed: Bool { self != .distantFuture && monotonicNanoseconds() >= nanoseconds }

  /// Milliseconds left, rounded up, as `poll(2)` wants them: 0 when passed, -1 for never.
  public var pollMilliseconds: Int32 {
    if self == .distantFuture { return -1 }
    let left = nanoseconds - monotonicNanoseconds()
    if left <= 0 { return 0 }
    return Int32(clamping: (left - 1) / 1_000_000 + 1)
  }

  /// The time left, zero when passed.
  public var remaining: Duration {
    self == .distantFuture
      ? .seconds(Int64.max / 4) : .nanoseconds(max(0, nanoseconds - monotonicNanoseconds()))
  }
}

/// Nanoseconds of the monotonic clock.
public func monotonicNanoseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// As ``monotonicNanoseconds()``, up to one tick of the kernel (1 to 10 ms) behind, at a quarter of its cost.
public func coarseNanoseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Blocks this thread for `duration`, and asks `check` before, after, and at least every 100 ms: a signal may wake
/// another thread than this one.
///
/// - Throws: what `check` throws, which ends the pause.
public func pause(for duration: Duration, check: () throws -> Void) rethrows {
  let deadline = Deadline.after(duration)
  repeat {
    try check()
    let (seconds, attoseconds) = min(.milliseconds(100), deadline.remaining).components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    nanosleep(&time, nil)
  } while !deadline.hasPassed
  try check()
}
