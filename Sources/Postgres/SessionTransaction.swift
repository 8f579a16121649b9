internal import CLibpq
internal import Primitives

/// How a transaction sees and locks the database.
public enum TransactionMode: Sendable {
  /// `READ COMMITTED`, the mode of every write.
  case readCommitted
  /// One snapshot, no writes, blocks nobody.
  case snapshot
}

extension Session {
  /// Runs `body` inside a transaction: commits when it returns, rolls back when it throws.
  ///
  /// Transactions do not nest.
  ///
  /// - Throws: what `body` throws, and `PostgresError`; also where `body` has swallowed a server's error, because
  ///   the server then answers COMMIT with a rollback. A `connectionLost` or `deadlineExceeded` that comes from
  ///   the COMMIT itself leaves the outcome unknown; callers who must know (money) send their own COMMIT.
  public func transaction<T>(_ mode: TransactionMode = .readCommitted, _ body: () throws -> T) throws -> T {
    if isInTransaction { throw PostgresError.misuse("a transaction inside a transaction") }
    let result: T
    do {
      _ = try pipeline(beginning(mode))
      result = try body()
    } catch {
      rollback()
      throw error
    }
    guard try query(Statement.commit()).commandTag == "COMMIT" else {
      throw PostgresError.server(
        ServerError(sqlState: "25P02", message: "the transaction had failed and was rolled back"))
    }
    return result
  }

  /// The statements that open a transaction. Behind a pooler the time-outs are set for the transaction alone.
  public func beginning(_ mode: TransactionMode = .readCommitted) -> [BoundStatement] {
    let begin =
      switch mode {
      case .readCommitted: Statement.begin()
      case .snapshot: Statement.beginSnapshot()
      }
    guard isPooled else { return [begin] }
    let statement = (statementBound - SessionOptions.grace).settingMilliseconds
    return [begin, Self.localTimeouts("\(statement)", "\(options.lockTimeout.settingMilliseconds)")]
  }

  /// Rolls back, if a transaction is open. A failure needs no report: it means that the connection is gone,
  /// and with it the transaction.
  public func rollback() {
    guard isOpen, isInTransaction else { return }
    do throws(PostgresError) { try query(Statement.rollback()) } catch { close() }
  }

  static let localTimeouts = Statement(
    """
    select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true)
    """, parameters: [.text, .text], columns: [.text, .text])

  /// Runs SQL text without parameters by the simple protocol: several statements are allowed, rows are not
  /// returned. For migrations and session settings.
  public func simple(_ sql: String) throws(PostgresError) {
    let connection = try idle()
    try requireNoNUL(sql)
    canceller.begin()
    defer { endStatement() }
    guard PQsendQuery(connection, sql) == 1 else { throw lost() }
    try finishSimple()
  }

  /// Reads results until there are none, and throws the first failure among them.
  func finishSimple() throws(PostgresError) {
    let deadline = Deadline.after(statementBound)
    try flush(deadline)
    var failed: PostgresError?
    while handle != nil, let result = try nextResult(deadline) {
      switch PQresultStatus(result) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
      case let status where Self.startsCopy(status):
        PQclear(result)
        throw refuseCopy()
      default: failed = failed ?? failure(of: result)
      }
      PQclear(result)
    }
    if let failed { throw failed }
  }
}
