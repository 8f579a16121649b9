internal import Primitives

extension Catalog {
  /// The indexes by which the rows that refer to one parent row can be found.
  ///
  /// Their leading keys are the foreign key's columns in any order, or as many of them as are unique in the parent: those
  /// alone tell which row is referred to. A BRIN index finds no rows, only pages. A partial one will do only when it leaves
  /// nothing out but rows without a parent.
  func indexes(serving key: ForeignKey) -> [Index] {
    guard let table = tables[key.table] else { return [] }
    return indexes(of: table, beginningWith: sufficientColumns(key), of: key)
  }

  /// The same by table: a partition may have an index of its own, which serves its part of the key.
  func indexesByTable(serving key: ForeignKey) -> [[Index]] {
    guard let table = tables[key.table] else { return [] }
    return [indexes(serving: key)]
      + partitions(of: table).map { part in
        part.adapted(key, from: table).map { indexes(of: part, beginningWith: sufficientColumns($0), of: $0) }
          ?? []
      }
  }

  /// Whether each row that refers to a parent row is found by an index: of the table, or of every partition that has rows.
  func isServed(_ key: ForeignKey) -> Bool {
    let found = indexesByTable(serving: key)
    guard let table = tables[key.table], let whole = found.first, whole.isEmpty else { return true }
    let parts = partitions(of: table)
    let isKnown = ([table] + parts).allSatisfy { part in
      !part.isPartitioned || parts.count { $0.parent == part.oid } >= part.partitionCount
    }
    return table.isPartitioned && isKnown && parts.contains { !$0.isPartitioned }
      && zip(parts, found.dropFirst()).allSatisfy { $0.isPartitioned || !$1.isEmpty }
  }

  /// The indexes that begin with one of the referring columns, where none serves the key: the server finds the rows by it and throws
  /// others away. Not those on a column with few values.
  func indexes(helping key: ForeignKey) -> [Index] {
    guard let table = tables[key.table], !isServed(key) else { return [] }
    let selective = key.columns.filter { table.columns[$0].map { $0.distinctValues == nil } ?? false }
    return indexes(of: table, beginningWith: selective.map { [$0] }, of: key)
  }

  private func indexes(of table: Table, beginningWith sets: [Set<Int16>], of key: ForeignKey) -> [Index] {
    let notNull = key.columns.compactMap { table.columns[$0]?.quoted }.map {
      Predicate.Conjunct(subject: ExactText($0), test: .isNotNull)
    }
    return indexes(of: table.oid).filter { index in
      index.isWhole && index.method != "brin" && sets.contains { index.begins(with: $0, of: table) }
        && Predicate(parsing: index.predicate).conjuncts.isSubset(of: notNull)
    }
  }

  /// Sets of referring columns, each of which tells the parent row.
  private func sufficientColumns(_ key: ForeignKey) -> [Set<Int16>] {
    let referring = Dictionary(zip(key.parentColumns, key.columns)) { first, _ in first }
    var sets = [Set(key.columns)]
    // Somebody has locked the parent: what is unique in it is not known, and may be any of them.
    if tables[key.parent] == nil { return sets + key.columns.map { [$0] } }
    for index in indexes(of: key.parent) where index.isUnique && index.isWhole && index.predicate == nil {
      let columns = index.keyColumns.compactMap { referring[$0] }
      if columns.count == index.keys.count { sets.append(Set(columns)) }
    }
    return sets
  }
}

extension Table {
  /// The key as a partition has it, whose columns may have other numbers; nil where no index of it is on some of them.
  fileprivate func adapted(_ key: ForeignKey, from table: Table) -> ForeignKey? {
    let numbers = key.columns.compactMap { number in
      table.columns[number].flatMap { column in columns.first { $0.value.quoted == column.quoted }?.key }
    }
    guard numbers.count == key.columns.count else { return nil }
    return ForeignKey(
      name: key.name, table: oid, columns: numbers, parent: key.parent, parentColumns: key.parentColumns,
      parentName: key.parentName)
  }
}

