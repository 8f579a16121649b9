internal import Postgres

/// One connection that is opened when it is first needed, and again after a loss.
///
/// Used by one task at a time. It tries nothing twice: who uses it knows what may be repeated.
actor ConnectionKeeper {
  private let connect: @Sendable () async throws -> Connection
  private var connection: Connection?

  init(_ connect: @escaping @Sendable () async throws -> Connection) {
    self.connect = connect
  }

  /// Lends the session to `body`, on a thread of its own. A transaction that is left open is rolled back.
  ///
  /// - Throws: what connecting throws, and what `body` throws.
  func withSession<Result: Sendable>(_ body: @Sendable (Session) throws -> Result) async throws -> Result {
    let connection = try await open()
    return try await connection.withSession(body)
  }

  /// Ends the connection, after the work that goes on.
  func close() async {
    let open = connection
    connection = nil
    await open?.close()
  }

  private func open() async throws -> Connection {
    if let connection {
      if await connection.isUsable { return connection }
      self.connection = nil
      await connection.close()
    }
    let fresh = try await connect()
    do {
      try await fresh.withSession { session in _ = try session.query(JobStatements.keepISODates()) }
    } catch {
      await fresh.close()
      throw error
    }
    connection = fresh
    return fresh
  }
}
