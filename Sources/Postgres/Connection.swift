public import ConnectionPool
public import Primitives

/// A connection to PostgreSQL for concurrent code: an actor on a thread of its own that lends its session.
///
/// ```swift
/// let connection = try await Connection.connect(to: target)
/// let rows = try await connection.withSession { session in
///   try session.transaction { try session.query(balance(wallet)).count }
/// }
/// ```
///
/// The closure is synchronous: nothing comes between its statements, and it costs one hop however many it
/// sends. Blocking calls block that thread alone. Cancelling the task cancels the running statement on the
/// server; the connection stays usable. A connection that is lost stays lost: `isUsable` tells the pool, which
/// opens another.
public actor Connection: PooledConnection {
  private let executor: ThreadExecutor
  private var session: Session?
  private var canceller: StatementCanceller?

  /// The thread of this connection.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init() {
    executor = ThreadExecutor()
  }

  /// Connects, on the connection's own thread.
  ///
  /// - Parameter deadline: for the whole of it; `options.connectTimeout` bounds each host as well.
  /// - Throws: what `Session.init` throws.
  public static func connect(
    to target: ConnectionString, options: SessionOptions = SessionOptions(),
    deadline: Deadline = .distantFuture
  ) async throws -> Connection {
    var options = options
    options.connectTimeout = min(options.connectTimeout, deadline.remaining)
    let connection = Connection()
    try await connection.open(target, options)
    return connection
  }

  private func open(_ target: ConnectionString, _ options: SessionOptions) throws {
    let session = try Session(connecting: target, options: options)
    self.session = session
    canceller = session.canceller
  }

  /// Lends the session to `body`, on the thread of this connection. The session must not leave the closure.
  ///
  /// A transaction that `body` leaves open is rolled back.
  ///
  /// - Throws: what `body` throws; `CancellationError` when the task was cancelled before it.
  public func withSession<Result: Sendable>(
    _ body: @Sendable (Session) throws -> Result
  ) async throws -> Result {
    try Task.checkCancellation()
    guard let session, let canceller else {
      throw PostgresError.connectionLost("the connection was closed")
    }
    // The closure is isolated to this actor only because it captures `self`; without, it would run on the shared
    // pool and block it.
    return try await withTaskCancellationHandler {
      try self.lend(session, to: body)
    } onCancel: {
      canceller.cancel()
    }
  }

  private func lend<Result>(_ session: Session, to body: (Session) throws -> Result) throws -> Result {
    defer { session.rollback() }
    return try body(session)
  }

  /// Whether the connection was whole when it was last used.
  public var isUsable: Bool { session?.isOpen ?? false }

  /// Ends the connection, after the work that goes on.
  public func close() {
    session?.close()
    session = nil
    canceller = nil
  }
}
