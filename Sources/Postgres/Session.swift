internal import CLibpq
internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One connection to PostgreSQL, used by one thread at a time.
///
/// All calls block the calling thread, each with a deadline. Programs that serve several callers lend sessions
/// out through `Connection`, which gives each one a thread of its own.
///
/// ```swift
/// let session = try Session(connecting: try ConnectionString(url))
/// let rows = try session.query(Statement("select 1", columns: [.int4])())
/// ```
public final class Session {
  /// Nil once the session is closed or lost.
  var handle: OpaquePointer?
  /// True behind a pooler such as PgBouncer, which refuses start-up options: the next transaction may run on
  /// another server connection, so nothing may be left behind on this one.
  public internal(set) var isPooled = false
  /// True once the server has said that this session has a process of its own.
  var isDirect = false
  public let options: SessionOptions
  /// Cancels the running statement from another thread.
  public let canceller: StatementCanceller
  /// Notices and warnings, as they arrive; `nil` drops them.
  public var onNotice: ((ServerError) -> Void)?
  /// A COMMIT of the running statements that did not wait for its standby.
  var unreplicated: ServerError?
  var prepared: PreparedStatements
  /// Client-side bound on each statement, derived from `statement_timeout`.
  var statementBound: Duration

  /// Connects.
  ///
  /// Time-outs are handed to the server as start-up options, which costs nothing afterwards. A pooler in
  /// transaction mode refuses those; then a second attempt without them is made, and transactions set their
  /// time-outs locally.
  ///
  /// - Throws: `PostgresError.connectFailed`, `.malformedConnectionString`.
  public init(connecting target: ConnectionString, options: SessionOptions = SessionOptions())
    throws(PostgresError)
  {
    let start = monotonicNanoseconds()
    let opened: OpaquePointer
    do throws(PostgresError) {
      opened = try Self.open(target, options, startupOptions: true)
    } catch {
      // No text of an error is looked at: a server that answered at once may have refused the options.
      // When it refuses both, the first refusal is the one to tell.
      let elapsed = Duration.nanoseconds(monotonicNanoseconds() - start)
      guard elapsed < options.connectTimeout / 2,
        let second = try? Self.open(target, options, startupOptions: false)
      else { throw error }
      opened = second
      isPooled = true
    }
    handle = opened
    self.options = options
    canceller = StatementCanceller(connection: opened)
    prepared = PreparedStatements(isPooled ? .unusable : .unsettled)
    statementBound = options.statementTimeout + SessionOptions.grace
    PQsetnonblocking(opened, 1)
    PQsetNoticeReceiver(opened, receiveNotice, Unmanaged.passUnretained(self).toOpaque())
    if isPooled { try settleWhetherPooled() }
  }

  /// The first attempt can also have failed for a reason that was gone a moment later, such as a server that
  /// was starting. A pooler shows itself by the process id that it makes up for its clients.
  private func settleWhetherPooled() throws(PostgresError) {
    let backend: Int32 = try query(Statement.backendPID())[0].decode(0)
    guard backend == backendPID else { return }
    isPooled = false
    isDirect = true
    prepared = PreparedStatements(.kept)
    try simple(
      "set statement_timeout = \(options.statementTimeout.settingMilliseconds);"
        + " set lock_timeout = \(options.lockTimeout.settingMilliseconds)")
  }

  deinit { close() }

  /// Closes the connection; the server rolls an open transaction back. Harmless when repeated.
  public func close() {
    guard let handle else { return }
    canceller.retire()
    PQfinish(handle)
    self.handle = nil
  }

  /// Whether the connection was usable when it was last used.
  public var isOpen: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

  /// Whether a transaction is open, failed or not.
  public var isInTransaction: Bool {
    guard let handle else { return false }
    let status = PQtransactionStatus(handle)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE
  }

  /// The server's version as one number: 150020 is 15.20.
  public var serverVersion: Int { handle.map { Int(PQserverVersion($0)) } ?? 0 }

  /// The process id of the backend, as `pg_stat_activity` shows it.
  public var backendPID: Int32 { handle.map { PQbackendPID($0) } ?? 0 }

  /// The server that was reached, of those that the connection string names, as `host:port`.
  public var server: String {
    guard let handle, let host = string(PQhost(handle)), let port = string(PQport(handle)) else { return "" }
    return "\(host):\(port)"
  }

  /// The name of the database that it is connected to.
  public var database: String { handle.flatMap { string(PQdb($0)) } ?? "" }

  /// Runs `body` with another bound on each of its statements, on both sides of the connection.
  ///
  /// For work that is meant to take long, such as a verification. It opens no transaction. Behind a pooler, which would
  /// lend the setting to others, it goes with the transactions of `body`.
  public func withStatementTimeout<T>(_ timeout: Duration, _ body: () throws -> T) throws -> T {
    let before = statementBound
    statementBound = timeout + SessionOptions.grace
    defer { statementBound = before }
    if try isShared() { return try body() }
    try simple("set statement_timeout = \(timeout.settingMilliseconds)")
    let result: T
    do {
      result = try body()
    } catch {
      restoreStatementTimeout()
      throw error
    }
    restoreStatementTimeout()
    return result
  }

  /// A session that cannot be put back is closed: the next statement would run without its bound.
  private func restoreStatementTimeout() {
    guard let handle, isOpen else { return }
    // In a failed transaction nothing can be set, and its rollback takes the longer time-out back by itself.
    if PQtransactionStatus(handle) == PQTRANS_INERROR { return }
    do throws(PostgresError) {
      try simple("set statement_timeout = \(options.statementTimeout.settingMilliseconds)")
    } catch {
      close()
    }
  }

  private static func open(
    _ target: ConnectionString, _ options: SessionOptions, startupOptions: Bool
  ) throws(PostgresError) -> OpaquePointer {
    var parameters = target.parameters
    func setDefault(_ keyword: String, _ value: String) {
      if target.value(of: keyword) == nil { parameters.append((keyword, value)) }
    }
    let seconds = max(2, options.connectTimeout.components.seconds)
    setDefault("connect_timeout", "\(seconds)")
    setDefault("fallback_application_name", options.applicationName)
    setDefault("client_encoding", "UTF8")
    setDefault("keepalives_idle", "30")
    setDefault("keepalives_interval", "10")
    setDefault("keepalives_count", "3")
    if startupOptions {
      // The caller's own options stand last, so that they win.
      let timeouts =
        "-c statement_timeout=\(options.statementTimeout.settingMilliseconds)"
        + " -c lock_timeout=\(options.lockTimeout.settingMilliseconds)"
      let given = target.value(of: "options") ?? string(getenv("PGOPTIONS")) ?? ""
      parameters.removeAll { $0.keyword == "options" }
      parameters.append(("options", given.isEmpty ? timeouts : "\(timeouts) \(given)"))
    }
    let keywords = parameters.map { strdup($0.keyword) }
    let values = parameters.map { strdup($0.value) }
    defer {
      keywords.forEach { free($0) }
      values.forEach { free($0) }
    }
    let opened = PQconnectdbParams(
      keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0)
    guard let opened else { throw .connectFailed("out of memory") }
    guard PQstatus(opened) == CONNECTION_OK else {
      let message = string(PQerrorMessage(opened)).map(trimmed) ?? "no reason given"
      PQfinish(opened)
      throw .connectFailed(message)
    }
    return opened
  }
}

private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
  guard let context, let result else { return }
  let session = Unmanaged<Session>.fromOpaque(context).takeUnretainedValue()
  let notice = ServerError(result: result)
  if notice.isUnreplicatedCommit { session.unreplicated = notice }
  session.onNotice?(notice)
}
