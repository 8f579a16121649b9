public import Cache
public import Postgres
public import Primitives

/// Rows as they are cached, with the snapshot that they were read in.
public struct RowChunk: Sendable {
  /// The rows by id, each with its JSON.
  public var texts = KeyedTexts()
  /// What the read saw.
  public let snapshot: DatabaseSnapshot
  /// How many rows of the table were looked at, active or not.
  public var lookedAt = 0
  /// Where the next chunk begins; nil after the last row.
  public var next: Identifier?
}

/// Reads cached rows from the database: all that belongs to one value in one snapshot, whose number comes with it.
///
/// A value of two statements (a wallet and what it holds) is as good as one of a single statement, because they run in one
/// `REPEATABLE READ` transaction; it costs no round trip more.
public struct RowReader {
  private let session: Session
  private let isReplica: Bool

  /// A reader on a session, which may be one of a standby.
  ///
  /// - Parameter isReplica: whether the server must be a standby. The transactions of another one, or of a standby that
  ///   was promoted on its own, have numbers of their own, by which nothing can be told of fences.
  public init(_ session: Session, isReplica: Bool = false) {
    self.session = session
    self.isReplica = isReplica
  }

  /// One row, or its absence.
  ///
  /// - Throws: `PostgresError`; `replica_not_standby`.
  public func load(_ row: CachedRow) throws -> LoadedValue {
    let chunk = try rows([row.id], of: row.table)
    return LoadedValue(chunk.texts.first.map { .text($0.text) } ?? .absent, snapshot: chunk.snapshot)
  }

  /// Rows by id. Those that do not exist are left out.
  ///
  /// - Throws: as ``load(_:)``.
  public func rows(_ ids: [Identifier], of table: CachedTable) throws -> RowChunk {
    try read(table) { $0 == .users ? RowStatements.usersByID(ids) : RowStatements.walletsByID(ids) }
  }

  /// The rows after `start` in the order of their ids.
  ///
  /// - Parameters:
  ///   - start: nil for the beginning of the table.
  ///   - window: how many rows are looked at, 1 or more.
  ///   - activeSince: of those only the users who logged in after this moment, or their wallets.
  /// - Throws: as ``load(_:)``.
  public func rows(
    of table: CachedTable, after start: Identifier?, window: Int, activeSince: Timestamp?
  ) throws -> RowChunk {
    let start = start ?? .zero
    return try read(table, windowFrom: start, window) { table in
      let statement = table == .users ? RowStatements.usersInOrder : RowStatements.walletsInOrder
      return statement(start, Int64(window), activeSince)
    }
  }

  private func read(
    _ table: CachedTable, windowFrom start: Identifier? = nil, _ window: Int = 0,
    _ select: (CachedTable) -> BoundStatement
  ) throws -> RowChunk {
    // Inside a caller's transaction it is that one's snapshot.
    let isOwn = !session.isInTransaction
    var statements = isOwn ? session.beginning(.snapshot) : []
    let first = statements.count
    statements += [RowStatements.snapshot(), select(table)]
    if let start {
      let end = table == .users ? RowStatements.userWindowEnd : RowStatements.walletWindowEnd
      statements.append(end(start, Int64(window - 1)))
    }
    // A user's row is complete with that.
    if isOwn, table == .users { statements.append(Statement.commit()) }
    do {
      let results = try session.pipeline(statements)
      let snapshot = try DatabaseSnapshot(
        text: results[first][0].decode(0), isFromStandby: results[first][0].decode(1))
      guard snapshot.isFromStandby || !isReplica else { throw Self.notStandby }
      var chunk = RowChunk(snapshot: snapshot)
      let rows = results[first + 1]
      if start != nil {
        chunk.next = try results[first + 2].first.map { row throws(PostgresError) in try row.decode(0) }
        chunk.lookedAt = chunk.next == nil ? rows.count : window
      }
      switch table {
      case .users: try appendUsers(rows, to: &chunk.texts)
      case .wallets:
        let ids = try rows.map { row throws(PostgresError) in try row.decode(0, as: Identifier.self) }
        let last = isOwn ? [Statement.commit()] : []
        try appendWallets(
          rows, ids, try session.pipeline([RowStatements.assets(ids)] + last)[0], to: &chunk.texts)
      }
      return chunk
    } catch {
      if isOwn { session.rollback() }
      throw error
    }
  }

  private static let notStandby = SimpleFailure(
    .configuration, code: "replica_not_standby",
    message: "a server of database.replicas is no standby: it does not follow the primary",
    hint: "name standbys only; one that was promoted is the primary now, or no copy of it any more")

  private func appendUsers(_ rows: Rows, to texts: inout KeyedTexts) throws {
    for row in rows {
      let id: Identifier = try row.decode(0)
      try texts.append(CachedTable.users.keyPrefix, id) { out in try RowText.appendUser(row, to: &out) }
    }
  }

  private func appendWallets(
    _ rows: Rows, _ ids: [Identifier], _ assets: Rows, to texts: inout KeyedTexts
  ) throws {
    let assets = Array(assets)
    var next = 0
    for (id, row) in zip(ids, rows) {
      let start = next
      while next < assets.count, try assets[next].decode(0, as: Identifier.self) == id { next += 1 }
      try texts.append(CachedTable.wallets.keyPrefix, id) { out in
        try RowText.appendWallet(row, assets: assets[start..<next], to: &out)
      }
    }
  }
}
