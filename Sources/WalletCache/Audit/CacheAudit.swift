public import Cache
public import Postgres
public import Primitives
public import Redis

/// What an audit looks at.
public struct AuditPlan: Sendable {
  /// The tables.
  public var tables: [CachedTable]
  /// How many rows and how many keys are drawn at random; nil for all.
  public var sample: Int?
  /// Of the rows, only users who logged in after this moment, and their wallets; nil for all.
  public var activeSince: Timestamp?

  /// A plan by its parts.
  public init(tables: [CachedTable], sample: Int?, activeSince: Timestamp? = nil) {
    self.tables = tables
    self.sample = sample
    self.activeSince = activeSince
  }
}

/// Compares what stands in Redis with one snapshot of the database. It changes nothing: no life, no lease, no fence.
///
/// Rows are looked up in Redis, and keys of Redis in the database. What differs is looked at again: the value before and
/// after a newer snapshot. Only a value that stood there both times and is not that snapshot's is held against the key, so
/// that a write under way is no finding.
public struct CacheAudit {
  private let plan: AuditPlan
  private let store: FencedStore
  private let runner: any CommandRunner
  /// In one transaction from the beginning to the end.
  private let session: Postgres.Session
  /// For newer snapshots.
  private let second: Postgres.Session
  private let check: () throws -> Void
  private let onProgress: (Int) -> Void
  private var tally = AuditTally()

  /// Keys that are compared at once.
  private static let chunk = 1000
  /// Keys that are drawn at random for each that is wanted: others may be most.
  private static let drawsMax = 20
  /// Second looks at a key that changes all the time.
  private static let looksMax = 5

  /// - Parameters:
  ///   - sessions: two, because one keeps its snapshot.
  ///   - check: asked between chunks; throws to end the audit.
  ///   - onProgress: keys that have been compared.
  public init(
    _ plan: AuditPlan, store: FencedStore, redis: any CommandRunner,
    sessions: (Postgres.Session, Postgres.Session),
    check: @escaping () throws -> Void, onProgress: @escaping (Int) -> Void
  ) {
    self.plan = plan
    self.store = store
    runner = redis
    (session, second) = sessions
    self.check = check
    self.onProgress = onProgress
  }

  /// Runs it.
  ///
  /// - Throws: `PostgresError`, `RedisError`; what `check` throws.
  public mutating func run() throws -> AuditTally {
    _ = try session.pipeline(session.beginning(.snapshot))
    defer { session.rollback() }
    if let sample = plan.sample {
      var known: [String] = []
      for table in plan.tables { known += try auditRows(sample, of: table) }
      try auditKeys(sample, known: known)
    } else {
      for table in plan.tables { try auditRows(of: table) }
      try auditKeys()
    }
    return tally
  }

  // MARK: Rows

  private mutating func auditRows(of table: CachedTable) throws {
    var position: Identifier?
    repeat {
      try check()
      let chunk = try RowReader(session).rows(
        of: table, after: position, window: Self.chunk, activeSince: plan.activeSince)
      try compare(chunk.texts.map(\.key), chunk.texts, plan.activeSince == nil ? .rows : .missingRows)
      position = chunk.next
    } while position != nil
  }

  /// Returns the keys of the rows.
  private mutating func auditRows(_ sample: Int, of table: CachedTable) throws -> [String] {
    let statement =
      switch (table, plan.activeSince) {
      case (.users, nil): AuditStatements.sampleUsers(Int64(sample))
      case (.wallets, nil): AuditStatements.sampleWallets(Int64(sample))
      case (.users, let since): AuditStatements.sampleActiveUsers(Int64(sample), since)
      case (.wallets, let since): AuditStatements.sampleActiveWallets(Int64(sample), since)
      }
    let ids = try session.query(statement).map { row throws(PostgresError) in
      try row.decode(0, as: Identifier.self)
    }
    for part in ids.chunks(of: Self.chunk) {
      try check()
      let texts = try RowReader(session).rows(part, of: table).texts
      try compare(texts.map(\.key), texts, .rows)
    }
    return ids.map { CachedRow(table, $0).key.text }
  }

  // MARK: Keys

  /// Compares every value that has no row, where the others were compared from the rows' side; otherwise all.
  private mutating func auditKeys() throws {
    for node in try runner.nodes() {
      for table in plan.tables {
        try node.session.scan(matching: table.keyPattern) { keys in
          try check()
          try auditKeys(Set(keys.compactMap(cached)).sorted(), withRow: plan.activeSince != nil)
        }
      }
    }
  }

  /// Compares values that are drawn at random, other than those of `known`.
  private mutating func auditKeys(_ sample: Int, known: [String]) throws {
    var known = Set(known)
    var left = sample
    for node in try runner.nodes() {
      for _ in stride(from: 0, to: sample * Self.drawsMax, by: Self.chunk) where left > 0 {
        try check()
        let draws = [Command](repeating: Command("RANDOMKEY"), count: Self.chunk)
        let drawn = try node.session.pipeline(draws, isIdempotent: true).compactMap { try $0.bytes() }
        if drawn.isEmpty { break }
        let keys = Set(drawn.compactMap(cached)).subtracting(known).prefix(left)
        known.formUnion(keys)
        left -= keys.count
        try auditKeys(Array(keys), withRow: true)
      }
    }
  }

