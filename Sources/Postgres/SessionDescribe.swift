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
  /// Prepares a statement with parameter types left to the server, and tells what the server makes of it.
  ///
  /// For the test that compares every statement with its declaration.
  public func describe(_ sql: String) throws(PostgresError) -> StatementDescription {
    let connection = try idle()
    guard PQsendPrepare(connection, "", sql, 0, nil) == 1 else { throw lost() }
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
