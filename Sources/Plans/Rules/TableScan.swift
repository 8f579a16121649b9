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

  /// The next node above that does more than to bring rows together, and whose rows come from this table alone.
  private func user(of scan: TableScan) -> Int? {
    var place = analysis.entries[scan.first].parent
    while let above = place {
      let type = analysis.entries[above].node.type
      guard Self.gatherings.contains(type) else { return above }
      let hasOthers = analysis.entries[above].children.count > scan.entries.count
      if TableScan.appends.contains(type), hasOthers { return nil }
      place = analysis.entries[above].parent
    }
    return nil
  }

  private func sort(above scan: TableScan) -> Int? {
    user(of: scan).flatMap { analysis.entries[$0].node.type == "Sort" ? $0 : nil }
  }

  /// The order that the rows are wanted in, as SQL; empty for none.
  func order(above scan: TableScan) -> String {
    sort(above: scan).flatMap { analysis.entries[$0].node.text("Sort Key") } ?? extreme(of: scan) ?? ""
  }

  /// What is looked for the least or the greatest value of and nothing else, so that one end of an index has the answer. Only plans
  /// with VERBOSE tell it.
  func extreme(of scan: TableScan) -> String? {
    // Without groups; a plain aggregate's strategy is left out.
    guard let node = user(of: scan).map({ analysis.entries[$0].node }), node.type == "Aggregate",
      node.text("Strategy") == nil, let output = node.text("Output")
    else { return nil }
    let values = output.split(separator: ", ").map(Self.extreme)
    return values.allSatisfy { $0 == values[0] } ? values.first ?? nil : nil
  }

  /// What stands in the brackets of `min(x)`, also as `PARTIAL min(x)`; nil where there is more to it, such as a FILTER.
  private static func extreme(_ output: Substring) -> String? {
    let call = output.hasPrefix("PARTIAL ") ? output.dropFirst("PARTIAL ".count) : output
    guard call.hasPrefix("min(") || call.hasPrefix("max("), call.firstIndex(of: ")") == call.indices.last
    else { return nil }
    return String(call.dropFirst("min(".count).dropLast())
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

  /// The hash table, the sort or the aggregate that is made of a scan's rows; the scan itself where there is none.
  func consumer(of scan: Int) -> Int {
    var place = scan
    while let above = analysis.entries[place].parent {
      let type = analysis.entries[above].node.type
      if ["Hash", "Sort", "Aggregate"].contains(type) { return above }
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
