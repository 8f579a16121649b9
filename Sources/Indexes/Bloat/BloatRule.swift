internal import Primitives

/// Indexes that take much more room than they would if they were built anew.
///
/// What is wasted is told by the first source that knows: leaves that were read (`pgstatindex`), the fewest bytes per entry that
/// the index itself has ever had, an estimate of a fresh build. None knows everything; where none does, it says so.
struct BloatRule {
  let context: RuleContext
  /// By OID, of indexes whose pages were read.
  let measured: [UInt32: LeafDensity]

  private var thresholds: Thresholds { context.thresholds }

  func apply() -> [Finding] { context.catalog.sortedIndexes.compactMap(judge) }

  /// Indexes of which reading all pages would tell more: those that look bloated, and large btrees of which nothing is known.
  func candidates() -> [Index] {
    context.catalog.sortedIndexes.filter { index in
      guard index.method == "btree", isLarge(index) else { return false }
      guard let bounds = estimate(of: index) else { return true }
      return isBloated(index, bounds.low)
    }
  }

  /// Smaller ones cannot waste enough.
  private func isLarge(_ index: Index) -> Bool {
    !index.isPartitioned && index.isWhole
      && index.sizeBytes >= max(1, thresholds.bloatWasteBytes)
  }

  private func isBloated(_ index: Index, _ expected: Double) -> Bool {
    let size = Double(index.sizeBytes)
    return size >= thresholds.bloatRatio * expected
      && size - expected >= Double(thresholds.bloatWasteBytes)
  }

  private func judge(_ index: Index) -> Finding? {
    guard isLarge(index) else { return nil }
    if let leaves = measured[index.oid] { return judge(index, leaves) }
    if let best = best(of: index), isBloated(index, best) {
      return finding(
        index, .rebuild, expected: best, "ledger",
        Reason(
          "bloat_by_history",
          "it takes \(Self.size(Double(index.sizeBytes))); with the fewest bytes for each entry that it ever had it would take"
            + " \(Self.size(best))"))
    }
    guard let bounds = estimate(of: index) else {
      return finding(index, .keep, expected: nil, nil, unknown(index))
    }
    if isBloated(index, bounds.high) {
      return finding(
        index, .rebuild, expected: bounds.high, "estimate",
        Reason(
          "bloat_estimated",
          "it takes \(Self.size(Double(index.sizeBytes))), and would take about \(Self.size(bounds.high)) built anew"
        ))
    }
    if isBloated(index, bounds.low) {
      return finding(
        index, .review, expected: bounds.low, "estimate",
        Reason(
          "bloat_uncertain",
          "it takes \(Self.size(Double(index.sizeBytes))), and would take between \(Self.size(bounds.low)) and"
            + " \(Self.size(bounds.high)) built anew, depending on how often its keys repeat; --exact reads it to know"
        ))
    }
    return fillFactor(index, bounds)
  }

  // MARK: Sources

  /// Entries of the index, with rows that came after the last count.
  private func entries(_ index: Index, _ table: Table) -> (counted: Double, most: Double)? {
    guard let counted = index.tuples, let rows = table.rows else { return nil }
    let more = Double(table.counters.liveRows) - Double(rows)
    return (Double(counted), Double(counted) + max(0, more))
  }

  private func best(of index: Index) -> Double? {
    guard let best = index.bestBytesPerTuple, best > 0, best.isFinite,
      let table = context.catalog.tables[index.table],
      let entries = entries(index, table)
    else { return nil }
    return max(BtreeEstimate.pageBytes, best * entries.most)
  }

  /// Bytes of a fresh build; nil where nobody can tell.
  func estimate(of index: Index) -> BtreeEstimate.Bounds? {
    guard index.method == "btree", let layout = index.layout,
      let table = context.catalog.tables[index.table], let entries = entries(index, table)
    else { return nil }
    var estimate = BtreeEstimate(
      layout: layout, entries: entries.counted, rows: Double(table.rows ?? 0),
      fillFactor: Self.fillFactor(of: index),
      deduplicates: !index.isUnique && !index.storage.contains { Self.isOff($0) },
      isPartial: index.predicate != nil)
    guard let low = estimate.bytes()?.low else { return nil }
    estimate.entries = entries.most
    guard let high = estimate.bytes()?.high else { return nil }
    return BtreeEstimate.Bounds(low: min(low, high), high: high)
  }

