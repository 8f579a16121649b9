#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where an estimate first goes wrong. The nodes above it are wrong too, and are not told.
extension PlanReview {
  func estimates(_ symptoms: [PlanFinding]) -> [PlanFinding] {
    analysis.entries.indices.flatMap { index -> [PlanFinding] in
      guard let error = misestimate(index), isOrigin(index, error) else { return [] }
      let finding = wrongEstimate(index, error)
      return [finding] + stale(index, finding.weight)
    }
  }

  /// The error of a node, where it is worth a word.
  private func misestimate(_ index: Int) -> Double? {
    let entry = analysis.entries[index]
    guard let error = countedError(index), let actual = entry.node.actual else { return nil }
    let factor = max(error, 1 / error)
    guard max(actual.rows, entry.node.rowsEstimated) * actual.loops >= limits.estimateRows else { return nil }
    return factor >= limits.estimateFar || factor >= limits.estimateNear && matters(index) ? error : nil
  }

  private func countedError(_ index: Int) -> Double? {
    let entry = analysis.entries[index]
    guard let error = entry.estimateError else { return nil }
    // The heap scan above tells the same, with the table's name.
    if entry.node.type == "Bitmap Index Scan" { return nil }
    // A merge join goes back and reads rows of its inner side again, and each time counts.
    if error > 1, entry.node.relationship == "Inner", let parent = entry.parent,
      analysis.entries[parent].node.type == "Merge Join"
    {
      return nil
    }
    return error
  }

  /// Errors multiply up the tree: one below that makes up half of this one, in orders of magnitude, is where to look.
  private func isOrigin(_ index: Int, _ error: Double) -> Bool {
    let size = log10(error)
    return !analysis.entries[index].children.contains { child in
      guard let below = countedError(child) else { return false }
      let part = log10(below)
      return (part > 0) == (size > 0) && abs(part) >= abs(size) / 2
    }
  }

  private func wrongEstimate(_ index: Int, _ error: Double) -> PlanFinding {
    let node = analysis.entries[index].node
    let rows = node.actual?.rows ?? 0
    let loops = (node.actual?.loops ?? 1) > 1 ? " a loop" : ""
    let way = error > 1 ? "too few" : "too many"
    return PlanFinding(
      .estimateWrong, entry: index, node: label(index),
      message: "The planner expected \(PlanNumbers.count(node.rowsEstimated)) rows\(loops) and got"
        + " \(PlanNumbers.count(rows)): \(PlanNumbers.factor(error)) times \(way). Here the estimate first goes wrong.",
      nextStep: stepForEstimate(index),
      weight: analysis.entries[analysis.entries[index].parent ?? index].time ?? 0)
  }

  private func stepForEstimate(_ index: Int) -> String {
    let node = analysis.entries[index].node
    let table = node.relation.map { name in node.schema.map { "\($0).\(name)" } ?? name }
    let conditions = ["Index Cond", "Filter", "Recheck Cond"].compactMap { node.text($0) }
    switch node.type {
    case "Function Scan":
      return "Tell the planner how many rows the function returns: ALTER FUNCTION … ROWS n."
    case "CTE Scan", "WorkTable Scan", "Subquery Scan":
      return
        "The planner knows nothing of the rows inside; write the CTE as NOT MATERIALIZED, or put it into a temporary"
        + " table and ANALYZE that."
    case "Foreign Scan": return "ANALYZE the foreign table, or set use_remote_estimate for its server."
    case "Aggregate", "Group", "Unique", "SetOp":
      let key = node.text("Group Key") ?? "the grouped columns"
      return
        "Groups over several columns need statistics of their own: CREATE STATISTICS … (ndistinct) ON the columns of"
        + " \(key) FROM the table; ANALYZE."
    case _ where node.type.contains("Join") || node.type == "Nested Loop":
      return
        "The planner takes the conditions on both sides for independent. ANALYZE both tables; if that does not help, join"
        + " in a subquery first what filters most, or keep the common column in both tables."
    default:
      guard let table else { return "ANALYZE the tables below it." }
      if conditions.count > 1 && node.type != "Bitmap Heap Scan"
        || conditions.contains(where: { $0.contains(" AND ") })
      {
        return
          "Run ANALYZE \(table). If its columns depend on each other: CREATE STATISTICS … (dependencies, mcv) ON the columns"
          + " of \(conditions.first ?? "the condition") FROM \(table), then ANALYZE \(table)."
      }
      return
        "Run ANALYZE \(table). If the estimate stays wrong, raise the column's statistics target (ALTER TABLE … ALTER COLUMN"
        + " … SET STATISTICS 1000), or, for an expression, CREATE STATISTICS ON (the expression) FROM \(table)."
    }
  }

  /// Tables of the node whose statistics are too old.
  private func stale(_ index: Int, _ weight: Double) -> [PlanFinding] {
    let node = analysis.entries[index].node
    guard let relation = node.relation else { return [] }
    let name = node.schema.map { "\($0).\(relation)" } ?? relation
    guard let reason = context.staleTables[name] else { return [] }
    return [
      PlanFinding(
        .staleStatistics, entry: index, node: label(index),
        message: "The statistics of \(name) are too old: \(reason).",
        nextStep: "ANALYZE \(name); then explain again.", weight: weight)
    ]
  }
}
