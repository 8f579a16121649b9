public import Postgres
internal import Primitives

/// Reads the catalog of a session's database, in one snapshot, with the rights of `pg_monitor`.
public struct CatalogReader {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// In a transaction of its own, unless one is open.
  ///
  /// - Parameters:
  ///   - fewValues: columns with more values than this are of no interest.
  ///   - bloatBytes: of smaller indexes it is not read what they are made of.
  /// - Throws: `PostgresError`.
  public func read(
    fewValues: Double = Thresholds().fewValues, bloatBytes: Int64 = Thresholds().bloatWasteBytes
  ) throws -> Catalog {
    var abandoned: Set<UInt32> = []
    for row in try session.query(IndexStatements.abandoned()) { abandoned.insert(try row.decode(0)) }
    func readAll() throws -> Catalog {
      try session.query(IndexStatements.plainPrinting())
      var facts = try readFacts()
      facts.standbys = try session.query(UsageStatements.standbys()).map { row in try row.decode(0) }
      facts.tablesLocked = try session.query(IndexStatements.lockedTables()).map { row in try row.decode(0) }
      facts.schemas = Set(try session.query(IndexStatements.schemas()).map { ExactText(try $0.decode(0)) })
      var indexes = try readIndexes(facts, abandoned)
      try readEntries(of: &indexes, bloatBytes)
      return Catalog(
        tables: try readTables(fewValues), indexes: indexes, foreignKeys: try readForeignKeys(), facts: facts)
    }
    return session.isInTransaction ? try readAll() : try session.transaction(.snapshot, readAll)
  }

  /// What large indexes are made of.
  private func readEntries(of indexes: inout [Index], _ bytesMin: Int64) throws {
    let large = indexes.filter { $0.sizeBytes >= bytesMin && !$0.isPartitioned }.map { Int64($0.oid) }
    guard !large.isEmpty else { return }
    var statistics: [UInt32: [Int16: ColumnStatistics]] = [:]
    for row in try session.query(BloatStatements.columnStatistics(large)) {
      statistics[try row.decode(0), default: [:]][try row.decode(1)] = ColumnStatistics(
        distinct: try row.decode(2), width: try row.decode(3), nullShare: try row.decode(4))
    }
    var places: [UInt32: Int] = [:]
    for (place, index) in indexes.enumerated() { places[index.oid] = place }
    for row in try session.query(BloatStatements.entries(large)) {
      guard let place = places[try row.decode(0)] else { continue }
      indexes[place].tuples = try row.decodeIfPresent(1)
      guard try row.decode(2) else { continue }
      let lengths: [Int16] = try row.decode(3)
      let alignments: [String] = try row.decode(4)
      let index = indexes[place]
      let columns = index.keys.map(\.column) + index.included.map { $0 }
      guard lengths.count == columns.count, alignments.count == columns.count else {
        throw PostgresError.decoding("an index with other columns than it has")
      }
      let attributes = columns.enumerated().map { position, column in
        BtreeLayout.Attribute(
          length: lengths[position], alignment: Self.alignment(alignments[position]),
          statistics: column.map { statistics[index.table]?[$0] }
            ?? statistics[index.oid]?[Int16(clamping: position + 1)])
      }
      indexes[place].layout = BtreeLayout(
        attributes: attributes, keyCount: index.keys.count, isEqualImage: try row.decode(5))
    }
  }

  /// `pg_type.typalign`.
  private static func alignment(_ code: String) -> Int {
    switch code {
    case "c": 1
    case "s": 2
    case "i": 4
    default: 8
    }
  }

  private func readFacts() throws -> StatisticsFacts {
    guard let row = try session.query(IndexStatements.facts()).first else {
      throw SimpleFailure(
        .unexpected, code: "statistics_missing", message: "pg_stat_database does not know this database")
    }
    var facts = StatisticsFacts(now: try row.decode(2))
    facts.database = try row.decode(0)
    facts.serverVersion = try row.decode(1)
    facts.since = try row.decodeIfPresent(3)
    facts.isStandby = try row.decode(4)
    facts.isCounting = try row.decode(5)
    facts.knowsCommitTimes = try row.decode(6)
    facts.seesAllStatistics = try row.decode(7)
    facts.tablesHidden = try row.decode(8)
    facts.statisticsTarget = try row.decode(9)
    return facts
  }

