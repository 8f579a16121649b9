internal import CLibpq
internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Waiting on the socket. Everything that blocks in this target blocks here, with a deadline.
extension Session {
  func live() throws(PostgresError) -> OpaquePointer {
    guard let handle else { throw .connectionLost("the session is closed") }
    return handle
  }

  /// The connection, on which nothing runs: a body of `stream` or `copyIn` must not use its session.
  func idle() throws(PostgresError) -> OpaquePointer {
    let connection = try live()
    if PQtransactionStatus(connection) == PQTRANS_ACTIVE {
      throw .misuse("another statement is still running")
    }
    return connection
  }

  /// The connection's last error as a thrown value; the session is closed with it.
  func lost() -> PostgresError {
    let text = handle.flatMap { string(PQerrorMessage($0)) }.map(trimmed) ?? ""
    close()
    return .connectionLost(text.isEmpty ? "the server closed it" : text)
  }

  /// How often a wait looks whether the statement was cancelled.
  private static let cancelCheckMilliseconds: Int32 = 250

  /// The statement is over; a cancel request that hangs must not hit the next one.
  func endStatement() {
    if !canceller.end(by: Deadline.after(SessionOptions.grace)) { close() }
  }

  /// SQL text goes to libpq as a C string, which a NUL would cut short.
  func requireNoNUL(_ text: String) throws(PostgresError) {
    if text.utf8.contains(0) { throw .misuse("text with a NUL character") }
  }

  /// A COPY that was not asked for as one leaves the connection in a state that nothing here continues.
  func refuseCopy() -> PostgresError {
    close()
    return .misuse("a COPY from or to the client was sent as an ordinary statement")
  }

  /// Whether a result says that a COPY has begun.
  static func startsCopy(_ status: ExecStatusType) -> Bool {
    status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
  }

  /// Blocks until the socket can be read (or written, where asked).
  /// - Returns: whether it can be read.
  func wait(forWriting: Bool, _ deadline: Deadline) throws(PostgresError) -> Bool {
    let connection = try live()
    var descriptor = pollfd(
      fd: PQsocket(connection), events: Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0), revents: 0)
    while true {
      let left = deadline.pollMilliseconds
      let slice = Self.cancelCheckMilliseconds
      let ready = poll(&descriptor, 1, left < 0 ? slice : min(left, slice))
      if ready > 0 { return descriptor.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0 }
      if ready == 0, deadline.hasPassed {
        close()
        throw .deadlineExceeded("the statement's time is over and the server is silent")
      }
      if ready == 0 { canceller.repeatIfCancelled() }
      if ready < 0, errno != EINTR {
        close()
        throw .connectionLost("poll failed with errno \(errno)")
      }
    }
  }

  /// Sends what libpq has buffered. Reads meanwhile, or both sides could wait for the other to read.
  func flush(_ deadline: Deadline) throws(PostgresError) {
    let connection = try live()
    while true {
      let left = PQflush(connection)
      if left == 0 { return }
      if left < 0 { throw lost() }
      if try wait(forWriting: true, deadline), PQconsumeInput(connection) == 0 { throw lost() }
    }
  }

  /// The next result, or nil at the end of a statement's results.
  func nextResult(_ deadline: Deadline) throws(PostgresError) -> OpaquePointer? {
    let connection = try live()
    while PQisBusy(connection) != 0 {
      if PQflush(connection) < 0 { throw lost() }
      _ = try wait(forWriting: false, deadline)
      // A failure here leaves a result behind that names it: the server's last words come before the end.
      if PQconsumeInput(connection) == 0 { break }
    }
    return PQgetResult(connection)
  }

  /// The error that a failed result stands for; closes the session when it says so.
  func failure(of result: OpaquePointer) -> PostgresError {
    let error = ServerError(result: result)
    // libpq makes up a result without a SQLSTATE when the connection broke.
    if error.sqlState.isEmpty {
      if handle.map({ PQstatus($0) == CONNECTION_BAD }) ?? true {
        close()
        return .connectionLost(error.message)
      }
      return .misuse(error.message)
    }
    if canceller.wasCancelled, error.sqlState == "57014" { return .cancelled }
    if error.sqlState == "26000" || error.sqlState == "42P05" { prepared.giveUp() }
    let failure = PostgresError.server(error)
    if failure.endsSession { close() }
    return failure
  }
}
