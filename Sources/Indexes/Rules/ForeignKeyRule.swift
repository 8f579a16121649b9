internal import Primitives

extension Index {
  /// Whether a search for the rows that refer to one parent row can use it: its leading keys are the foreign key's
  /// columns in any order. A hash index has one key; a BRIN index finds no rows, only pages. A partial one will do only
  /// when it leaves nothing out but rows without a parent.
  func serves(_ key: ForeignKey, in table: Table) -> Bool {
    guard isWhole, method != "brin", !key.columns.isEmpty else { return false }
    let leading = keys.prefix(key.columns.count)
    guard leading.count == key.columns.count, Set(leading.compactMap(\.column)) == Set(key.columns),
      leading.allSatisfy({ $0.collation == table.columns[$0.column ?? 0]?.collation })
    else { return false }
    let notNull = key.columns.compactMap { table.columns[$0]?.quoted }.map {
      Predicate.Conjunct(subject: $0, test: .isNotNull)
    }
    return Predicate(parsing: predicate).conjuncts.isSubset(of: notNull)
  }
}

/// Foreign keys without an index on the referring columns: each change of a parent row reads the whole table.
struct ForeignKeyRule {
  let context: RuleContext

  private var catalog: Catalog { context.catalog }

  func apply() -> [Finding] {
    var seen: Set<[String]> = []
    return catalog.foreignKeys.sorted { ($0.table, $0.name) < ($1.table, $1.name) }.compactMap { key in
      guard let table = catalog.tables[key.table],
        !catalog.indexes(of: key.table).contains(where: { $0.serves(key, in: table) })
      else { return nil }
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
    var reasons = [
      Reason(
        "foreign_key_unindexed",
        "no index begins with (\(names)): each change of a row of \(key.parentName) reads this table whole")
    ]
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
    let statements = isWanted ? context.ddl.create(on: table, columns: columns) : nil
    return Finding(
      .missingForeignKeyIndex, table: table.name, identity: identity, verdict: isWanted ? .create : .keep,
      reasons: reasons,
      evidence: [
        "constraint": .string(key.name), "columns": .array(columns.map { .string($0.name) }),
        "parent": .string(key.parentName.description), "writes": .integer(whole.counters.writes),
        "parent_changes": .integer(parentChanges), "parent_size_bytes": .integer(parent?.sizeBytes ?? 0),
        "seq_scan": .integer(whole.counters.sequentialScans),
      ], sizeBytes: whole.sizeBytes, ddl: statements?.ddl, undoDDL: statements?.undo)
  }
}
