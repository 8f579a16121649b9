internal import CLibpq
internal import Primitives

/// What a sent pipeline still has to answer, handed from `send` to `receive`.
public struct PendingPipeline {
  /// One answer to come: of a `Parse`, or of a statement.
  enum Step {
    case prepared(sql: String)
    case executed(Statement)
  }
  fileprivate(set) var steps: [Step]
}

extension Session {
  /// Runs one statement and returns its rows.
  ///
  /// - Throws: `PostgresError`. After `.server` the session stays usable, unless `endsSession` says otherwise.
  @discardableResult
  public func query(_ bound: BoundStatement) throws(PostgresError) -> Rows {
    try pipeline([bound])[0]
  }

  /// Runs statements one after another in one round trip and returns the rows of each.
  ///
  /// The first that fails ends the pipeline: the rest is skipped by the server. Outside an explicit
  /// transaction the whole pipeline is one implicit transaction (libpq manual, "Pipeline Mode").
  ///
  /// - Throws: the first failure.
  public func pipeline(_ statements: [BoundStatement]) throws(PostgresError) -> [Rows] {
    try receive(try send(statements))
  }

  /// Sends a pipeline without waiting for it; `receive` must follow. In between the caller can compute while
  /// the server works.
  public func send(_ statements: [BoundStatement]) throws(PostgresError) -> PendingPipeline {
    try settleNames(before: statements)
    return try complete(try begin([]), with: statements)
  }

  /// Begins a pipeline that `complete` must end. In between the caller can wait for something else that the rest depends on.
  ///
  /// - Parameter isSentAtOnce: whether the server shall work on it already. What it comes to is told with the rest.
  public func begin(
    _ statements: [BoundStatement], isSentAtOnce: Bool = false
  ) throws(PostgresError) -> PendingPipeline {
    try settleNames(before: statements)
    guard PQenterPipelineMode(try idle()) == 1 else { throw lost() }
    canceller.begin()
    unreplicated = nil
    var pending = PendingPipeline(steps: [])
    try enqueue(statements, in: &pending)
    // To the last byte: a server that has half of a statement does nothing.
    if isSentAtOnce { try flush(Deadline.after(statementBound)) }
    return pending
  }

  /// Sends the rest of a pipeline; `receive` must follow.
  public func complete(
    _ beginning: PendingPipeline, with statements: [BoundStatement]
  ) throws(PostgresError) -> PendingPipeline {
    var pending = beginning
    try enqueue(statements, in: &pending)
    let connection = try live()
    guard PQpipelineSync(connection) == 1, PQflush(connection) >= 0 else { throw lost() }
    return pending
  }

  private func enqueue(
    _ statements: [BoundStatement], in pending: inout PendingPipeline
  ) throws(PostgresError) {
    let connection = try live()
    do throws(PostgresError) {
      for bound in statements { try enqueue(bound, on: connection, &pending.steps) }
    } catch {
      close()
      throw error
    }
  }

  /// Receives the results of what `send` sent.
  ///
  /// - Throws: the first failure.
  public func receive(_ pending: PendingPipeline) throws(PostgresError) -> [Rows] {
    let deadline = Deadline.after(statementBound)
    defer { endStatement() }
    try flush(deadline)
    var results: [Rows] = []
    results.reserveCapacity(pending.steps.count)
    var failure: PostgresError?
    for step in pending.steps {
      let outcome = try takeResult(deadline)
      switch (step, outcome) {
      case (.prepared, .rows): break
      case (.prepared(let sql), .aborted): prepared.forget(sql)
      case (.prepared(let sql), .failed(let error)):
        prepared.forget(sql)
        failure = failure ?? error
      case (.executed(let statement), .rows(let rows)):
        failure = failure ?? mismatch(rows, statement)
        results.append(rows)
      case (.executed, .failed(let error)): failure = failure ?? error
      case (.executed, .aborted): break
      }
      // A server that ends the session sends nothing further.
      if handle == nil { throw failure ?? .connectionLost("the server closed it") }
    }
    try takeSync(deadline)
    if let failure { throw failure }
    if let unreplicated { throw .notReplicated(unreplicated) }
    return results
  }

  private func enqueue(
    _ bound: BoundStatement, on connection: OpaquePointer, _ steps: inout [PendingPipeline.Step]
  ) throws(PostgresError) {
    let statement = bound.statement
    let parameters = try ParameterBuffer(bound)
    let oids = statement.parameters.map(\.oid)
    let sent: Int32
    switch prepared.plan(for: statement.sql) {
    case .unnamed:
      sent = parameters.withPointers { count, values, lengths, formats in
        PQsendQueryParams(connection, statement.sql, count, oids, values, lengths, formats, 1)
      }
    case .prepare(let name):
      guard PQsendPrepare(connection, name, statement.sql, Int32(oids.count), oids) == 1 else { throw lost() }
      steps.append(.prepared(sql: statement.sql))
      sent = parameters.withPointers { count, values, lengths, formats in
        PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1)
      }
    case .execute(let name):
      sent = parameters.withPointers { count, values, lengths, formats in
        PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1)
      }
    }
    guard sent == 1 else { throw lost() }
    steps.append(.executed(statement))
  }

  private enum Outcome {
    case rows(Rows)
    case failed(PostgresError)
    /// An earlier statement of the pipeline failed, so the server skipped this one.
    case aborted
  }

  /// Reads the results of one command up to the nil that ends them.
  private func takeResult(_ deadline: Deadline) throws(PostgresError) -> Outcome {
    var outcome: Outcome?
    while handle != nil, let result = try nextResult(deadline) {
      switch PQresultStatus(result) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
        outcome = .rows(Rows(adopting: result))
      case PGRES_PIPELINE_ABORTED:
        outcome = .aborted
        PQclear(result)
      case let status where Self.startsCopy(status):
        PQclear(result)
        throw refuseCopy()
      default:
        if case .failed = outcome {} else { outcome = .failed(failure(of: result)) }
        PQclear(result)
      }
    }
    guard let outcome else { throw lost() }
    return outcome
  }

  /// Reads the end of a pipeline and leaves pipeline mode.
  func takeSync(_ deadline: Deadline) throws(PostgresError) {
    let connection = try live()
    guard let result = try nextResult(deadline) else { throw lost() }
    defer { PQclear(result) }
    guard PQresultStatus(result) == PGRES_PIPELINE_SYNC else {
      let failure = failure(of: result)
      close()
      throw failure
    }
    guard PQexitPipelineMode(connection) == 1 else { throw lost() }
  }

  /// An error where the result's columns are not those that the statement declares.
  func mismatch(_ rows: Rows, _ statement: Statement) -> PostgresError? {
    let declared = statement.columns.map(\.oid)
    let actual = (0..<rows.columnCount).map { rows.typeOID($0) }
    if declared == actual { return nil }
    return .decoding("columns of types \(actual) where \(declared) were expected in: \(statement.sql)")
  }
}
