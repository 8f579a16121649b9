internal import Primitives

/// Indexes on one column with few values: a scan of them mostly reads a large part of the table.
struct SelectivityRule {
  let context: RuleContext

  private var catalog: Catalog { context.catalog }

  func apply() -> [Finding] { catalog.sortedIndexes.compactMap(judge) }

  private func judge(_ index: Index) -> Finding? {
    guard index.parent == nil, index.isWhole, index.predicate == nil, !index.isUnique,
      index.method == "btree" || index.method == "hash", index.keys.count == 1,
      let table = catalog.tables[index.table].map({ catalog.summed($0) }),
      let rows = table.rows, rows >= context.thresholds.rowsMany,
      let column = index.keys.first?.column.flatMap({ table.columns[$0] }), let values = values(of: column)
    else { return nil }
    let usage = catalog.usage(ofTree: index)
    let share = usage.scans > 0 ? Double(usage.tuplesRead) / Double(usage.scans) / Double(rows) : nil
    let protections = catalog.protections(of: index)
    var reasons = [
      Reason("few_values", "\(column.name) has about \(counted(Int64(values), "value")) in \(rows) rows")
    ]
    var verdict = Finding.Verdict.review
    if let share, share <= context.thresholds.rareShare {
      verdict = .keep
      reasons.append(Reason("reads_rare_values", "but its scans look for rare ones"))
    } else {
      reasons.append(
        Reason(
          "partial_instead",
          "a partial index on the rare values would be smaller and as good, if any are rare"))
    }
    if !protections.isEmpty {
      verdict = .keep
      reasons += protections
    }
    var finding = context.finding(
      .lowSelectivity, index, verdict, reasons,
      context.evidence(index) + [
        ("column", .string(column.name)), ("distinct_values", .number(values)), ("rows", .integer(rows)),
        ("share_per_scan", share.map(JSON.number) ?? .null),
      ])
    // Whether it serves a rare value nobody but a person knows: no statement to copy.
    finding.ddl = nil
    finding.undoDDL = nil
    return finding
  }

  private func values(of column: Column) -> Double? {
    if column.isBoolean { return min(2, column.distinctValues ?? 2) }
    return column.distinctValues.flatMap { $0 <= context.thresholds.fewValues ? $0 : nil }
  }
}
