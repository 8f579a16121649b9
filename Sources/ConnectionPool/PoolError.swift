public import Primitives

/// Why a pool did not lend a connection.
///
/// When connecting itself fails, the waiting callers get the error of the connect closure, not one of these.
public enum PoolError: Failure, Equatable {
  /// No connection came free within the wait time-out.
  case timedOut(after: Duration, maxConnections: Int, lastConnectError: String?)
  /// As many callers wait already as may wait.
  case queueFull(maxWaiters: Int)
  /// The pool is shutting down.
  case draining
  /// `drain(deadline:)` ran out of time while connections were still lent out.
  case drainTimedOut(leased: Int)
  /// The bounds contradict each other or make no sense.
  case invalidConfiguration(String)

  /// `pool_` and the case.
  public var code: String {
    switch self {
    case .timedOut: "pool_timeout"
    case .queueFull: "pool_queue_full"
    case .draining: "pool_draining"
    case .drainTimedOut: "pool_drain_timeout"
    case .invalidConfiguration: "pool_configuration"
    }
  }

  /// What the caller waited for, and the last connect error where there was one.
  public var message: String {
    switch self {
    case .timedOut(let waited, let most, let lastConnectError):
      "no connection came free within \(waited) (at most \(most) are open at once)"
        + (lastConnectError.map { "; the last attempt to connect failed: \($0)" } ?? "")
    case .queueFull(let limit):
      "all connections are in use and \(limit) callers wait already"
    case .draining:
      "the connection pool is shutting down"
    case .drainTimedOut(let leased):
      "\(leased) connections were still in use when the time to shut down was over"
    case .invalidConfiguration(let complaint):
      complaint
    }
  }

  /// Which bound to change, or where to look.
  public var hint: String? {
    switch self {
    case .timedOut(_, _, .none): "raise max_connections, or lower the concurrency of the work"
    case .timedOut: "check that the server is up and accepts connections"
    case .queueFull: "lower the concurrency of the work, or raise max_connections"
    case .draining, .drainTimedOut, .invalidConfiguration: nil
    }
  }

  /// True where a connection may come free.
  public var isRetryable: Bool {
    switch self {
    case .timedOut, .queueFull: true
    case .draining, .drainTimedOut, .invalidConfiguration: false
    }
  }

  /// The exit code: 69 when no connection can be had, 75 when too many ask for one.
  public var kind: FailureKind {
    switch self {
    case .timedOut, .draining: .unreachable
    case .queueFull: .busy
    case .drainTimedOut: .unexpected
    case .invalidConfiguration: .configuration
    }
  }
}
