public import Cache
internal import Ledger
public import Postgres
public import Primitives

/// The rows of some tables, one table after the other, for a warmup.
public final class RowSource: WarmSource {
  private let activeSince: Timestamp?
  private var primary: KeptSession
  /// Where rows are loaded from, if not from the primary.
  private var replica: KeptSession?
  /// The tables that are left, the current one first.
  private var tables: ArraySlice<CachedTable>
  private var position: Identifier?

  /// - Parameters:
  ///   - activeSince: only users who logged in after this moment, and their wallets; nil for all.
  ///   - replica: opens a session to a standby, to load the rows from.
  ///   - primary: opens a session to the primary. Both are called again when a session was lost.
  public init(
    _ tables: [CachedTable], activeSince: Timestamp?, replica: (() throws -> Session)? = nil,
    primary: @escaping () throws -> Session
  ) {
    self.tables = tables[...]
    self.activeSince = activeSince
    self.replica = replica.map { KeptSession(connect: $0) }
    self.primary = KeptSession(connect: primary)
  }

  /// - Throws: `PostgresError`, `replica_not_standby`, and what `replica` and `primary` throw.
  public func next(rowsMax: Int) throws -> WarmPart? {
    guard let table = tables.first else { return nil }
    let chunk = try reader().rows(
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
    let chunk = try reader().rows(rows.map(\.id), of: table)
    return WarmChunk(chunk.texts, snapshot: chunk.snapshot)
  }

  /// - Throws: as ``next(rowsMax:)``.
  public func horizon() throws -> Horizon { try primary.live().fenceHorizon() }

  /// - Throws: as ``next(rowsMax:)``.
  public func snapshot() throws -> DatabaseSnapshot {
    let row = try loader().query(RowStatements.snapshot())[0]
    return try DatabaseSnapshot(text: row.decode(0), isFromStandby: row.decode(1))
  }

  private func reader() throws -> RowReader { RowReader(try loader(), isReplica: replica != nil) }

  private func loader() throws -> Session { try replica?.live() ?? primary.live() }
}

/// A session that is opened when it is first needed, and again when it was lost.
private struct KeptSession {
  let connect: () throws -> Session
  private var session: Session?

  init(connect: @escaping () throws -> Session) {
    self.connect = connect
  }

  mutating func live() throws -> Session {
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

  /// Who may have fenced rows so far. This session must be the primary's.
  ///
  /// - Throws: `PostgresError`, on a standby too.
  public func fenceHorizon() throws -> Horizon {
    // Two statements, because the list must be younger than the number, and one transaction, so that a pooler cannot have
    // them answered by two servers. It is over before anybody is told.
    try transaction {
      let latest = try newTransaction().id
      let fencing = try FencedTransaction.mark.bearers(upTo: latest.number, self)
      return Horizon(latest: latest, fencing: fencing.map(TransactionID.init))
    }
  }

  /// How many rows tables have, as the planner thinks; nil where it does not know.
  ///
  /// - Throws: `PostgresError`.
  public func estimatedRows(of tables: [CachedTable]) throws -> Int64? {
    let count: Int64 = try query(RowStatements.estimate(tables.map(\.rawValue)))[0].decode(0)
    return count == 0 ? nil : count
  }
}
