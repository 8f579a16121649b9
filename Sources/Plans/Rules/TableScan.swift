/// What reads a table: one scan, or one of each partition, or of each arm of a UNION ALL, that is asked the same. Each of a hundred
/// partitions takes a hundredth of the time, and one index on their parent serves them all.
struct TableScan {
  /// Places in the plan. The one that takes longest comes first, and stands for all.
  let entries: [Int]

  var first: Int { entries[0] }

  /// Whose parts are read one after the other.
  static let appends: Set<String> = ["Append", "Merge Append"]
}

extension PlanReview {
  /// All scans of a plan, in its order.
  func tableScans() -> [TableScan] {
    var groups: [[Int]] = []
    var places: [[String]: Int] = [:]
    for (index, entry) in analysis.entries.enumerated() where Self.scans.contains(entry.node.type) {
      let key = entry.parent.flatMap { parent in
        TableScan.appends.contains(analysis.entries[parent].node.type)
          ? [String(parent), entry.node.type]
            + ["Filter", "Index Cond", "Recheck Cond"].map(entry.node.plainText)
          : nil
      }
      if let place = key.flatMap({ places[$0] }) {
        groups[place].append(index)
      } else {
        if let key { places[key] = groups.count }
        groups.append([index])
      }
    }
    return groups.map { group in TableScan(entries: group.sorted { ownTime($0) > ownTime($1) }) }
  }

  func label(_ scan: TableScan) -> String {
    let others = scan.entries.count - 1
    return label(scan.first) + (others == 0 ? "" : " and \(PlanNumbers.count(Double(others), "other"))")
  }

  /// Milliseconds of its own. Workers may read several parts at the same time, and what brings these together waits no longer than for
  /// all.
  func time(_ scan: TableScan) -> Double? {
    guard let sum = sum(scan, \.ownTime), scan.entries.count > 1,
      let above = analysis.entries[scan.first].parent
    else { return analysis.entries[scan.first].ownTime }
    return min(sum, analysis.entries[above].time ?? sum)
  }

  /// How its reading is told.
  func reading(_ scan: TableScan) -> String {
    scan.entries.count == 1
      ? "It reads the whole table"
      : "It reads all of \(PlanNumbers.count(Double(scan.entries.count), "table"))"
  }

  /// A sum over the parts; nil where one has no value.
  func sum(_ scan: TableScan, _ value: (PlanAnalysis.Entry) -> Double?) -> Double? {
    let values = scan.entries.compactMap { value(analysis.entries[$0]) }
    return values.count == scan.entries.count ? values.reduce(0, +) : nil
  }
}

/// What stands above a scan and makes something of its rows.
extension PlanReview {
  /// What only brings rows together.
  private static let gatherings = TableScan.appends.union(["Gather", "Gather Merge"])

  /// The sort right above, whose rows come from this table alone.
  private func sort(above scan: TableScan) -> Int? {
    var place = analysis.entries[scan.first].parent
    while let above = place {
      let type = analysis.entries[above].node.type
      if type == "Sort" { return above }
      guard Self.gatherings.contains(type) else { return nil }
      let hasOthers = analysis.entries[above].children.count > scan.entries.count
      if TableScan.appends.contains(type), hasOthers { return nil }
      place = analysis.entries[above].parent
    }
    return nil
  }

  func order(above scan: TableScan) -> String {
    sort(above: scan).flatMap { analysis.entries[$0].node.text("Sort Key") } ?? ""
  }

  /// How many of the sorted rows are wanted, where these are few.
  func limit(behindSortOf scan: TableScan) -> Double? {
    var place = sort(above: scan).flatMap { analysis.entries[$0].parent }
    while let above = place, ["Gather Merge", "LockRows"].contains(analysis.entries[above].node.type) {
      place = analysis.entries[above].parent
    }
    guard let above = place, analysis.entries[above].node.type == "Limit" else { return nil }
    let wanted = analysis.entries[above].rows ?? analysis.entries[above].node.rowsEstimated
    let read = sum(scan, \.rows) ?? sum(scan) { $0.node.rowsEstimated } ?? 0
    return wanted * limits.discardRatio <= read ? wanted : nil
  }

  /// The hash table or the sort that is made of a scan's rows; the scan itself where there is none.
  func consumer(of scan: Int) -> Int {
    var place = scan
    while let above = analysis.entries[place].parent {
      let type = analysis.entries[above].node.type
      if ["Hash", "Sort"].contains(type) { return above }
      guard Self.gatherings.contains(type) else { break }
      place = above
    }
    return scan
  }
}

extension PlanNode {
  /// A condition without the alias, which is another one in each partition.
  fileprivate func plainText(_ key: String) -> String {
    guard let text = text(key), let name = alias ?? relation else { return "" }
    return text.split(separator: "\(name).", omittingEmptySubsequences: false).joined()
  }
}
