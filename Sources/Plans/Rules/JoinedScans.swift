/// Scans of whole tables that a join needs few rows of: an index on the columns of the join would find those.
extension PlanReview {
  /// What the rows of a scan are joined by with far fewer others, the nearest join first. Empty where every row of the scan is in
  /// the result, whatever it is joined with.
  func joinConditions(of scan: TableScan) -> [String] {
    let read = scan.entries.reduce(0) { sum, index in
      let node = analysis.entries[index].node
      return sum + rowsGiven(by: index) + node.real("Rows Removed by Filter") * (node.actual?.loops ?? 1)
    }
    var conditions: [String] = []
    var place = scan.first
    while let above = analysis.entries[place].parent {
      let join = analysis.entries[above].node
      switch join.type {
      case "Hash", "Sort", "Incremental Sort", "Materialize", "Memoize", "Gather", "Gather Merge",
        "Append", "Merge Append":
        break
      case "Hash Join", "Merge Join", "Nested Loop":
        let side = analysis.entries[place].node.relationship
        guard !Self.keepsAll(join, side) else { return conditions }
        let others = analysis.entries[above].children.filter {
          $0 != place && ["Outer", "Inner"].contains(analysis.entries[$0].node.relationship)
        }
        if let other = others.first, rowsGiven(by: other) * limits.discardRatio <= read {
          conditions += ["Hash Cond", "Merge Cond", "Join Filter"].compactMap { join.text($0) }
        }
      default: return conditions
      }
      place = above
    }
    return conditions
  }

  /// Whether the result has all rows of a join's side, so that all must be read.
  private static func keepsAll(_ join: PlanNode, _ side: String?) -> Bool {
    switch join.text("Join Type") {
    case "Full": true
    case "Left", "Anti": side == "Outer"
    case "Right", "Right Anti": side == "Inner"
    default: false
    }
  }

  private func rowsGiven(by index: Int) -> Double {
    let entry = analysis.entries[index]
    return entry.rows ?? entry.node.rowsEstimated
  }
}
