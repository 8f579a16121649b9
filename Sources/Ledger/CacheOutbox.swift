public import Postgres

/// `ironforge.cache_outbox`: the names of cached rows that a transaction has changed and could not fence before its
/// COMMIT. Whoever drains it fences them by the number of that transaction, and deletes the row.
public struct CacheOutbox {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// A row of it.
  public struct Entry: Sendable {
    public let id: Int64
    public let keys: [String]
    /// The transaction that changed what they name.
    public let transaction: UInt64
    /// `pg_current_snapshot()` of the moment when the row was read.
    public let snapshot: String
  }

  /// Names of one row: what drains it holds them in memory, and sends them at once.
  private static let rowKeysMax = 1000

  /// The statements that put names in; each returns the id of its row.
  ///
  /// - Parameter transaction: which changed what they name; nil for the one that is open.
  static func inserting(_ keys: [String], by transaction: UInt64? = nil) -> [BoundStatement] {
    stride(from: 0, to: keys.count, by: rowKeysMax).map { start in
      insert(Array(keys[start..<min(start + rowKeysMax, keys.count)]), transaction.map { String($0) })
    }
  }

  /// Puts names in, in a transaction of their own, for one that is committed already.
  public func add(_ keys: [String], by transaction: UInt64) throws(PostgresError) {
    _ = try session.pipeline(Self.inserting(keys, by: transaction))
  }

  /// Locks and returns the oldest rows, without those that somebody else drains, inside the transaction that is open.
  ///
  /// - Parameter ids: only rows among these.
  public func take(_ ids: ClosedRange<Int64> = 0...Int64.max, limit: Int) throws(PostgresError) -> [Entry] {
    try session.query(Self.take(ids.lowerBound, ids.upperBound, Int64(limit))).map {
      row throws(PostgresError) in
      Entry(
        id: try row.decode(0), keys: try row.decode(1), transaction: try number(row, 2),
        snapshot: try row.decode(3))
    }
  }

  /// Deletes rows, without those that somebody else drains.
  public func remove(_ ids: [Int64]) throws(PostgresError) {
    try session.query(Self.remove(ids))
  }

  static let statements = [describeTransaction, insert, take, remove]

  /// What a fence has to know of the transaction that is open, which is marked as one that fences. Its number is assigned with
  /// this. The outbox is looked at by its
  /// index, which forgets rows that were deleted: reading the table would meet them until the next vacuum.
  static let describeTransaction = Statement(
    """
    select pg_current_xact_id()::text, pg_current_snapshot()::text,
      (select id from ironforge.cache_outbox order by id limit 1) is null
    from \(FencedTransaction.mark.setting)
    """, columns: [.text, .text, .bool])

  private static let insert = Statement(
    """
    insert into ironforge.cache_outbox (keys, xid) values ($1, coalesce($2::text::xid8, pg_current_xact_id()))
    returning id
    """, parameters: [.textArray, .text], columns: [.int8])

  private static let take = Statement(
    """
    select id, keys, xid::text, pg_current_snapshot()::text
    from ironforge.cache_outbox
    where id between $1 and $2
    order by id
    limit $3
    for update skip locked
    """, parameters: [.int8, .int8, .int8], columns: [.int8, .textArray, .text, .text])

  private static let remove = Statement(
    """
    delete from ironforge.cache_outbox
    where id in (select id from ironforge.cache_outbox where id = any($1) for update skip locked)
    """, parameters: [.int8Array])
}

extension FencedTransaction {
  /// Reads the answer to `CacheOutbox.describeTransaction`.
  init(_ rows: Rows) throws(PostgresError) {
    guard let row = rows.first else { throw .decoding("a transaction that says nothing of itself") }
    self.init(id: try number(row, 0), snapshot: try row.decode(1), isOutboxEmpty: try row.decode(2))
  }
}

/// An `xid8`, which has no binary form here and travels as text.
private func number(_ row: Row, _ column: Int) throws(PostgresError) -> UInt64 {
  let text: String = try row.decode(column)
  guard let number = UInt64(text) else { throw .decoding("\"\(text)\" is no number of a transaction") }
  return number
}