  /// The text of a key that is in scope. What is named like `user:42:cart` or `user:sessions` is no row's, and nobody's business.
  private func cached(_ bytes: [UInt8]) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self),
      let row = CachedRow(key: text), plan.tables.contains(row.table)
    else { return nil }
    return text
  }

  private mutating func auditKeys(_ keys: [String], withRow: Bool) throws {
    for table in plan.tables {
      let ours = keys.filter { $0.hasPrefix("\(table.keyPrefix):") }
      if ours.isEmpty { continue }
      let texts = try RowReader(session).rows(ours.compactMap { CachedRow(key: $0)?.id }, of: table).texts
      let found = Set(texts.map(\.key))
      try compare(withRow ? ours : ours.filter { !found.contains($0) }, texts, .values)
    }
  }

  // MARK: Comparing

  /// Which side a comparison comes from, and so what counts.
  private enum Side {
    /// Rows: whatever is found.
    case rows
    /// Rows whose values are compared from the other side: only that there is one.
    case missingRows
    /// Values: not that one has gone meanwhile.
    case values

    func counts(_ verdict: Verdict) -> Bool {
      switch self {
      case .rows: verdict != .nothing
      case .missingRows: verdict == .missing
      case .values: verdict != .nothing && verdict != .missing
      }
    }
  }

  /// - Parameter texts: the rows among the keys, as the snapshot has them.
  private mutating func compare(_ keys: [String], _ texts: KeyedTexts, _ side: Side) throws {
    let rows = Dictionary(texts.map { ($0.key, $0.text) }, uniquingKeysWith: { first, _ in first })
    var doubtful: [String] = []
    for (key, entry) in zip(keys, try look(keys)) {
      let verdict = entry.verdict(against: rows[key])
      guard side.counts(verdict) else { continue }
      if verdict == .fresh { note(fresh: 1) } else { doubtful.append(key) }
    }
    for table in plan.tables {
      try lookAgain(doubtful.filter { $0.hasPrefix("\(table.keyPrefix):") }, table, side)
    }
    onProgress(tally.checked)
  }

  /// Looks at keys until each is what the newest snapshot says, or was something else before and after it was taken.
  private mutating func lookAgain(_ keys: [String], _ table: CachedTable, _ side: Side) throws {
    var open = keys
    for _ in 1...Self.looksMax where !open.isEmpty {
      let before = try look(open)
      let texts = try RowReader(second).rows(open.compactMap { CachedRow(key: $0)?.id }, of: table).texts
      let rows = Dictionary(texts.map { ($0.key, $0.text) }, uniquingKeysWith: { first, _ in first })
      let after = try look(open)
      let outboxed = try waiting(open)
      var unsettled: [String] = []
      for (key, (before, after)) in zip(open, zip(before, after)) {
        let verdict = after.verdict(against: rows[key])
        if verdict == .fresh, side.counts(verdict) {
          note(fresh: 1)
        } else if !before.isSame(as: after) {
          unsettled.append(key)
        } else if side.counts(verdict) {
          tally.add(
            finding(key, after, verdict, outboxed.contains(key)), isRepeatable: side == .values)
        }
      }
      open = unsettled
    }
    // They change faster than they can be looked at: somebody keeps them fresh.
    note(fresh: open.count)
  }

  private mutating func note(fresh count: Int) {
    tally.checked += count
    tally.fresh += count
  }

  /// Which of the keys wait in the outbox.
  private func waiting(_ keys: [String]) throws -> Set<String> {
    Set(
      try second.query(AuditStatements.outboxed(keys)).map { row throws(PostgresError) in try row.decode(0) })
  }

  private func finding(
    _ key: String, _ entry: StoredEntry, _ verdict: Verdict, _ isOutboxed: Bool
  ) -> AuditFinding {
    let kind: AuditFinding.Kind
    let cause: AuditFinding.Cause
    switch verdict {
    case .missing:
      kind = .missing
      cause = entry.fences.isEmpty ? .notFilled : .invalidated
    case .orphaned:
      kind = .orphaned
      cause = .rowDeleted
    case .stale, .fresh, .nothing:
      kind = .stale
      cause = entry.value == .absent ? .rowCreated : .unfencedWrite
    }
    let isOfWrite = [.unfencedWrite, .rowCreated, .rowDeleted].contains(cause)
    return AuditFinding(
      key: key, kind: kind,
      cause: entry.isForeign ? .foreignType : isOfWrite && isOutboxed ? .outboxPending : cause,
      ageMilliseconds: store.age(of: entry, at: .now()), timeLeft: entry.timeLeft)
  }

  // MARK: Redis

  private func look(_ keys: [String]) throws -> [StoredEntry] {
    try store.peek(try keys.map { try CacheKey($0) }, in: runner)
  }
}

/// What a key is, beside its row.
private enum Verdict {
  case fresh, stale, missing, orphaned
  /// Neither a row nor a value.
  case nothing
}

extension StoredEntry {
  /// - Parameter row: the row's text; nil where there is no row.
  fileprivate func verdict(against row: String?) -> Verdict {
    if isForeign { return row == nil ? .orphaned : .stale }
    return switch (value, row) {
    case (nil, nil): .nothing
    case (nil, _): .missing
    case (.absent, nil): .fresh
    case (.absent, _): .stale
    case (.text, nil): .orphaned
    case (.text(let text), let row): text == row ? .fresh : .stale
    }
  }

  /// Whether the same value was there both times.
  fileprivate func isSame(as other: StoredEntry) -> Bool {
    value == other.value && isForeign == other.isForeign
  }
}

extension Array {
  fileprivate func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
