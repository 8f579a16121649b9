import Plans
import Primitives

/// A plan as lines, for comparison: what both formats tell of it.
struct Rendering {
  /// Two runs of a statement take different times, and find different pages in memory.
  var hasTimes = true
  /// What was rolled back before stays in the tables, and is found again.
  var hasCounts = true

  /// Told in one of the formats only, or different in each run.
  private static let unstable = ["Sort Space Used", "Peak Memory Usage", "Maximum Storage", "WAL Bytes"]

  private static func isCount(_ key: String) -> Bool {
    ["WAL ", "Heap ", "Exact ", "Rows Removed", "Sort Space Type", "Cache "].contains(where: key.hasPrefix)
  }

  func lines(_ plan: Plan) -> [String] {
    var lines: [String] = []
    render(plan.root, 0, &lines)
    lines += plan.settings.map { "\($0.name)=\($0.value)" }
    lines += plan.triggers.map { "trigger \($0.name) \($0.isConstraint) \($0.calls)" }
    if let jit = plan.jit { lines.append("jit \(jit.functions) \(jit.options)") }
    if let serialization = plan.serialization { lines.append("serialization \(serialization.format)") }
    if hasTimes {
      lines.append("\(plan.planningTime ?? -1) \(plan.executionTime ?? -1) \(plan.planningBuffers)")
      lines += plan.triggers.map { "\($0.time ?? -1)" }
    }
    return lines
  }

  private func render(_ node: PlanNode, _ depth: Int, _ lines: inout [String]) {
    let names = [
      node.type, node.relationship, node.subplanName, node.schema, node.relation, node.alias, node.index,
    ]
    lines.append("\(depth) \(names.map { $0 ?? "-" }) \(node.label)")
    lines.append("  \(node.startupCost)..\(node.totalCost) \(node.rowsEstimated) \(node.width)")
    if let actual = node.actual {
      let counts = hasCounts ? "\(actual.rows) \(actual.loops)" : "\(actual.loops > 0)"
      lines.append("  \(counts) \(actual.totalTime != nil)")
    }
    if hasTimes, let actual = node.actual {
      lines.append("  \(actual.startupTime ?? -1)..\(actual.totalTime ?? -1) \(node.buffers)")
    }
    for (key, value) in node.details.sorted(by: { $0.key < $1.key })
    where hasTimes
      || !Self.unstable.contains(key) && !key.hasSuffix("Groups") && (hasCounts || !Self.isCount(key))
    {
      lines.append("  \(key) = \(value)")
    }
    for worker in node.workers.sorted(by: { $0.number < $1.number }) {
      lines.append("  worker \(worker.number) \(worker.details.map(\.key).sorted())")
    }
    for child in node.children { render(child, depth + 1, &lines) }
  }
}

/// A file of real plans, made by psql on PostgreSQL 15, 16 and 18.
func corpus(_ name: String) throws -> [UInt8] {
  let directory = "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
  let file = try InputFile("/\(directory)/Corpus/\(name)")
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
  return Array(bytes[..<count])
}