  private func readTables(_ fewValues: Double) throws -> [Table] {
    var columns = try readColumns(fewValues)
    var newPageUpdates: [UInt32: Int64] = [:]
    if session.serverVersion >= 160_000 {
      for row in try session.query(IndexStatements.newPageUpdates()) {
        newPageUpdates[try row.decode(0)] = try row.decode(1)
      }
    }
    var unknown: Set<UInt32> = []
    for row in try session.query(IndexStatements.withoutStatistics()) { unknown.insert(try row.decode(0)) }
    return try session.query(IndexStatements.tables()).map { row in
      let oid: UInt32 = try row.decode(0)
      let name = RelationName(
        schema: try row.decode(1), name: try row.decode(2), quoted: try row.decode(3))
      var table = Table(oid: oid, name: name)
      table.isPartitioned = try row.decode(4)
      table.parent = try Self.oid(row, 5)
      table.rows = try row.decodeIfPresent(6)
      table.sizeBytes = try row.decode(7)
      table.columns = columns.removeValue(forKey: oid) ?? [:]
      table.lacksStatistics = unknown.contains(oid)
      table.owner = try row.decode(10)
      table.isOwned = try row.decode(11)
      table.partitionCount = try row.decode(12)
      table.lockedPartitionCount = try row.decode(13)
      let counts: [Int64] = try row.decode(8)
      guard counts.count == 8 else { throw PostgresError.decoding("\(counts.count) counters of a table") }
      table.counters = TableCounters(
        sequentialScans: counts[0], sequentialRowsRead: counts[1], inserted: counts[2], updated: counts[3],
        deleted: counts[4], hotUpdated: counts[5], newPageUpdated: newPageUpdates[oid],
        modifiedSinceAnalyze: counts[6], liveRows: counts[7], lastAnalyze: try row.decodeIfPresent(9))
      return table
    }
  }

  private func readColumns(_ fewValues: Double) throws -> [UInt32: [Int16: Column]] {
    var columns: [UInt32: [Int16: Column]] = [:]
    for row in try session.query(IndexStatements.columns()) {
      var column = Column(name: try row.decode(2), quoted: try row.decode(3))
      column.isBoolean = try row.decode(4)
      column.collation = try row.decode(5)
      column.isInteger = try row.decode(6)
      columns[try row.decode(0), default: [:]][try row.decode(1)] = column
    }
    for row in try session.query(IndexStatements.fewValues(fewValues)) {
      let (table, number): (UInt32, Int16) = (try row.decode(0), try row.decode(1))
      columns[table]?[number]?.distinctValues = try row.decode(2)
    }
    return columns
  }

  private func readIndexes(_ facts: StatisticsFacts, _ abandoned: Set<UInt32>) throws -> [Index] {
    let details = try readDetails(facts)
    let usage = try readUsage()
    var indexes: [Index] = []
    for row in try session.query(IndexStatements.indexes()) {
      // One that was dropped meanwhile has no definition any more.
      guard let definition: String = try row.decodeIfPresent(22) else { continue }
      let oid: UInt32 = try row.decode(0)
      let columns: [Int16] = try row.decode(6)
      let keyCount = Int(try row.decode(7, as: Int16.self))
      var index = Index(
        oid: oid, table: try row.decode(1),
        name: RelationName(schema: try row.decode(2), name: try row.decode(3), quoted: try row.decode(4)),
        keys: try Self.keys(
          row, Array(columns.prefix(keyCount)), details.options[oid] ?? [:], details.operatorClasses))
      index.included = Array(columns.dropFirst(keyCount))
      index.method = try row.decode(5)
      index.predicate = try row.decodeIfPresent(12)
      try Self.setFlags(of: &index, row.decode(13))
      index.parent = try Self.oid(row, 14)
      index.constraint = try Self.constraint(row)
      index.tablespace = try row.decodeIfPresent(18)
      index.storage = try row.decode(19)
      index.comment = try row.decodeIfPresent(20)
      index.sizeBytes = try row.decode(21)
      index.definition = definition
      index.attachedCount = try row.decode(23)
      index.isInWork = !index.isValid && !abandoned.contains(oid)
      index.hasNullsNotDistinct = details.nullsNotDistinct.contains(oid)
      index.statisticsTargets = details.targets[oid] ?? [:]
      index.extensions = details.extensions[oid] ?? []
      index.usage = usage[oid] ?? IndexUsage()
      index.madeAt = details.madeAt[oid]
      index.relfilenode = details.files[oid]?.number ?? 0
      index.tuples = details.files[oid]?.tuples
      indexes.append(index)
    }
    return indexes
  }

  /// What is read apart: most of it only a few indexes have.
  private struct Details {
    var files: [UInt32: (number: Int64, tuples: Int64?)] = [:]
    /// Of operator classes that only are other names, those that they stand for.
    var operatorClasses: [Int64: Int64] = [:]
    var options: [UInt32: [Int16: String]] = [:]
    var targets: [UInt32: [Int16: Int32]] = [:]
    var extensions: [UInt32: [String]] = [:]
    var nullsNotDistinct: Set<UInt32> = []
    var madeAt: [UInt32: Timestamp] = [:]
  }