extension Index {
  /// Whether its leading keys are these columns in any order, as they compare in the table.
  fileprivate func begins(with columns: Set<Int16>, of table: Table) -> Bool {
    let leading = keys.prefix(columns.count)
    return !columns.isEmpty && Set(leading.compactMap(\.column)) == columns
      && leading.allSatisfy { $0.collation == table.columns[$0.column ?? 0]?.collation }
  }
}

/// Foreign keys without an index on the referring columns: each change of a parent row reads the whole table.
struct ForeignKeyRule {
  let context: RuleContext

  private var catalog: Catalog { context.catalog }

  func apply() -> [Finding] {
    var seen: Set<[String]> = []
    return catalog.foreignKeys.sorted { ($0.table, $0.name) < ($1.table, $1.name) }.compactMap { key in
      guard let table = catalog.tables[key.table], !catalog.isServed(key) else { return nil }
      // Two keys on the same columns want one index.
      let identity = columns(of: key, table).map(\.name).sorted()
      guard seen.insert([table.name.schema, table.name.name] + identity).inserted else { return nil }
      return finding(key, table, identity)
    }
  }

  private func columns(of key: ForeignKey, _ table: Table) -> [Column] {
    key.columns.compactMap { table.columns[$0] }
  }

  private func finding(_ key: ForeignKey, _ table: Table, _ identity: [String]) -> Finding {
    let whole = catalog.summed(table)
    let parent = catalog.tables[key.parent].map { catalog.summed($0) }
    let parentChanges = parent.map { $0.counters.updated + $0.counters.deleted } ?? 0
    let names = columns(of: key, table).map(\.name).joined(separator: ", ")
    let helpers = catalog.indexes(helping: key).map(\.name.name).joined(separator: ", ")
    let effect =
      helpers.isEmpty
      ? "each change of a row of \(key.parentName) reads this table whole"
      : "each change of a row of \(key.parentName) reads what \(helpers) finds, and throws most of it away"
    var reasons = [Reason("foreign_key_unindexed", "no index begins with (\(names)): \(effect)")]
    let bytes = context.thresholds
    let isBig = whole.sizeBytes > bytes.foreignKeyTableBytes
    let isBusy =
      whole.counters.writes > bytes.foreignKeyTableWrites || parentChanges > 0
      || (parent?.sizeBytes ?? 0) > bytes.foreignKeyParentBytes
    if !isBig { reasons.append(Reason("table_small", "the table is small enough to be read whole")) }
    if isBig, !isBusy {
      reasons.append(
        Reason("table_quiet", "hardly anybody writes it, and its parent is small and does not change"))
    }
    let columns = columns(of: key, table)
    let isWanted = isBig && isBusy && columns.count == key.columns.count
    // What a locked partition has is not known, and an index of the whole would lock out the writers of all partitions: no
    // statement to copy.
    let isKnown = catalog.isTreeOpen(table)
    if isWanted, !isKnown {
      reasons.append(
        Reason("tree_incomplete", "a partition of the table is locked, and which indexes it has is not known")
      )
    }
    let statements = isWanted && isKnown ? context.ddl.create(on: table, columns: columns) : nil
    return Finding(
      .missingForeignKeyIndex, table: table.name, identity: identity,
      verdict: isWanted ? (isKnown ? .create : .review) : .keep, reasons: reasons,
      evidence: [
        "constraint": .string(key.name), "columns": .array(columns.map { .string($0.name) }),
        "parent": .string(key.parentName.description), "writes": .integer(whole.counters.writes),
        "parent_changes": .integer(parentChanges), "parent_size_bytes": .integer(parent?.sizeBytes ?? 0),
        "seq_scan": .integer(whole.counters.sequentialScans),
      ], sizeBytes: whole.sizeBytes, ddl: statements?.ddl, undoDDL: statements?.undo)
  }
}
