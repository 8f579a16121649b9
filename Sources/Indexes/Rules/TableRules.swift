internal import Primitives

/// Big tables that are read whole again and again.
struct SequentialScanRule {
  let context: RuleContext

  func apply() -> [Finding] { context.wholeTables.compactMap(judge) }

  private func judge(_ table: Table) -> Finding? {
    let counters = table.counters
    let indexScans = context.indexScans(table)
    guard let rows = table.rows, rows >= context.thresholds.rowsMany,
      counters.sequentialScans >= context.thresholds.sequentialScansMany
    else { return nil }
    let rowsEach = counters.sequentialRowsRead / counters.sequentialScans
    let share = Double(indexScans) / Double(indexScans + counters.sequentialScans)
    guard rowsEach >= context.thresholds.rowsMany, share < context.thresholds.indexScanShare else {
      return nil
    }
    let percent = Int((share * 100).rounded(.down))
    return Finding(
      .missing, table: table.name, identity: [], verdict: .review,
      reasons: [
        Reason(
          "sequential_scans",
          "\(counters.sequentialScans) sequential scans read \(rowsEach) rows each, and \(percent) % of all scans"
            + " use an index: one may be missing")
      ],
      evidence: [
        "seq_scan": .integer(counters.sequentialScans), "seq_tup_read": .integer(counters.sequentialRowsRead),
        "idx_scan": .integer(indexScans), "rows": .integer(rows),
      ], sizeBytes: table.sizeBytes)
  }
}

/// Tables where indexes cost writes more than they give reads.
struct WriteCostRule {
  let context: RuleContext

  func apply() -> [Finding] { context.wholeTables.compactMap(judge) }

  private func judge(_ table: Table) -> Finding? {
    let indexes = context.catalog.indexes(of: table.oid).filter(\.isReady)
    let counters = table.counters
    let scans = context.indexScans(table)
    var reasons: [Reason] = []
    if indexes.count >= context.thresholds.indexesMany, counters.indexWrites >= context.thresholds.writesMany,
      scans < counters.indexWrites
    {
      reasons.append(
        Reason(
          "writes_outnumber_scans",
          "\(counters.indexWrites) writes had to follow \(indexes.count) indexes each, which were scanned"
            + " \(counted(scans, "time")) in all"))
    }
    if let reason = hotLost(counters), !indexes.isEmpty { reasons.append(reason) }
    guard !reasons.isEmpty else { return nil }
    return Finding(
      .overIndexed, table: table.name, identity: [], verdict: .review, reasons: reasons,
      evidence: [
        "indexes": .integer(Int64(indexes.count)), "idx_scan": .integer(scans),
        "index_writes": .integer(counters.indexWrites), "n_tup_upd": .integer(counters.updated),
        "n_tup_hot_upd": .integer(counters.hotUpdated),
        "n_tup_newpage_upd": counters.newPageUpdated.map(JSON.integer) ?? .null,
      ],
      sizeBytes: indexes.reduce(0) { $0 + context.catalog.sizeBytes(ofTree: $1) })
  }

  /// From version 16 on the server tells a full page from a changed key.
  private func hotLost(_ counters: TableCounters) -> Reason? {
    guard counters.updated >= context.thresholds.writesMany else { return nil }
    let updated = Double(counters.updated)
    if let newPage = counters.newPageUpdated {
      let share = Double(newPage) / updated
      guard share >= context.thresholds.newPageShare else { return nil }
      return Reason(
        "hot_lost_to_full_pages",
        "\(Int(share * 100)) % of updates went to another page and so to every index: a lower fillfactor leaves room"
      )
    }
    let share = Double(counters.updated - counters.hotUpdated) / updated
    guard share >= context.thresholds.nonHotShare else { return nil }
    return Reason(
      "hot_lost",
      "\(Int(share * 100)) % of updates wrote to every index: an indexed column changes, or pages are full (fillfactor)"
    )
  }
}
