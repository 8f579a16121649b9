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

  /// The connection's last error as a thrown value; the session is closed with it.
  func lost() -> PostgresError {
    let text = handle.flatMap { string(PQerrorMessage($0)) }.map(trimmed) ?? ""
    close()
    return .connectionLost(text.isEmpty ? "the server closed it" : text)
  }

  /// Blocks until the socket can be read (or written, where asked).
  /// - Returns: whether it can be read.
  func wait(forWriting: Bool, _ deadline: Deadline) throws(PostgresError) -> Bool {
    let connection = try live()
    var descriptor = pollfd(
      fd: PQsocket(connection), events: Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0), revents: 0)
    while true {
      let ready = poll(&descriptor, 1, deadline.pollMilliseconds)
      if ready > 0 { return descriptor.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0 }
      if ready == 0, deadline.hasPassed {
        close()
        throw .deadlineExceeded("the statement's time is over and the server is silent")
      }
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
