public import Postgres
public import Primitives
internal import Wallet

extension Ledger {
  /// Frees the holds among `ids` whose time has passed, inside the transaction that is open. The others stay as
  /// they are: somebody else may have resolved them.
  ///
  /// - Parameter fences: those of the transaction, which the caller settles after its COMMIT.
  /// - Returns: how many were freed.
  public func expireHolds(
    _ ids: [Identifier], fences: inout TransactionFences
  ) throws(PostgresError) -> Int {
    var chunk = TransferChunk(requests: [])
    try chunk.refer(to: session.query(TransferChunk.finding(ids.map(\.description))))
    let results = try fences.ask(chunk.reading(locked: true), on: session)
    var fold = TransferFold(try chunk.view(of: results), identifiers: IdentifierGenerator())
    let freed = chunk.referents.count { fold.expire($0.key) }
    try write(fold, &fences)
    return freed
  }
}
