internal import CLibpq
internal import Primitives

/// The types that the server gives to a statement.
public struct StatementDescription: Sendable, Equatable {
  /// OIDs of the parameters' types.
  public let parameters: [UInt32]
  /// OIDs of the columns' types.
  public let columns: [UInt32]
}

extension Session {
  /// Prepares a statement and tells what the server makes of it. Nothing is executed.
  ///
  /// For statements that come from a user, and for the test that compares our own with their declarations.
  ///
  /// - Parameter parameters: types of the first parameters; those of the others are left to the server.
  public func describe(
    _ sql: String, parameters: [DataType] = []
  ) throws(PostgresError) -> StatementDescription {
    let connection = try idle()
    try requireNoNUL(sql)
    let oids = parameters.map(\.oid)
    guard PQsendPrepare(connection, "", sql, Int32(clamping: oids.count), oids) == 1 else { throw lost() }
    try finishSimple()
    guard PQsendDescribePrepared(connection, "") == 1 else { throw lost() }
    let deadline = Deadline.after(statementBound)
    try flush(deadline)
    var description: StatementDescription?
    var failed: PostgresError?
    while handle != nil, let result = try nextResult(deadline) {
      if PQresultStatus(result) == PGRES_COMMAND_OK {
        description = StatementDescription(
          parameters: (0..<PQnparams(result)).map { PQparamtype(result, $0) },
          columns: (0..<PQnfields(result)).map { PQftype(result, $0) })
      } else {
        failed = failed ?? failure(of: result)
      }
      PQclear(result)
    }
    if let failed { throw failed }
    guard let description else { throw lost() }
    return description
  }
}
