/// The bounds of a pool. The defaults are those of `[database]` in SPEC section 1.3.
public struct PoolConfiguration: Sendable, Hashable {
  /// Connections that may exist at once, counting those being opened and those being closed.
  public let maxConnections: Int
  /// Connections kept open while `run()` is active; a pool without `run()` opens only what is asked for.
  public let minConnections: Int
  /// How long one attempt to connect may take; handed to the connect closure as a deadline.
  public let connectTimeout: Duration
  /// A connection that nobody used for so long is closed, down to `minConnections`.
  public let idleTimeout: Duration
  /// A connection is closed once it is this old, a random tenth earlier, so that not all die at once.
  public let maxLifetime: Duration
  /// How long a caller waits for a connection before `PoolError.timedOut`.
  public let waitTimeout: Duration
  /// Callers that may wait beyond those for whom a connection can be opened; further ones are refused.
  public let maxWaiters: Int
  /// Failed rounds of connecting, one back-off apart, after which the waiting callers are told.
  public let connectAttempts: Int

  /// The defaults of SPEC section 1.3.
  public static let `default` = PoolConfiguration()

  private init() {
    maxConnections = 50
    minConnections = 10
    connectTimeout = .seconds(10)
    idleTimeout = .seconds(600)
    maxLifetime = .seconds(1800)
    waitTimeout = .seconds(30)
    maxWaiters = 1000
    connectAttempts = 3
  }

  /// Checks the values against each other.
  ///
  /// - Throws: `PoolError.invalidConfiguration`, which names the value that cannot be.
  public init(
    maxConnections: Int = 50, minConnections: Int = 10, connectTimeout: Duration = .seconds(10),
    idleTimeout: Duration = .seconds(600), maxLifetime: Duration = .seconds(1800),
    waitTimeout: Duration = .seconds(30), maxWaiters: Int = 1000, connectAttempts: Int = 3
  ) throws {
    func require(_ condition: Bool, _ complaint: String) throws {
      guard condition else { throw PoolError.invalidConfiguration(complaint) }
    }
    try require(maxConnections >= 1, "max_connections must be at least 1, not \(maxConnections)")
    try require(minConnections >= 0, "min_connections must not be negative, but is \(minConnections)")
    try require(
      minConnections <= maxConnections,
      "min_connections (\(minConnections)) must not be above max_connections (\(maxConnections))")
    try require(connectTimeout > .zero, "connect_timeout must be above zero")
    try require(idleTimeout > .zero, "idle_timeout must be above zero")
    try require(maxLifetime > .zero, "max_lifetime must be above zero")
    try require(waitTimeout > .zero, "wait_timeout must be above zero")
    try require(maxWaiters >= 0, "max_waiters must not be negative, but is \(maxWaiters)")
    try require(connectAttempts >= 1, "connect_attempts must be at least 1, not \(connectAttempts)")
    self.maxConnections = maxConnections
    self.minConnections = minConnections
    self.connectTimeout = connectTimeout
    self.idleTimeout = idleTimeout
    self.maxLifetime = maxLifetime
    self.waitTimeout = waitTimeout
    self.maxWaiters = maxWaiters
    self.connectAttempts = connectAttempts
  }
}
