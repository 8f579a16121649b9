/// How a session connects and how long it waits.
public struct SessionOptions: Sendable {
  /// Bound on connecting, for each host of a multi-host string; whole seconds, at least 2 (libpq's rule).
  public var connectTimeout: Duration
  /// `statement_timeout` of the session: the server ends a statement that takes longer.
  public var statementTimeout: Duration
  /// `lock_timeout` of the session: the server ends a statement that waits longer for one lock.
  public var lockTimeout: Duration
  /// How the session is named in `pg_stat_activity`.
  public var applicationName: String

  public init(
    connectTimeout: Duration = .seconds(10), statementTimeout: Duration = .seconds(30),
    lockTimeout: Duration = .seconds(5), applicationName: String = "ironforge"
  ) {
    self.connectTimeout = connectTimeout
    self.statementTimeout = statementTimeout
    self.lockTimeout = lockTimeout
    self.applicationName = applicationName
  }

  /// What the client adds to the server's own `statement_timeout` before it gives the connection up: the
  /// server's answer needs time to arrive, and a server that is stopped never sends one.
  static let grace: Duration = .seconds(5)
}

extension Duration {
  /// Whole milliseconds, rounded up, because 0 means no time-out; clamped to what PostgreSQL's settings take.
  public var settingMilliseconds: Int32 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    if overflow { return seconds < 0 ? 0 : .max }
    let (sum, tooLarge) = whole.addingReportingOverflow(
      (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    return tooLarge ? .max : max(0, Int32(clamping: sum))
  }
}
