internal import Indexes
internal import Postgres

/// What `RepeatedScans` goes by, from the catalog.
extension RepeatedScans {
  /// - Throws: `PostgresError`.
  init(_ session: Session, _ schema: Schema, _ catalog: Catalog) throws {
    if let row = try session.query(AdviceStatements.costs()).first {
      costs = Costs(
        randomPage: try row.decode(0), sequentialPage: try row.decode(1), row: try row.decode(2),
        operation: try row.decode(3), cachePages: try row.decode(4))
    }
    for table in catalog.tables.values where !table.isPartitioned {
      let heap = Heap(pages: Double(table.sizeBytes / 8192), rows: Double(table.rows ?? 0))
      heaps[table.name.name] = heaps[table.name.name].map { $0.pages < heap.pages ? $0 : heap } ?? heap
    }
    let namesakes = Dictionary(grouping: catalog.indexes.values) { $0.name.name }
    for (name, found) in namesakes where found.count == 1 && found[0].method == "btree" {
      indexes[name] = Keys(found[0], in: schema, catalog)
    }
  }
}

extension RepeatedScans.Keys {
  /// Those of a candidate.
  init(_ candidate: Candidate, in schema: Schema) {
    let table = schema.relations[candidate.table]
    self.init(
      candidate.keys.map { key in
        guard case .column(let number) = key.term else { return nil }
        return table?.column(number)
      })
    let pages = table.map { Double(IndexSize.bytes(candidate, in: $0)) / 8192 } ?? 1
    // Some 250 keys of an inner page; the last of the tree is the root.
    height = pages <= 1 ? 0 : pages <= 250 ? 1 : pages <= 62_500 ? 2 : 3
  }

  /// Those of an index that is there; a partition's columns have the statistics of the table that the statements name.
  fileprivate init(_ index: Index, in schema: Schema, _ catalog: Catalog) {
    let table = catalog.tables[index.table]
    var owner = table
    while let parent = owner?.parent, schema.relations[owner?.oid ?? 0] == nil {
      owner = catalog.tables[parent]
    }
    let known = schema.relations[owner?.oid ?? index.table]
    self.init(
      index.keys.map { key in
        key.column.flatMap { table?.columns[$0] }.flatMap { known?.column(named: $0.name) }
      })
  }

  /// - Parameter keys: nil for what is no column, or of no table that a statement names.
  private init(_ keys: [SchemaColumn?]) {
    columns = keys.prefix { $0 != nil }.compactMap(\.self).map { column in
      (column.quoted, column.distinct.map { (1 - column.nullFraction) / max(1, $0) })
    }
    // As btcostestimate has it: the first column's, and less where others follow.
    correlation = keys.first.flatMap { $0?.correlation }.map { keys.count > 1 ? $0 * 0.75 : $0 }
  }
}
