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
    return !inputs(of: index).contains { child in
      guard let below = countedError(child) else { return false }
      let part = log10(below)
      return (part > 0) == (size > 0) && abs(part) >= abs(size) / 2
    }
  }

  /// A scan of a CTE has its estimate from the CTE's plan, wherever that stands.
  private func inputs(of index: Int) -> [Int] {
    analysis.entries[index].children + (analysis.ctePlan(readBy: index).map { [$0] } ?? [])
  }

  private func wrongEstimate(_ index: Int, _ error: Double) -> PlanFinding {
    let node = analysis.entries[index].node
    let rows = node.actual?.rows ?? 0
    let loops = (node.actual?.loops ?? 1) > 1 ? " a loop" : ""
    let way = error > 1 ? "too few" : "too many"
    var finding = PlanFinding(
      .estimateWrong, entry: index, node: label(index),
      message:
        "The planner expected \(PlanNumbers.count(analysis.entries[index].rowsExpected, "row"))\(loops) and got"
        + " \(PlanNumbers.count(rows)): \(PlanNumbers.factor(error)) times \(way). Here the estimate first goes wrong.",
      nextStep: stepForEstimate(index),
      weight: analysis.entries[analysis.entries[index].parent ?? index].time ?? 0)
    finding.statistics = statistics(index)
    return finding
  }

  private func stepForEstimate(_ index: Int) -> String {
    let node = analysis.entries[index].node
    let table = node.relation.map { name in node.schema.map { "\($0).\(name)" } ?? name }
    let conditions = ["Index Cond", "Filter", "Recheck Cond"].compactMap { node.text($0) }
    switch node.type {
    case "Function Scan":
      return "Tell the planner how many rows the function returns: ALTER FUNCTION … ROWS n."
    case "CTE Scan":
      return
        "The planner has no statistics of what the CTE makes: write it as NOT MATERIALIZED, or put it into a temporary"
        + " table and ANALYZE that."
    case "Recursive Union", "WorkTable Scan":
      return
        "How often a recursive query goes round cannot be known beforehand: the planner takes ten times its first rows."
        + " Put its result into a temporary table, ANALYZE that, and go on from there."
    case "Subquery Scan":
      return
        "The planner has no statistics of what a subquery makes. If a wrong plan follows, put it into a temporary table and"
        + " ANALYZE that."
    case "SetOp":
      return
        "How many rows EXCEPT and INTERSECT leave is a guess that no statistics better. NOT EXISTS or EXISTS is estimated"
        + " from the columns' statistics."
    case "Foreign Scan": return "ANALYZE the foreign table, or set use_remote_estimate for its server."
    case "Aggregate", "Group", "Unique":
      return
        "ANALYZE the tables below it. Several columns that depend on each other need statistics of their own:"
        + " CREATE STATISTICS … (ndistinct)."
    case _ where node.type.contains("Join") || node.type == "Nested Loop":
      return
        "The planner takes the conditions on both sides for independent. ANALYZE both tables; if that does not help, join"
        + " in a subquery first what filters most, or keep the common column in both tables."
    default:
      guard let table else { return "ANALYZE the tables below it." }
      return conditions.isEmpty
        ? "Run ANALYZE \(table)."
        : "Run ANALYZE \(table). If the estimate stays wrong, give its columns a higher statistics target (ALTER TABLE …"
          + " ALTER COLUMN … SET STATISTICS 1000), columns that depend on each other, or an expression, statistics of their"
          + " own (CREATE STATISTICS)."
    }
  }

  /// Whose columns have statistics that may be wrong.
  private func statistics(_ index: Int) -> StatisticsWish? {
    let node = analysis.entries[index].node
    var conditions: [String] = []
    var groups = ""
    var table = index
    switch node.type {
    case "Aggregate", "Group": groups = node.text("Group Key") ?? ""
    case "Unique":
      groups =
        analysis.entries[index].children.first.flatMap { analysis.entries[$0].node.text("Sort Key") } ?? ""
    default: conditions = ["Index Cond", "Recheck Cond", "Filter"].compactMap { node.text($0) }
    }
    if !groups.isEmpty {
      // The columns are named by their table only where there are several.
      let tables = analysis.below(index).filter { analysis.entries[$0].node.relation != nil }
      guard tables.count == 1, let only = tables.first else { return nil }
      table = only
    }
    let subject = analysis.entries[table].node
    guard subject.type != "Foreign Scan", let relation = subject.relation,
      !conditions.isEmpty || !groups.isEmpty
    else { return nil }
    return StatisticsWish(
      schema: subject.schema, relation: relation, alias: subject.alias, conditions: conditions, groups: groups
    )
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
