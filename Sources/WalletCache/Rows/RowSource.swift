public import Cache
public import Postgres
public import Primitives

/// The rows of some tables, one table after the other, for a warmup.
public final class RowSource: WarmSource {
  private let connect: () throws -> Session
  private let activeSince: Timestamp?
  private var session: Session?
  /// The tables that are left, the current one first.
  private var tables: ArraySlice<CachedTable>
  private var position: Identifier?

  /// - Parameters:
  ///   - activeSince: only users who logged in after this moment, and their wallets; nil for all.
  ///   - connect: opens a session; called again when one was lost.
  public init(
    _ tables: [CachedTable], activeSince: Timestamp?, connect: @escaping () throws -> Session
  ) {
    self.tables = tables[...]
    self.activeSince = activeSince
    self.connect = connect
  }

  /// - Throws: `PostgresError`, and what `connect` throws.
  public func next(rowsMax: Int) throws -> WarmPart? {
    guard let table = tables.first else { return nil }
    let chunk = try RowReader(live()).rows(
      of: table, after: position, window: rowsMax, activeSince: activeSince)
    position = chunk.next
    if chunk.next == nil { tables.removeFirst() }
    return WarmPart(WarmChunk(chunk.texts, snapshot: chunk.snapshot), lookedAt: chunk.lookedAt)
  }

  /// - Throws: as ``next(rowsMax:)``. All keys must be of one table.
  public func rows(_ keys: [CacheKey]) throws -> WarmChunk {
    let rows = keys.compactMap { CachedRow(key: $0.text) }
    guard let table = rows.first?.table, rows.allSatisfy({ $0.table == table }) else {
      preconditionFailure("a chunk has rows, and all of one table")
    }
    let chunk = try RowReader(live()).rows(rows.map(\.id), of: table)
    return WarmChunk(chunk.texts, snapshot: chunk.snapshot)
  }

  /// - Throws: as ``next(rowsMax:)``.
  public func horizon() throws -> TransactionID { try live().newTransaction().id }

  /// - Throws: as ``next(rowsMax:)``.
  public func snapshot() throws -> DatabaseSnapshot {
    let row = try live().query(RowStatements.snapshot())[0]
    return try DatabaseSnapshot(text: row.decode(0), isFromStandby: row.decode(1))
  }

  private func live() throws -> Session {
    if let session, session.isOpen { return session }
    let fresh = try connect()
    session = fresh
    return fresh
  }
}

extension Session {
  /// A transaction that the database assigns a number and that is over: what is fenced by it is invalid for whoever read
  /// before.
  ///
  /// - Throws: `PostgresError`, on a standby too.
  public func newTransaction() throws -> WritingTransaction {
    let row = try query(RowStatements.newTransaction())[0]
    return try WritingTransaction(id: row.decode(0, as: String.self), snapshot: row.decode(1))
  }

  /// How many rows tables have, as the planner thinks; nil where it does not know.
  ///
  /// - Throws: `PostgresError`.
  public func estimatedRows(of tables: [CachedTable]) throws -> Int64? {
    let count: Int64 = try query(RowStatements.estimate(tables.map(\.rawValue)))[0].decode(0)
    return count == 0 ? nil : count
  }
}
