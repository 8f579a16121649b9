internal import CLibpq
internal import Primitives

extension Session {
  /// Runs one statement and hands its rows over one at a time, with memory for one row.
  ///
  /// The connection can do nothing else meanwhile. When `body` throws, the statement is cancelled and the
  /// session stays usable.
  ///
  /// - Throws: `PostgresError`, and what `body` throws.
  public func stream(_ bound: BoundStatement, _ body: (Row) throws -> Void) throws {
    let connection = try idle()
    let parameters = try ParameterBuffer(bound)
    // Outside pipeline mode libpq 15 would leave its single-row mode switched on for the next pipeline.
    guard PQenterPipelineMode(connection) == 1 else { throw lost() }
    canceller.begin()
    defer { endStatement() }
    let oids = bound.statement.parameters.map(\.oid)
    let sent = parameters.withPointers { count, values, lengths, formats in
      PQsendQueryParams(connection, bound.statement.sql, count, oids, values, lengths, formats, 1)
    }
    guard sent == 1, PQsetSingleRowMode(connection) == 1, PQpipelineSync(connection) == 1 else {
      throw lost()
    }
    try flush(Deadline.after(statementBound))
    var thrown: (any Error)?
    var isChecked = false
    // The bound is for each wait: a stream may go on for as long as rows keep coming and are taken.
    while handle != nil, let result = try nextResult(Deadline.after(statementBound)) {
      switch PQresultStatus(result) {
      case PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK:
        let rows = Rows(adopting: result)
        guard thrown == nil else { continue }
        if !isChecked {
          thrown = mismatch(rows, bound.statement)
          isChecked = true
        }
        do {
          if thrown == nil, let row = rows.first { try body(row) }
        } catch {
          thrown = error
        }
        if thrown != nil { canceller.cancel() }
      case PGRES_COMMAND_OK: PQclear(result)
      case let status where Self.startsCopy(status):
        PQclear(result)
        throw refuseCopy()
      default:
        let failure = failure(of: result)
        PQclear(result)
        thrown = thrown ?? failure
      }
    }
    if handle != nil { try takeSync(Deadline.after(statementBound)) }
    if let thrown { throw thrown }
    // The body closed it, and has not seen all rows.
    if handle == nil { throw PostgresError.connectionLost("the session is closed") }
  }
}