  private func unknown(_ index: Index) -> Reason {
    let table = context.catalog.tables[index.table]
    if index.method != "btree" {
      return Reason(
        "bloat_unknown",
        "how small a \(index.method) index could be is only known from its own history, which has not shown it smaller"
      )
    }
    if table?.rows == nil || index.tuples == nil {
      return Reason("bloat_unknown", "its entries were never counted: ANALYZE does")
    }
    return Reason(
      "bloat_unknown",
      "there are no statistics of its columns, or this role may not see them; --exact reads it")
  }

  // MARK: Findings

  private func judge(_ index: Index, _ leaves: LeafDensity) -> Finding {
    let expected = BtreeEstimate.bytes(rebuilding: leaves, fillFactor: Self.fillFactor(of: index))
    let percent = Int((min(1, max(0, leaves.density)) * 100).rounded())
    if isBloated(index, expected) {
      return finding(
        index, .rebuild, expected: expected, "pgstatindex",
        Reason(
          "bloat_measured",
          "its leaves were read: \(percent) % of their room is in use, and built anew it would take \(Self.size(expected))"
        ))
    }
    return finding(
      index, .keep, expected: expected, "pgstatindex",
      Reason("dense", "its leaves were read: \(percent) % of their room is in use, which is normal"))
  }

  /// One that is large because it was asked to be.
  private func fillFactor(_ index: Index, _ bounds: BtreeEstimate.Bounds) -> Finding? {
    let factor = Self.fillFactor(of: index)
    guard factor < 90, isBloated(index, bounds.high * factor / 90) else { return nil }
    return finding(
      index, .keep, expected: bounds.high, "estimate",
      Reason("fill_factor", "its fillfactor of \(Int(factor)) leaves that much room free on purpose"))
  }

  private func finding(
    _ index: Index, _ verdict: Finding.Verdict, expected: Double?, _ source: String?, _ reason: Reason
  ) -> Finding {
    let bytes = expected.map { Int64(min(max(0, $0), 9e18)) }
    var reasons = [reason]
    var ddl: String? = context.ddl.reindex(index)
    var verdict = verdict
    if verdict == .rebuild, index.constraint?.kind == .exclusion {
      // "concurrent index creation for exclusion constraints is not supported"
      verdict = .review
      ddl = "REINDEX INDEX \(index.name.quoted);"
      reasons.append(
        Reason("rebuild_locks", "an exclusion constraint's index cannot be rebuilt while others write"))
    }
    var finding = context.finding(
      .bloated, index, verdict, reasons,
      [
        ("index_bytes", .integer(index.sizeBytes)), ("expected_bytes", bytes.map(JSON.integer) ?? .null),
        ("wasted_bytes", bytes.map { .integer(max(0, index.sizeBytes - $0)) } ?? .null),
        ("source", .optional(source)), ("entries", index.tuples.map(JSON.integer) ?? .null),
        ("fillfactor", .number(Self.fillFactor(of: index))),
      ])
    finding.ddl = verdict == .keep ? nil : ddl
    finding.undoDDL = nil
    return finding
  }

  // MARK: Words

  /// Whole MB, which are enough here.
  private static func size(_ bytes: Double) -> String {
    let tenths = Int64(min(1e15, bytes / 1_048_576 * 10).rounded())
    return tenths >= 100 ? "\((tenths + 5) / 10) MB" : "\(tenths / 10).\(tenths % 10) MB"
  }

  /// Percent; 90 is the btree's own.
  private static func fillFactor(of index: Index) -> Double {
    let given = index.storage.first { $0.hasPrefix("fillfactor=") }.flatMap { Int($0.dropFirst(11)) }.map(
      Double.init)
    return min(100, max(10, given ?? 90))
  }

  private static func isOff(_ parameter: String) -> Bool {
    ["off", "false", "no", "0"].contains { parameter == "deduplicate_items=\($0)" }
  }
}
