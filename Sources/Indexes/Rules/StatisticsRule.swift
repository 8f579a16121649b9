internal import Primitives

/// Whether the planner's statistics of a table are missing or out of date: what the audit, `db analyze` and the job
/// `analyze-stale` go by.
public struct StatisticsRule {
  private let catalog: Catalog
  private let thresholds: Thresholds

  /// A table of so many bytes has rows, even where nobody has counted them.
  private static let bytesUncounted: Int64 = 64 << 10

  public init(_ catalog: Catalog, _ thresholds: Thresholds = Thresholds()) {
    self.catalog = catalog
    self.thresholds = thresholds
  }

  /// Nil where they are good enough, or there is nothing to know.
  public func staleness(of table: Table) -> Reason? {
    table.isPartitioned ? ofPartitioned(table) : ofPlain(table)
  }

  /// Whether the table is so small that statistics change no plan that matters: autovacuum leaves it alone.
  func isSmall(_ table: Table) -> Bool {
    let counted = max(table.rows ?? 0, table.counters.liveRows)
    return counted > 0 ? counted <= thresholds.changesBorne : table.sizeBytes <= Self.bytesUncounted
  }

  private func ofPlain(_ table: Table) -> Reason? {
    let counters = table.counters
    let isUnseen = counters.lastAnalyze == nil && table.sizeBytes > 0
    if isUnseen, table.rows == nil {
      return Reason(
        "never_analyzed", "it was never analysed, or not since an upgrade: plans are made without statistics")
    }
    let limit = Double(thresholds.changesBorne) + thresholds.changedShare * Double(table.rows ?? 0)
    if Double(counters.modifiedSinceAnalyze) > limit, !isSmall(table) {
      let since =
        counters.lastAnalyze.map { "since \($0.minute)" }
        ?? "and it was never analysed since they are counted"
      return Reason("rows_changed", "\(counters.modifiedSinceAnalyze) rows have changed \(since)")
    }
    if isUnseen, table.lacksStatistics {
      return Reason(
        "no_statistics",
        "its rows are counted and its columns are not known, as after an upgrade: plans are made without"
          + " statistics")
    }
    return nil
  }

  /// Autovacuum analyses partitions, never what they are partitions of.
  private func ofPartitioned(_ table: Table) -> Reason? {
    guard table.counters.lastAnalyze == nil, table.rows == nil, let rows = catalog.summed(table).rows,
      rows >= thresholds.rowsMany
    else { return nil }
    return Reason(
      "parent_never_analyzed",
      "autovacuum never analyses a partitioned table: joins with it are planned without statistics")
  }
}

/// Tables whose planner statistics are older than autovacuum would let them become.
struct StaleStatisticsRule {
  let context: RuleContext

  func apply() -> [Finding] {
    let rule = StatisticsRule(context.catalog, context.thresholds)
    return context.catalog.sortedTables.compactMap { table in
      guard let reason = rule.staleness(of: table), table.isPartitioned || !rule.isSmall(table) else {
        return nil
      }
      return finding(table, reason)
    }
  }

  private func finding(_ table: Table, _ reason: Reason) -> Finding {
    let sum = context.catalog.summed(table)
    let rows = max(sum.rows ?? 0, sum.counters.liveRows)
    return Finding(
      .staleStatistics, table: table.name, identity: [], verdict: .analyze, reasons: [reason],
      evidence: [
        "n_mod_since_analyze": .integer(table.counters.modifiedSinceAnalyze), "rows": .integer(rows),
        "last_analyze": .time(table.counters.lastAnalyze),
      ], sizeBytes: sum.sizeBytes, ddl: "ANALYZE \(table.name.quoted);")
  }
}
