public import ConnectionPool
public import Primitives
import Synchronization

/// A connection to Redis or to a Redis Cluster for concurrent code: an actor on a thread of its own that lends its session.
///
/// ```swift
/// let connection = try await Connection.connect(to: endpoint)
/// let (hits, misses) = try await connection.withSession { session in
///   (try session.execute("GET", "hits").text(), try session.execute("GET", "misses").text())
/// }
/// ```
///
/// The closure is synchronous, so nothing comes between its commands, and it costs one hop however many it
/// sends. Blocking calls block that thread alone. Cancelling the task stops a wait for the server at once; the
/// connection is then replaced by the next command.
///
/// Lost connections are handled by the session (see `Session`), so a pool may keep a connection whose server
/// has gone away for a while.
public actor Connection: PooledConnection {
  private let executor: ThreadExecutor
  private let session: any CommandRunner
  private let interruption: Interruption
  private let isOpen = Mutex(true)

  /// The thread of this connection.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// A connection that connects with its first command.
  ///
  /// - Parameter isCluster: whether the endpoint is a node of a Redis Cluster.
  /// - Throws: a `Failure` when the process is out of file descriptors; `RedisError.invalidEndpoint` for a cluster and a
  ///   database other than 0.
  public init(
    _ endpoint: Endpoint, isCluster: Bool = false, connectTimeout: Duration = .seconds(5),
    commandTimeout: Duration = .seconds(5)
  ) throws {
    let interruption = try Interruption()
    self.interruption = interruption
    executor = ThreadExecutor()
    session =
      isCluster
      ? try ClusterSession(
        endpoint, connectTimeout: connectTimeout, commandTimeout: commandTimeout, interruption: interruption)
      : Session(
        endpoint, connectTimeout: connectTimeout, commandTimeout: commandTimeout, interruption: interruption)
  }

  /// Connects, logs in and selects the database; a cluster's nodes are learnt from the first.
  ///
  /// - Parameter deadline: for the whole of it; the connect time-out applies as well.
  /// - Throws: what `Session.init(connecting:connectTimeout:commandTimeout:)` and that of `ClusterSession` throw;
  ///   `CancellationError`.
  public static func connect(
    to endpoint: Endpoint, isCluster: Bool = false, connectTimeout: Duration = .seconds(5),
    commandTimeout: Duration = .seconds(5), deadline: Deadline = .distantFuture
  ) async throws -> Connection {
    let connection = try Connection(
      endpoint, isCluster: isCluster, connectTimeout: connectTimeout, commandTimeout: commandTimeout)
    try await connection.withSession { session in try session.connect(deadline: deadline) }
    return connection
  }

  /// Lends the session, a ``Session`` or a ``ClusterSession``, to `body`, on the thread of this connection. It must not leave
  /// the closure.
  ///
  /// - Throws: what `body` throws; `CancellationError` when the task is cancelled before or during it.
  public func withSession<Result: Sendable>(
    _ body: @Sendable (any CommandRunner) throws -> Result
  ) async throws -> Result {
    try Task.checkCancellation()
    let work = interruption.begin()
    defer { interruption.end() }
    return try await withTaskCancellationHandler {
      try body(session)
    } onCancel: { [interruption] in
      interruption.signal(work)
    }
  }

  /// Runs one command; see `Session.execute(_:isIdempotent:deadline:)`.
  @discardableResult
  public func execute(
    _ command: Command, isIdempotent: Bool = false, deadline: Deadline? = nil
  ) async throws -> Reply {
    try await withSession { session in
      try session.execute(command, isIdempotent: isIdempotent, deadline: deadline)
    }
  }

  /// Until it is closed: a connection that broke repairs itself.
  public nonisolated var isUsable: Bool { isOpen.withLock { $0 } }

  /// Ends the connection, after the work that goes on. Commands after that throw `RedisError.closed`.
  public func close() {
    isOpen.withLock { $0 = false }
    session.close()
  }
}
