import HTML
import Plans

/// The plan as nested boxes, the root on top: a flame graph upside down, as plans are read.
struct PlanFlame {
  /// A box narrower than this part of the whole is left out; the table has it.
  private static let shareMin = 0.001
  /// Boxes below one another; a CTE's stand below its scan's, so that there can be more than the plan is deep.
  private static let depthMax = 250

  private let analysis: PlanAnalysis
  private let causes: Set<Int>
  /// Milliseconds, or cost where there are no times, brought to what fits into the box above.
  private var sizes: [Double]

  init(_ analysis: PlanAnalysis, causes: Set<Int>) {
    self.analysis = analysis
    self.causes = causes
    let hasTimes = analysis.totalTime != nil
    sizes = analysis.entries.map { hasTimes ? $0.time ?? 0 : $0.cost }
    fit()
  }

  /// Rounding, and what a node read before it was stopped, can make children a little longer than what ran them.
  private mutating func fit() {
    var open = [0]
    while let index = open.popLast() {
      let children = analysis.run(by: index)
      let sum = children.reduce(0) { $0 + sizes[$1] }
      if sum > sizes[index], sum > 0 {
        for child in children { sizes[child] *= sizes[index] / sum }
      }
      open += children
    }
  }

  var graph: HTML {
    guard sizes[0] > 0 else { return "<p class=\"faint\">The plan has neither times nor costs to draw.</p>" }
    return "<div class=\"flame\">\(cell(0, above: sizes[0], depth: 0))</div>"
  }

  private func cell(_ index: Int, above: Double, depth: Int) -> HTML {
    let children = analysis.run(by: index).filter {
      sizes[$0] / sizes[0] >= Self.shareMin && depth < Self.depthMax
    }
    let below: HTML =
      children.isEmpty
      ? ""
      : "<div class=\"below\">\(HTML(children.map { cell($0, above: sizes[index], depth: depth + 1) }))</div>"
    return "<div class=\"cell\" style=\"width:\(percent(sizes[index] / above))%\">\(box(index))\(below)</div>"
  }

  private func box(_ index: Int) -> HTML {
    let entry = analysis.entries[index]
    let share = sizes[index] / sizes[0]
    let plan = entry.node.subplanName.map { "\($0): " } ?? ""
    let number =
      analysis.totalTime == nil
      ? "cost \(PlanNumbers.count(sizes[index].rounded()))" : PlanNumbers.time(sizes[index])
    let own =
      analysis.totalTime == nil
      ? entry.ownCost / max(sizes[0], .leastNormalMagnitude) : analysis.ownTimeShare(index)
    let heat = own >= 0.5 ? " h4" : own >= 0.25 ? " h3" : own >= 0.1 ? " h2" : own >= 0.02 ? " h1" : ""
    let kind = "box" + heat + (causes.contains(index) ? " cause" : "") + (share < 0.02 ? " thin" : "")
    let tip = [
      "\(plan)\(entry.node.label)",
      "\(number), \(PlanNumbers.share(share)); by itself \(PlanNumbers.share(own))",
    ]
    let details = planRemarks(entry.node, loops: entry.node.actual?.loops ?? 1)
    let title = (tip + details).joined(separator: "\n")
    let text: HTML =
      share < 0.02 ? "" : "\(plan)\(entry.node.label)<small>\(number), \(PlanNumbers.share(share))</small>"
    return
      "<a class=\"\(kind)\" href=\"#n\(index)\" title=\"\(title)\" aria-label=\"\(tip.joined(separator: ", "))\">\(text)</a>"
  }

  /// Three digits behind the point, rounded down, so that a row of boxes never becomes wider than the one above.
  private func percent(_ share: Double) -> String {
    let units = Int((min(1, max(0, share)) * 100_000).rounded(.down))
    let rest = String(units % 1000)
    return "\(units / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }
}
