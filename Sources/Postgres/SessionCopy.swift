internal import CLibpq
internal import Primitives

extension Session {
  /// Loads rows by `COPY … FROM STDIN (FORMAT binary)`.
  ///
  /// `sql` is the whole COPY statement. `body` appends rows to the writer, which sends them as its buffer
  /// fills. When `body` throws, nothing is loaded.
  ///
  /// - Returns: how many rows were loaded.
  /// - Throws: `PostgresError`, and what `body` throws.
  @discardableResult
  public func copyIn(_ sql: String, _ body: (inout CopyWriter) throws -> Void) throws -> Int {
    let connection = try idle()
    try requireNoNUL(sql)
    canceller.begin()
    defer { endStatement() }
    guard PQsendQuery(connection, sql) == 1 else { throw lost() }
    try flush(Deadline.after(statementBound))
    try expect(PGRES_COPY_IN)
    var writer = CopyWriter(session: self)
    do {
      try body(&writer)
      try writer.finish()
    } catch {
      // The server answers with an error that only repeats this reason.
      if isOpen { abandonCopy() }
      throw error
    }
    try putCopyEnd(nil)
    var loaded = 0
    var failed: PostgresError?
    while handle != nil, let result = try nextResult(Deadline.after(statementBound)) {
      if PQresultStatus(result) == PGRES_COMMAND_OK {
        loaded = string(PQcmdTuples(result)).flatMap { Int($0) } ?? 0
      } else {
        failed = failed ?? failure(of: result)
      }
      PQclear(result)
    }
    if let failed { throw failed }
    return loaded
  }

  /// Reads the output of `COPY … TO STDOUT`, one buffer a row as the server sends them.
  ///
  /// When `body` throws, the statement is cancelled and the session stays usable.
  ///
  /// - Throws: `PostgresError`, and what `body` throws.
  public func copyOut(_ sql: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let connection = try idle()
    try requireNoNUL(sql)
    canceller.begin()
    defer { endStatement() }
    guard PQsendQuery(connection, sql) == 1 else { throw lost() }
    try flush(Deadline.after(statementBound))
    try expect(PGRES_COPY_OUT)
    var thrown: (any Error)?
    // The body could close the session, and the connection with it.
    receiving: while handle != nil {
      var buffer: UnsafeMutablePointer<CChar>?
      let length = PQgetCopyData(connection, &buffer, 1)
      switch length {
      case 0:
        _ = try wait(forWriting: false, Deadline.after(statementBound))
        if PQconsumeInput(connection) == 0 { throw lost() }
      case 1...:
        defer { PQfreemem(buffer) }
        guard thrown == nil else { continue }
        do {
          try body(UnsafeRawBufferPointer(start: buffer, count: Int(length)))
        } catch {
          thrown = error
          canceller.cancel()
        }
      default: break receiving
      }
    }
    if handle == nil { throw thrown ?? PostgresError.connectionLost("the session is closed") }
    do throws(PostgresError) { try finishSimple() } catch { thrown = thrown ?? error }
    if let thrown { throw thrown }
  }

  private func expect(_ status: ExecStatusType) throws(PostgresError) {
    guard let result = try nextResult(Deadline.after(statementBound)) else { throw lost() }
    let actual = PQresultStatus(result)
    if actual == status {
      PQclear(result)
      return
    }
    let error: PostgresError =
      actual == PGRES_FATAL_ERROR ? failure(of: result) : .misuse("the statement is no such COPY")
    PQclear(result)
    if handle != nil {
      do throws(PostgresError) { try finishSimple() } catch  where handle == nil { throw error } catch {}
    }
    throw error
  }

  /// Ends a COPY that failed on this side. The server's answer only repeats the reason that is given here.
  private func abandonCopy() {
    do throws(PostgresError) {
      try putCopyEnd("the client gave up")
      try finishSimple()
    } catch {
      if case .server = error { return }
      close()
    }
  }

  /// Ends the data; with a reason, the server is to forget them.
  private func putCopyEnd(_ reason: String?) throws(PostgresError) {
    let connection = try live()
    let deadline = Deadline.after(statementBound)
    while true {
      let sent = PQputCopyEnd(connection, reason)
      if sent == 1 { return try flush(deadline) }
      if sent < 0 { throw lost() }
      if try wait(forWriting: true, deadline), PQconsumeInput(connection) == 0 { throw lost() }
    }
  }

  /// Sends one buffer of COPY data, waiting where the socket is full.
  func putCopyData(_ bytes: [UInt8]) throws(PostgresError) {
    let connection = try live()
    let deadline = Deadline.after(statementBound)
    // What libpq has buffered beyond the socket's room must go first, or it would grow without bound.
    try flush(deadline)
    while true {
      let sent = bytes.withUnsafeBytes { raw in
        PQputCopyData(
          connection, raw.assumingMemoryBound(to: CChar.self).baseAddress, Int32(clamping: raw.count))
      }
      if sent == 1 { return try flush(deadline) }
      if sent < 0 { throw lost() }
      if try wait(forWriting: true, deadline), PQconsumeInput(connection) == 0 { throw lost() }
    }
  }
}

/// Builds the rows of a binary COPY (PostgreSQL manual, COPY, "Binary Format").
public struct CopyWriter {
  private static let flushAt = 128 * 1024
  // "PGCOPY\n\377\r\n\0", no flags, no header extension.
  private static let header: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)

  private let session: Session
  private var bytes: [UInt8] = Self.header

  init(session: Session) {
    self.session = session
  }

  /// Appends one row: one value for each column of the COPY statement, in its order.
  public mutating func row(_ values: any PostgresEncodable...) throws(PostgresError) {
    appendBigEndian(Int16(clamping: values.count), to: &bytes)
    for value in values {
      let lengthAt = bytes.count
      appendBigEndian(Int32(-1), to: &bytes)
      if value.encode(into: &bytes) {
        let length = Int32(clamping: bytes.count - lengthAt - 4).bigEndian
        withUnsafeBytes(of: length) { raw in
          for offset in 0..<4 { bytes[lengthAt + offset] = raw[offset] }
        }
      }
    }
    if bytes.count >= Self.flushAt { try flush() }
  }

  mutating func finish() throws(PostgresError) {
    appendBigEndian(Int16(-1), to: &bytes)
    try flush()
  }

  private mutating func flush() throws(PostgresError) {
    try session.putCopyData(bytes)
    bytes.removeAll(keepingCapacity: true)
  }
}
