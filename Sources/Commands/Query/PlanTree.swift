import Plans
import Primitives

/// A plan as a tree for a terminal of a hundred columns: numbers in front, so that a deep tree pushes nothing out of its
/// column; conditions below their node, cut where the line ends.
struct PlanTree {
  private let analysis: PlanAnalysis
  /// How far right a child stands. Deep plans step less far: what a node is counts more than how far right it stands.
  private let step: Int
  private static let width = 100

  init(_ analysis: PlanAnalysis) {
    self.analysis = analysis
    step = analysis.entries.map(\.depth).max() ?? 0 > 12 ? 1 : 2
  }

  private struct Line {
    var cells: [String]
    var tree: String
  }

  var text: String {
    let lines = analysis.entries.indices.flatMap(lines)
    let titles = analysis.isAnalyzed ? ["OWN", "TIME", "ROWS", "OFF", "BUFFERS"] : ["OWN", "COST", "ROWS"]
    // A column that says nothing (no BUFFERS, no TIMING) is left out.
    let used = titles.indices.filter { column in
      lines.contains { !($0.cells.isEmpty || $0.cells[column].isEmpty) }
    }
    let widths = used.map { column in
      max(
        titles[column].count, lines.map { $0.cells.isEmpty ? 0 : displayWidth($0.cells[column]) }.max() ?? 0)
    }
    func row(_ cells: [String], _ tree: String) -> String {
      let numbers = zip(used, widths).map { column, width in
        padded(cells.isEmpty ? "" : cells[column], to: width, isNumeric: true)
      }
      return cut(numbers.joined(separator: "  ") + "  " + tree, to: Self.width)
    }
    return ([row(titles, "NODE")] + lines.map { row($0.cells, $0.tree) }).joined(separator: "\n")
  }

  private func lines(_ index: Int) -> [Line] {
    let entry = analysis.entries[index]
    let indent = String(repeating: " ", count: min(entry.depth * step, 40))
    let arrow = entry.depth == 0 ? "" : "-> "
    let plan = entry.node.subplanName.map { "[\($0)] " } ?? ""
    let node = Line(cells: cells(entry), tree: terminalSafe(indent + arrow + plan + entry.node.label))
    let below = indent + (entry.depth == 0 ? "  " : "     ")
    return [node] + remarks(entry).map { Line(cells: [], tree: terminalSafe(below + $0)) }
  }

  private func cells(_ entry: PlanAnalysis.Entry) -> [String] {
    let node = entry.node
    guard analysis.isAnalyzed else {
      return [
        PlanNumbers.count(entry.ownCost.rounded()), PlanNumbers.count(node.totalCost.rounded()),
        PlanNumbers.count(node.rowsEstimated),
      ]
    }
    if entry.isNeverExecuted { return ["", "never", "", "", ""] }
    let error = entry.estimateError ?? 1
    let off =
      error >= 2 ? "x\(PlanNumbers.factor(error))" : error <= 0.5 ? "/\(PlanNumbers.factor(error))" : ""
    return [
      entry.ownTime.map(PlanNumbers.time) ?? "", entry.time.map(PlanNumbers.time) ?? "",
      entry.rows.map(PlanNumbers.count) ?? "", off,
      entry.ownBuffers.pages > 0 ? PlanNumbers.pages(entry.ownBuffers.pages) : "",
    ]
  }

  /// What explains a node's numbers.
  private func remarks(_ entry: PlanAnalysis.Entry) -> [String] {
    planRemarks(entry.node, loops: entry.node.actual?.loops ?? 1)
  }

  private func cut(_ line: String, to width: Int) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    guard displayWidth(line) > width else { return line }
    var kept = ""
    var room = width - 1
    for character in line {
      room -= displayWidth(String(character))
      if room < 0 { break }
      kept.append(character)
    }
    return kept + "…"
  }
}

/// A node's conditions and what came of them, a sentence each, the most telling first.
func planRemarks(_ node: PlanNode, loops: Double) -> [String] {
  var remarks: [String] = []
  func count(_ key: String) -> Double { (node[detail: key].real ?? 0) * max(1, loops) }
  for key in [
    "Index Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "One-Time Filter", "TID Cond",
  ] {
    guard let condition = node[detail: key].text else { continue }
    let removed = count("Rows Removed by \(key)")
    remarks.append("\(key): \(condition)" + (removed > 0 ? ", removed \(PlanNumbers.count(removed))" : ""))
    // The condition may be cut at the end of the line; what it cost must not be.
    if removed > 0, condition.utf8.count > 24 {
      remarks[remarks.count - 1] = "removed \(PlanNumbers.count(removed)) by \(key): \(condition)"
    }
  }
  for key in ["Sort Key", "Presorted Key", "Group Key", "Hash Key", "Cache Key"] {
    for (name, value) in node.details where name == key { remarks.append("\(key): \(value.text ?? "")") }
  }
  if let method = node[detail: "Sort Method"].text {
    let space = PlanNumbers.kilobytes(node[detail: "Sort Space Used"].real ?? 0)
    remarks.append(
      "\(method), \(space) \(node[detail: "Sort Space Type"].text == "Disk" ? "on disk" : "of memory")")
  }
  if let batches = node[detail: "Hash Batches"].real ?? node[detail: "HashAgg Batches"].real, batches > 1 {
    let disk = node[detail: "Disk Usage"].real.map { ", \(PlanNumbers.kilobytes($0)) on disk" } ?? ""
    remarks.append("\(PlanNumbers.count(batches)) batches\(disk)")
  }
  if let fetches = node[detail: "Heap Fetches"].real, fetches > 0 {
    remarks.append("Heap Fetches: \(PlanNumbers.count(fetches))")
  }
  if let lossy = node[detail: "Lossy Heap Blocks"].real {
    remarks.append("lossy pages: \(PlanNumbers.count(lossy))")
  }
  if let hits = node[detail: "Cache Hits"].real, let misses = node[detail: "Cache Misses"].real {
    remarks.append("cache: \(PlanNumbers.count(hits)) hits, \(PlanNumbers.count(misses)) misses")
  }
  if let planned = node[detail: "Workers Planned"].real {
    let launched = node[detail: "Workers Launched"].real.map { ", \(PlanNumbers.count($0)) launched" } ?? ""
    remarks.append("workers: \(PlanNumbers.count(planned)) planned\(launched)")
  }
  if let removed = node[detail: "Subplans Removed"].real {
    remarks.append("partitions left out: \(PlanNumbers.count(removed))")
  }
  if loops > 1 { remarks.append("\(PlanNumbers.count(loops)) loops") }
  return remarks
}
