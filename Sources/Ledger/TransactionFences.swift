public import Postgres
internal import Primitives

/// The fences of one transaction, on their way from its first round trip to after its COMMIT. Without a fence to raise it
/// costs nothing.
///
/// ```swift
/// var fences = TransactionFences(fence)
/// let read = try fences.ask(session.beginning() + reads, on: session)
/// let writing = try fences.send(writes, changing: rows, on: session)
/// let pending = try fences.complete(writing, with: [Statement.commit()], on: session)
/// try fences.receive(pending, on: session)
/// fences.settle(on: session)
/// ```
public struct TransactionFences: Sendable {
  private let fence: (any CommitFence)?
  private var transaction: FencedTransaction?
  private var raised: [RaisedFence] = []
  /// Wallets that are fenced already, where the transaction raises more than one fence.
  private var fencedWallets: Set<Identifier> = []
  /// Which of the pending results are ids of rows of the outbox.
  private var outboxResults: Range<Int> = 0..<0

  /// - Parameter fence: nil where nobody keeps copies.
  public init(_ fence: (any CommitFence)?) {
    self.fence = fence
  }

  /// Runs statements in one round trip, and learns with it what a fence has to know, unless that is known already.
  ///
  /// - Returns: the rows of each statement.
  public mutating func ask(_ statements: [BoundStatement], on session: Session) throws(PostgresError)
    -> [Rows]
  {
    guard fence != nil, transaction == nil else { return try session.pipeline(statements) }
    // At the end: behind locks that had to be waited for, the transaction gets its number late and holds nobody up.
    var results = try session.pipeline(statements + [CacheOutbox.describeTransaction()])
    transaction = try results.popLast().map { rows throws(PostgresError) in try FencedTransaction(rows) }
    return results
  }

  /// Sends writes, and raises the fence while the server works on them. `complete` must follow.
  ///
  /// - Parameters:
  ///   - rows: what the writes change.
  ///   - session: on which `ask` was called.
  public mutating func send(
    _ writes: [BoundStatement], changing rows: ChangedRows, on session: Session
  ) throws(PostgresError) -> PendingPipeline {
    outboxResults = 0..<0
    let rows = withoutFenced(rows)
    guard let fence, let transaction, !rows.isEmpty else { return try session.begin(writes) }
    let beginning = try session.begin(writes, isSentAtOnce: true)
    let new = fence.raise(rows, by: transaction)
    FaultPoint.fenced.reach()
    raised.append(new)
    outboxResults = writes.count..<writes.count + CacheOutbox.inserting(new.missed).count
    return beginning
  }

  /// Sends what is to follow the writes, such as COMMIT; what could not be fenced goes into the outbox before it. `receive`
  /// must follow.
  public func complete(
    _ beginning: PendingPipeline, with statements: [BoundStatement] = [], on session: Session
  ) throws(PostgresError) -> PendingPipeline {
    let missed = outboxResults.isEmpty ? [] : raised.last?.missed ?? []
    return try session.complete(beginning, with: CacheOutbox.inserting(missed) + statements)
  }

  /// Receives the results of all that was sent, without those of the outbox.
  @discardableResult
  public mutating func receive(
    _ pending: PendingPipeline, on session: Session
  ) throws(PostgresError) -> [Rows] {
    var results = try session.receive(pending)
    if outboxResults.isEmpty { return results }
    for rows in results[outboxResults] {
      raised[raised.endIndex - 1].outboxRows += try rows.map { row throws(PostgresError) in try row.decode(0)
      }
    }
    results.removeSubrange(outboxResults)
    return results
  }

  /// Raises the fence of what has been written already, in the transaction that is open.
  public mutating func raise(_ rows: ChangedRows, on session: Session) throws(PostgresError) {
    if fence == nil { return }
    let nothing = try send([], changing: rows, on: session)
    try receive(try complete(nothing, on: session), on: session)
  }

  /// Looks after the fences, once the transaction is committed.
  public func settle(on session: Session) {
    if !raised.isEmpty { fence?.settle(raised, on: session) }
  }

  private mutating func withoutFenced(_ rows: ChangedRows) -> ChangedRows {
    guard fence != nil else { return rows }
    if raised.isEmpty { return rows }
    if fencedWallets.isEmpty { fencedWallets = Set(raised.flatMap(\.rows.wallets)) }
    return ChangedRows(users: rows.users, wallets: rows.wallets.filter { fencedWallets.insert($0).inserted })
  }
}

extension Ledger {
  /// Runs one statement that changes rows. Where copies of them are kept, it is a transaction that fences them; it changes
  /// none where it returns none.
  func write(_ statement: BoundStatement, changing rows: ChangedRows) throws(PostgresError) -> Rows {
    guard fence != nil else { return try session.query(statement) }
    var fences = TransactionFences(fence)
    let changed: Rows
    do throws(PostgresError) {
      let results = try fences.ask(session.beginning() + [statement], on: session)
      guard let last = results.last else {
        throw .misuse("a pipeline returned fewer results than it has statements")
      }
      changed = last
      if changed.isEmpty {
        session.rollback()
        return changed
      }
      let nothing = try fences.send([], changing: rows, on: session)
      let pending = try fences.complete(nothing, with: [Statement.commit()], on: session)
      try fences.receive(pending, on: session)
    } catch {
      session.rollback()
      throw error
    }
    fences.settle(on: session)
    return changed
  }
}
