public import Postgres
public import Primitives
internal import Wallet

extension Ledger {
  /// Open holds that have not expired, oldest first: those that can be captured.
  ///
  /// - Parameters:
  ///   - cursor: only holds with greater ids.
  ///   - made: only holds that were made before this moment.
  public func openHolds(
    after cursor: Identifier?, made: Timestamp, limit: Int
  ) throws(PostgresError) -> [Identifier] {
    try session.query(Self.selectOpenHolds(cursor ?? .zero, made, Int64(limit))).map {
      row throws(PostgresError) in try row.decode(0)
    }
  }

  /// Open holds whose time has passed, oldest first.
  public func expiredHolds(after cursor: Identifier?, limit: Int) throws(PostgresError) -> [Identifier] {
    try session.query(Self.selectExpiredHolds(cursor ?? .zero, Int64(limit))).map {
      row throws(PostgresError) in try row.decode(0)
    }
  }

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

  static let selectOpenHolds = Statement(
    """
    select id from transfers
    where status = 'pending' and id > $1 and created_at < $2
      and (expires_at is null or expires_at > clock_timestamp())
    order by id
    limit $3
    """, parameters: [.uuid, .timestamptz, .int8], columns: [.uuid])

  static let selectExpiredHolds = Statement(
    """
    select id from transfers
    where status = 'pending' and id > $1 and expires_at <= clock_timestamp()
    order by id
    limit $2
    """, parameters: [.uuid, .int8], columns: [.uuid])
}
