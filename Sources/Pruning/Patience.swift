internal import Postgres
internal import Primitives

/// How long a statement that works concurrently is tried for. It waits for other transactions without making anybody wait
/// for itself, so that only this program's time is at stake.
public struct Patience: Sendable {
  /// `lock_timeout` of each attempt.
  public var lockTimeout: Duration
  public var attempts: Int
  /// Before the second attempt; doubled before each further one, up to `pauseMax`.
  public var pause: Duration
  public var pauseMax: Duration
  /// Bound on one attempt as a whole.
  public var attemptMax: Duration

  public init(
    lockTimeout: Duration, attempts: Int = 5, pause: Duration = .seconds(1),
    pauseMax: Duration = .seconds(15), attemptMax: Duration
  ) {
    self.lockTimeout = lockTimeout
    self.attempts = attempts
    self.pause = pause
    self.pauseMax = pauseMax
    self.attemptMax = attemptMax
  }

  /// For DROP INDEX CONCURRENTLY, which does little but wait.
  public static func dropping(lockTimeout: Duration) -> Patience {
    Patience(lockTimeout: lockTimeout, attemptMax: .seconds(300))
  }

  /// For CREATE INDEX CONCURRENTLY, which begins from nothing when it is cut short.
  public static func creating(lockTimeout: Duration) -> Patience {
    Patience(lockTimeout: max(lockTimeout, .seconds(600)), attempts: 3, attemptMax: .seconds(86_400))
  }

  /// Before attempt `number`, counted from 1.
  func pause(before number: Int) -> Duration {
    guard number > 1 else { return .zero }
    return min(pauseMax, pause * (1 << min(number - 2, 20)))
  }
}

/// Somebody held a lock for longer than one was ready to wait.
struct Blocked: Error {
  var attempts: Int
  /// Who, as far as the role may see.
  var holders: [String]
}

/// Sends statements that wait for others, with bounds.
struct PatientSession {
  /// What is to be done in an attempt.
  enum Preparation {
    case send
    /// Somebody else is at it; the attempt is over.
    case wait
    /// Nothing is left to do.
    case end
  }

  let session: Session
  let patience: Patience
  /// Throws to stop between two attempts.
  let check: () throws -> Void
  let onWait: (_ holders: [String], _ pause: Duration) -> Void

  /// Sends one statement until it gets its locks.
  ///
  /// - Parameters:
  ///   - index: whose table it waits for; 0 for none that exists yet.
  ///   - prepare: called before every attempt.
  /// - Throws: `Blocked`, `PostgresError`, and what `prepare` and `check` throw.
  func send(_ sql: String, on index: UInt32, prepare: () throws -> Preparation) throws {
    var holders: [String] = []
    for attempt in 1...max(1, patience.attempts) {
      if attempt > 1 {
        let pause = patience.pause(before: attempt)
        onWait(holders, pause)
        try Primitives.pause(for: pause, check: check)
      }
      switch try prepare() {
      case .end: return
      case .wait: break
      case .send:
        if try sendOnce(sql) { return }
      }
      holders = try session.query(PruneStatements.blockers(Int64(index))).map { row in try row.decode(0) }
    }
    throw Blocked(attempts: max(1, patience.attempts), holders: holders)
  }

  /// - Returns: false when somebody kept it waiting for too long.
  private func sendOnce(_ sql: String) throws -> Bool {
    try session.simple("set lock_timeout = \(patience.lockTimeout.settingMilliseconds)")
    do {
      try session.withStatementTimeout(patience.attemptMax) { try session.simple(sql) }
      return true
    } catch let error as PostgresError {
      // lock_timeout, deadlock, statement_timeout.
      guard let state = error.sqlState, ["55P03", "40P01", "57014"].contains(state) else { throw error }
      return false
    }
  }
}
