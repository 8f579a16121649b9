internal import Primitives

/// What every rule looks at.
struct RuleContext {
  let catalog: Catalog
  let thresholds: Thresholds
  let coverage: Coverage
  let ddl: IndexDDL
  /// What the whole cluster says; nil where one server was asked.
  let usage: ClusterUsage?

  init(_ catalog: Catalog, _ thresholds: Thresholds, _ usage: ClusterUsage? = nil) {
    self.catalog = catalog
    self.thresholds = thresholds
    self.usage = usage
    coverage = Coverage(catalog)
    ddl = IndexDDL(catalog: catalog)
  }

  /// A finding about an index, with all that are attached to it.
  func finding(
    _ kind: Finding.Kind, _ index: Index, _ verdict: Finding.Verdict, _ reasons: [Reason],
    _ evidence: [(key: String, value: JSON)]
  ) -> Finding {
    var (verdict, reasons) = (verdict, reasons)
    if verdict == .drop, !catalog.isTreeComplete(index) {
      verdict = .review
      reasons.append(
        Reason(
          "tree_incomplete", "a partition of its table is locked, and what its index does there is not known")
      )
    }
    let isDrop = verdict == .drop || verdict == .review
    return Finding(
      kind, table: catalog.tableName(index), index: index.name.name,
      // An index has the schema of its table.
      identity: [index.name.name], verdict: verdict, reasons: reasons, evidence: .object(evidence),
      sizeBytes: catalog.sizeBytes(ofTree: index), ddl: isDrop ? ddl.drop(index) : nil,
      undoDDL: isDrop ? ddl.create(index) : nil)
  }

  /// Usage of an index with all that are attached to it, as evidence: on the servers that were heard since their counters
  /// began, and on each server as far as the ledger goes back.
  func evidence(_ index: Index) -> [(key: String, value: JSON)] {
    let usage = catalog.usage(ofTree: index)
    var evidence: [(key: String, value: JSON)] = [
      ("idx_scan", .integer(usage.scans)), ("idx_tup_read", .integer(usage.tuplesRead)),
      ("idx_tup_fetch", .integer(usage.tuplesFetched)), ("last_idx_scan", .time(usage.lastScan)),
    ]
    if let history = catalog.history(ofTree: index) {
      evidence += [
        ("first_seen", .time(history.firstSeen)), ("last_used", .time(history.lastUsed)),
        ("relieved_at", .time(history.relievedAt)),
        (
          "servers",
          .array(
            history.servers.map { server in
              [
                "name": .string(server.name), "idx_scan": .integer(server.scans),
                "last_used": .time(server.lastUsed),
              ]
            })
        ),
      ]
    }
    return evidence
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
