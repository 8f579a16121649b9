internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How often and how long work is tried again after a failure that may pass.
public struct RetryPolicy: Sendable {
  /// The most attempts, the first included.
  public var attempts: Int
  /// After this long, no further attempt is started.
  public var budget: Duration

  public init(attempts: Int = 12, budget: Duration = .seconds(15)) {
    self.attempts = attempts
    self.budget = budget
  }
}

/// The waits between attempts: they double from 5 ms to 2 s, and a random half of each is left out, so that
/// processes that failed together do not come back together.
public struct Backoff {
  private let deadline: Deadline
  private var attemptsLeft: Int
  private var milliseconds: Int64 = 5

  public init(_ policy: RetryPolicy) {
    deadline = .after(policy.budget)
    attemptsLeft = policy.attempts - 1
  }

  /// Sleeps before the next attempt; false where there is none.
  public mutating func wait() -> Bool {
    guard attemptsLeft > 0, !deadline.hasPassed else { return false }
    attemptsLeft -= 1
    usleep(UInt32(Int64.random(in: milliseconds / 2...milliseconds) * 1000))
    milliseconds = min(milliseconds * 2, 2000)
    return true
  }
}
