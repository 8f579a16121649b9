public import Postgres
public import Primitives

/// The usage ledger in schema `ironforge` of a session's database.
public struct UsageStore {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// Whether there is a ledger to be read.
  public enum Presence: Sendable {
    case absent
    /// It is there, and the role may not read it.
    case hidden
    case readable
  }

  /// - Throws: `PostgresError`.
  public func presence() throws -> Presence {
    let row = try session.query(LedgerStatements.presence())[0]
    let (count, readable): (Int64, Int64) = (try row.decode(0), try row.decode(1))
    if count < LedgerStatements.tableCount { return .absent }
    return readable < count ? .hidden : .readable
  }

  /// The ledger as of the last snapshot. In a transaction, where a snapshot may be written meanwhile.
  ///
  /// - Throws: `PostgresError`; `schema_missing` where there is none.
  func load() throws -> UsageLedger {
    var ledger = UsageLedger()
    for row in try session.query(LedgerStatements.servers()) {
      let id: Int32 = try row.decode(0)
      ledger.servers[id] = LedgerServer(
        id: id, name: try row.decode(1), isStandby: try row.decode(2),
        systemIdentifier: try row.decode(3), timeline: try row.decode(4), startedAt: try row.decode(5),
        sharedResetAt: try row.decodeIfPresent(6), databaseResetAt: try row.decodeIfPresent(7),
        coveredFrom: try row.decode(8), heardAt: try row.decode(9), leftAt: try row.decodeIfPresent(10),
        databaseOID: try row.decodeIfPresent(11, as: Int64.self).map { UInt32(truncatingIfNeeded: $0) })
    }
    for row in try session.query(LedgerStatements.gaps()) {
      guard let cause = UsageGap.Cause(rawValue: try row.decode(3)) else {
        throw PostgresError.decoding("a gap without a cause")
      }
      ledger.servers[try row.decode(0)]?.gaps.append(
        UsageGap(from: try row.decode(1), to: try row.decode(2), cause: cause))
    }
    for row in try session.query(LedgerStatements.history()) {
      let id: Int64 = try row.decode(0)
      ledger.indexes[id] = LedgerIndex(
        id: id,
        identity: IndexIdentity(
          oid: UInt32(truncatingIfNeeded: try row.decode(1, as: Int64.self)), schema: try row.decode(2),
          table: try row.decode(3), name: try row.decode(4), definition: try row.decode(5),
          relfilenode: try row.decode(6), sizeBytes: try row.decode(7), tuples: try row.decodeIfPresent(8),
          coveredBy: try row.decode(16)),
        firstSeen: try row.decode(9), usedAt: try row.decodeIfPresent(10),
        rebuiltAt: try row.decodeIfPresent(11), lostSeconds: try row.decode(12),
        relievedAt: try row.decodeIfPresent(15), best: try Self.density(row))
    }
    for row in try session.query(LedgerStatements.counters()) {
      let key = CounterKey(index: try row.decode(0), server: try row.decode(1))
      ledger.counters[key] = LedgerCounter(
        scans: try row.decode(2), tuplesRead: try row.decode(3), tuplesFetched: try row.decode(4),
        scansKnown: try row.decode(5), usedAt: try row.decode(6))
    }
    return ledger
  }

  private static func density(_ row: Row) throws -> Density? {
    guard let bytes: Int64 = try row.decodeIfPresent(13), let tuples: Int64 = try row.decodeIfPresent(14),
      tuples > 0
    else { return nil }
    return Density(bytes: bytes, tuples: tuples)
  }

  /// Writes what a snapshot changed, in one transaction.
  ///
  /// - Parameter ledger: as it is after the change.
  /// - Throws: `usage_ledger_busy` where another snapshot was written since the ledger was loaded; `PostgresError`.
  func save(_ change: LedgerChange, of ledger: UsageLedger) throws {
    try session.transaction {
      try session.query(LedgerStatements.lock())
      let last: Timestamp? = try session.query(LedgerStatements.lastSnapshot())[0].decodeIfPresent(0)
      guard last == change.previous else {
        throw SimpleFailure(
          .busy, code: "usage_ledger_busy", message: "another snapshot has been recorded meanwhile",
          hint: "run the same command again", isRetryable: true)
      }
      try writeServers(change, ledger)
      try writeIndexes(change, ledger)
      try writeCounters(change, ledger)
      // Once a day is enough, and finds all months that are over for long.
      guard change.previous.map({ $0.day != change.at.day }) ?? false else { return }
      try session.query(LedgerStatements.forgetDays(change.at))
      try session.query(LedgerStatements.rollUp(change.at))
    }
  }

