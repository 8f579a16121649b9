public import Postgres
public import Primitives
internal import Wallet

extension Ledger {
  /// Frees the holds among `ids` whose time has passed, inside the transaction that is open. The others stay as
  /// they are: somebody else may have resolved them.
  ///
  /// - Returns: how many were freed.
  public func expireHolds(_ ids: [Identifier]) throws(PostgresError) -> Int {
    var chunk = TransferChunk(requests: [])
    try chunk.refer(to: session.query(TransferChunk.finding(ids.map(\.description))))
    let results = try session.pipeline(chunk.reading(locked: true))
    var fold = TransferFold(try chunk.view(of: results), identifiers: IdentifierGenerator())
    let freed = chunk.referents.count { fold.expire($0.key) }
    let writes = fold.writing()
    if !writes.isEmpty { _ = try session.pipeline(writes) }
    return freed
  }
}