  private func readDetails(_ facts: StatisticsFacts) throws -> Details {
    var details = Details()
    for row in try session.query(IndexStatements.operatorClassAliases()) {
      details.operatorClasses[try row.decode(0)] = try row.decode(1)
    }
    for row in try session.query(IndexStatements.indexColumns()) {
      let (oid, number): (UInt32, Int16) = (try row.decode(0), try row.decode(1))
      details.options[oid, default: [:]][number] = try row.decodeIfPresent(2)
      let target: Int32 = try row.decode(3)
      if target >= 0 { details.targets[oid, default: [:]][number] = target }
    }
    for row in try session.query(IndexStatements.extensions()) {
      details.extensions[try row.decode(0)] = try row.decode(1)
    }
    for row in try session.query(UsageStatements.storage()) {
      details.files[try row.decode(0)] = (number: try row.decode(1), tuples: try row.decodeIfPresent(2))
    }
    if session.serverVersion >= 150_000 {
      for row in try session.query(IndexStatements.nullsNotDistinct()) {
        details.nullsNotDistinct.insert(try row.decode(0))
      }
    }
    if facts.knowsCommitTimes {
      for row in try session.query(IndexStatements.commitTimes()) {
        details.madeAt[try row.decode(0)] = try row.decodeIfPresent(1)
      }
    }
    return details
  }

  private func readUsage() throws -> [UInt32: IndexUsage] {
    var usage: [UInt32: IndexUsage] = [:]
    for row in try session.query(IndexStatements.usage()) {
      usage[try row.decode(0)] = IndexUsage(
        scans: try row.decode(1), tuplesRead: try row.decode(2), tuplesFetched: try row.decode(3))
    }
    if session.serverVersion >= 160_000 {
      for row in try session.query(IndexStatements.lastScans()) {
        usage[try row.decode(0)]?.lastScan = try row.decode(1)
      }
    }
    return usage
  }

  private func readForeignKeys() throws -> [ForeignKey] {
    try session.query(IndexStatements.foreignKeys()).map { row in
      ForeignKey(
        name: try row.decode(0), table: try row.decode(1), columns: try row.decode(2),
        parent: try row.decode(3), parentColumns: try row.decode(4),
        parentName: RelationName(
          schema: try row.decode(5), name: try row.decode(6), quoted: try row.decode(7)))
    }
  }

  private static func oid(_ row: Row, _ column: Int) throws -> UInt32? {
    try row.decodeIfPresent(column, as: Int64.self).map { UInt32(truncatingIfNeeded: $0) }
  }

  private static func keys(
    _ row: Row, _ columns: [Int16], _ options: [Int16: String], _ aliases: [Int64: Int64]
  ) throws -> [IndexKey] {
    let classes: [Int64] = try row.decode(8)
    let collations: [Int64] = try row.decode(9)
    let directions: [Int16] = try row.decode(10)
    let expressions: [String] = try row.decode(11)
    guard min(classes.count, collations.count, directions.count) >= columns.count,
      expressions.count == columns.count(where: { $0 == 0 })
    else { throw PostgresError.decoding("an index whose keys do not match") }
    var rest = expressions[...]
    return columns.enumerated().map { position, column in
      var key = column == 0 ? IndexKey(expression: ExactText(rest.removeFirst())) : IndexKey(column: column)
      key.operatorClass = aliases[classes[position]] ?? classes[position]
      key.collation = collations[position]
      key.options = options[Int16(clamping: position + 1)]
      // INDOPTION_DESC and INDOPTION_NULLS_FIRST of src/include/catalog/pg_index.h.
      key.isDescending = directions[position] & 1 != 0
      key.hasNullsFirst = directions[position] & 2 != 0
      return key
    }
  }

  private static func setFlags(of index: inout Index, _ flags: [Bool]) throws {
    guard flags.count == 9 else { throw PostgresError.decoding("\(flags.count) flags of an index") }
    index.isPartitioned = flags[0]
    index.isUnique = flags[1]
    index.isImmediate = flags[2]
    index.isReplicaIdentity = flags[3]
    index.isClustered = flags[4]
    index.isValid = flags[5]
    index.isReady = flags[6]
    index.isLive = flags[7]
    index.isReferenced = flags[8]
  }

  private static func constraint(_ row: Row) throws -> IndexConstraint? {
    guard let name: String = try row.decodeIfPresent(15) else { return nil }
    let kind: IndexConstraint.Kind =
      switch try row.decode(16, as: String.self) {
      case "p": .primaryKey
      case "u": .unique
      default: .exclusion
      }
    return IndexConstraint(name: name, kind: kind, isDeferrable: try row.decode(17))
  }
}