  private func writeServers(_ change: LedgerChange, _ ledger: UsageLedger) throws {
    var statements: [BoundStatement] = change.serversRemoved.sorted().map {
      LedgerStatements.removeServer($0)
    }
    for server in ledger.servers.values.sorted(by: { $0.id < $1.id }) {
      statements.append(
        LedgerStatements.writeServer(
          server.id, server.name, server.isStandby, server.systemIdentifier, server.timeline,
          server.startedAt, server.sharedResetAt, server.databaseResetAt, server.coveredFrom,
          server.heardAt, server.leftAt, server.databaseOID.map { Int64($0) }))
      statements.append(LedgerStatements.removeGaps(server.id))
      statements.append(
        LedgerStatements.writeGaps(
          server.id, server.gaps.map(\.from), server.gaps.map(\.to), server.gaps.map(\.cause.rawValue)))
    }
    _ = try session.pipeline(statements)
  }

  private func writeIndexes(_ change: LedgerChange, _ ledger: UsageLedger) throws {
    if !change.indexesRemoved.isEmpty {
      try session.query(LedgerStatements.removeIndexes(change.indexesRemoved.sorted()))
    }
    let indexes = change.indexesWritten.sorted().compactMap { ledger.indexes[$0] }
    guard !indexes.isEmpty else { return }
    let identities = indexes.map(\.identity)
    try session.query(
      LedgerStatements.writeIndexes(
        indexes.map(\.id), identities.map { Int64($0.oid) }, identities.map(\.schema),
        identities.map(\.table), identities.map(\.name), identities.map(\.definition),
        identities.map(\.relfilenode), identities.map(\.sizeBytes), identities.map(\.tuples),
        indexes.map(\.firstSeen), indexes.map(\.usedAt), indexes.map(\.rebuiltAt), indexes.map(\.lostSeconds),
        indexes.map { $0.best?.bytes }, indexes.map { $0.best?.tuples }, indexes.map(\.relievedAt),
        identities.map { "{\($0.coveredBy.map(String.init).joined(separator: ","))}" }))
  }

  private func writeCounters(_ change: LedgerChange, _ ledger: UsageLedger) throws {
    let keys = change.countersWritten.filter { ledger.counters[$0] != nil }.sorted {
      ($0.index, $0.server) < ($1.index, $1.server)
    }
    if !keys.isEmpty {
      let counters = keys.compactMap { ledger.counters[$0] }
      try session.query(
        LedgerStatements.writeCounters(
          keys.map(\.index), keys.map(\.server), counters.map(\.scans), counters.map(\.tuplesRead),
          counters.map(\.tuplesFetched), counters.map(\.scansKnown), counters.map(\.usedAt)))
    }
    let deltas = change.deltas.filter { ledger.counters[$0.key] != nil }.sorted {
      ($0.key.index, $0.key.server) < ($1.key.index, $1.key.server)
    }
    guard !deltas.isEmpty else { return }
    try session.query(
      LedgerStatements.writeDay(
        change.at, deltas.map(\.key.index), deltas.map(\.key.server), deltas.map(\.value.scans),
        deltas.map(\.value.tuplesRead), deltas.map(\.value.tuplesFetched)))
  }

  /// Scans of each index a day, over all servers, oldest first, by the OID of the index; what was read before the first
  /// snapshot belongs to no day.
  ///
  /// - Throws: `PostgresError`.
  public func days(since start: Timestamp) throws -> [UInt32: [DayUsage]] {
    var days: [UInt32: [DayUsage]] = [:]
    for row in try session.query(LedgerStatements.days(start)) {
      let oid = UInt32(truncatingIfNeeded: try row.decode(0, as: Int64.self))
      let day: Int32 = try row.decode(1)
      days[oid, default: []].append(
        DayUsage(
          day: Timestamp(microseconds: Int64(day) * 86_400_000_000), scans: try row.decode(2)))
    }
    return days
  }
}

extension Timestamp {
  /// Whole days since 1970, UTC.
  fileprivate var day: Int64 { microseconds / 86_400_000_000 }
}
