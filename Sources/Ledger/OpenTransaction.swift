public import Postgres
public import Primitives
public import Wallet

extension Ledger {
  /// The assets that requests have to do with, those of transfers that they refer to among them, in lock order.
  public func assets(of requests: [TransferRequest]) throws(PostgresError) -> [AssetKey] {
    var chunk = TransferChunk(requests: requests)
    if chunk.hasReferences { try chunk.refer(to: session.query(chunk.finding())) }
    return chunk.lockOrder
  }

  /// Locks assets in the order in which they are given, which must be the lock order. Chunks of requests that have to do
  /// with them can then follow in one transaction, without a deadlock among programs that lock in this order.
  public func lock(_ assets: some Collection<AssetKey>) throws(PostgresError) {
    try session.query(TransferStatements.lock(assets.map(\.wallet), assets.map(\.currency)))
  }

  /// Carries requests out, one after another, inside the transaction that is open. Nothing is tried again, and
  /// nothing has happened before the caller's COMMIT; `TransferProcessor` is for requests that stand alone.
  ///
  /// - Parameters:
  ///   - identifiers: handed from chunk to chunk, so that ids rise.
  ///   - fences: those of the transaction, which the caller settles after its COMMIT.
  /// - Returns: one outcome a request, in their order. Refusals that are recorded are written, too.
  public func post(
    _ requests: [TransferRequest], identifiers: inout IdentifierGenerator, fences: inout TransactionFences
  ) throws(PostgresError) -> [TransferOutcome] {
    var chunk = TransferChunk(requests: requests)
    if chunk.hasReferences { try chunk.refer(to: session.query(chunk.finding())) }
    let results = try fences.ask(chunk.reading(locked: true), on: session)
    let (fold, outcomes) = try chunk.fold(results, identifiers: identifiers, on: session)
    identifiers = fold.identifiers
    try write(fold, &fences)
    return outcomes
  }

  /// Writes what a fold decided, and raises its fence meanwhile.
  func write(_ fold: TransferFold, _ fences: inout TransactionFences) throws(PostgresError) {
    let writes = fold.writing()
    if writes.isEmpty { return }
    let writing = try fences.send(writes, changing: fold.changedRows, on: session)
    try fences.receive(try fences.complete(writing, on: session), on: session)
  }
}
