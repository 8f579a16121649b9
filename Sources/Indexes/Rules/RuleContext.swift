internal import Primitives

/// What every rule looks at.
struct RuleContext {
  let catalog: Catalog
  let thresholds: Thresholds
  let coverage: Coverage
  let ddl: IndexDDL

  init(_ catalog: Catalog, _ thresholds: Thresholds) {
    self.catalog = catalog
    self.thresholds = thresholds
    coverage = Coverage(catalog)
    ddl = IndexDDL(catalog: catalog)
  }

  /// A finding about an index, with all that are attached to it.
  func finding(
    _ kind: Finding.Kind, _ index: Index, _ verdict: Finding.Verdict, _ reasons: [Reason],
    _ evidence: [(key: String, value: JSON)]
  ) -> Finding {
    let isDrop = verdict == .drop || verdict == .review
    return Finding(
      kind, table: catalog.tableName(index), index: index.name.name,
      // An index has the schema of its table.
      identity: [index.name.name], verdict: verdict, reasons: reasons, evidence: .object(evidence),
      sizeBytes: catalog.sizeBytes(ofTree: index), ddl: isDrop ? ddl.drop(index) : nil,
      undoDDL: isDrop ? ddl.create(index) : nil)
  }

  /// Usage of an index with all that are attached to it, as evidence.
  func evidence(of usage: IndexUsage) -> [(key: String, value: JSON)] {
    [
      ("idx_scan", .integer(usage.scans)), ("idx_tup_read", .integer(usage.tuplesRead)),
      ("idx_tup_fetch", .integer(usage.tuplesFetched)), ("last_idx_scan", .time(usage.lastScan)),
    ]
  }

  /// Tables that the rules about tables judge: a partition is judged with its root.
  var wholeTables: [Table] {
    catalog.sortedTables.filter { $0.parent == nil }.map { catalog.summed($0) }
  }

  /// Scans of all indexes of a table and its partitions.
  func indexScans(_ table: Table) -> Int64 {
    ([table] + catalog.partitions(of: table)).reduce(0) { sum, member in
      catalog.indexes(of: member.oid).reduce(sum) { $0 + $1.usage.scans }
    }
  }
}
