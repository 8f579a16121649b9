internal import CLibpq

extension Session {
  /// Whether the next transaction may run on another server connection; asks the server, once a session. A pooler that
  /// takes our start-up options and drops them still makes up the process id that it gives to its clients.
  public func isShared() throws(PostgresError) -> Bool {
    if isPooled { return true }
    if isDirect { return false }
    // Without a name: whether one can be used is the question.
    var names = prepared
    prepared = PreparedStatements(.unusable)
    defer { prepared = names }
    isDirect = try query(Statement.backendPID())[0].decode(0, as: Int32.self) == backendPID
    isPooled = !isDirect
    if isDirect { names.settle() } else { names.giveUp() }
    return isPooled
  }

  /// Sees to it that a statement which comes again can be prepared by name.
  func settleNames(before statements: [BoundStatement]) throws(PostgresError) {
    guard prepared.isInDoubt(before: statements), let handle, PQtransactionStatus(handle) != PQTRANS_INERROR
    else { return }
    _ = try isShared()
  }
}
