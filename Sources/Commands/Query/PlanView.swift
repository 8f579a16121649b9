import Plans
import Primitives

/// What `query explain` prints (SPEC section 9).
struct PlanView: Renderable {
  let analysis: PlanAnalysis
  let findings: [PlanFinding]
  /// The statement, where it is known.
  let sql: String?
  /// For stderr.
  let note: String?

  var plan: Plan { analysis.plan }

  // MARK: JSON

  var json: JSON {
    [
      "plan": tree(), "planning_time_ms": .optional(plan.planningTime),
      "execution_time_ms": .optional(plan.executionTime),
      "settings": .object(plan.settings.map { ($0.name, .string($0.value)) }),
      "triggers": .array(
        plan.triggers.map { trigger in
          [
            "name": .string(trigger.name), "table": .optional(trigger.relation),
            "time_ms": .optional(trigger.time), "calls": .figure(trigger.calls),
          ]
        }),
      "jit": plan.jit.map { ["functions": .integer(Int64($0.functions)), "time_ms": .optional($0.total)] }
        ?? .null,
      "findings": .array(findings.map(\.json)),
    ]
  }

  /// Children stand behind their parents in `entries`: going backwards makes them first.
  private func tree() -> JSON {
    var made: [Int: JSON] = [:]
    for index in analysis.entries.indices.reversed() {
      let entry = analysis.entries[index]
      let children = entry.children.compactMap { made.removeValue(forKey: $0) }
      made[index] = json(of: entry, index, children)
    }
    return made[0] ?? .null
  }

  private func json(of entry: PlanAnalysis.Entry, _ index: Int, _ children: [JSON]) -> JSON {
    let node = entry.node
    return [
      "id": .integer(Int64(index)), "node": .string(node.label), "type": .string(node.type),
      "relationship": .optional(node.relationship), "subplan": .optional(node.subplanName),
      "schema": .optional(node.schema), "table": .optional(node.relation), "index": .optional(node.index),
      "cost": .number(node.totalCost), "rows_estimated": .figure(node.rowsEstimated),
      "rows_actual": node.actual.map { .figure($0.rows) } ?? .null,
      "loops": node.actual.map { .figure($0.loops) } ?? .null,
      "time_ms": .optional(entry.time.map(rounded)), "own_time_ms": .optional(entry.ownTime.map(rounded)),
      "estimate_error": .optional(entry.estimateError.map(rounded)),
      "buffers": buffers(node.buffers), "own_buffers": buffers(entry.ownBuffers),
      "details": .object(node.details), "children": .array(children),
    ]
  }

  private func rounded(_ value: Double) -> Double {
    value < 1e12 ? (value * 1000).rounded() / 1000 : value
  }

  private func buffers(_ use: BufferUse) -> JSON {
    [
      "shared_hit": .integer(Int64(use.sharedHit)), "shared_read": .integer(Int64(use.sharedRead)),
      "shared_dirtied": .integer(Int64(use.sharedDirtied)),
      "shared_written": .integer(Int64(use.sharedWritten)),
      "local_hit": .integer(Int64(use.localHit)), "local_read": .integer(Int64(use.localRead)),
      "temp_read": .integer(Int64(use.tempRead)), "temp_written": .integer(Int64(use.tempWritten)),
      "read_time_ms": .number(use.readTime), "write_time_ms": .number(use.writeTime),
    ]
  }

  // MARK: CSV

  var csv: (header: [String], rows: [[String]]) {
    func number(_ value: Double?) -> String { value.map { JSON.figure($0).description } ?? "" }
    return (
      [
        "id", "depth", "node", "cost", "rows_estimated", "rows_actual", "loops", "time_ms", "own_time_ms",
        "estimate_error", "pages", "findings",
      ],
      analysis.entries.enumerated().map { index, entry in
        [
          "\(index)", "\(entry.depth)", entry.node.label, number(entry.node.totalCost),
          number(entry.node.rowsEstimated), number(entry.node.actual?.rows), number(entry.node.actual?.loops),
          number(entry.time.map(rounded)), number(entry.ownTime.map(rounded)),
          number(entry.estimateError.map(rounded)), "\(entry.ownBuffers.pages)",
          findings.filter { $0.entry == index }.map(\.code.rawValue).joined(separator: " "),
        ]
      }
    )
  }

  // MARK: Text

  var text: String {
    var parts = [PlanTree(analysis).text]
    let facts = self.facts
    if !facts.isEmpty { parts.append(facts.joined(separator: "\n")) }
    parts += paragraphs
    return parts.joined(separator: "\n\n")
  }

  /// What the plan says of the statement as a whole.
  var facts: [String] {
    var lines: [String] = []
    var times: [String] = []
    if let time = plan.planningTime { times.append("planning \(PlanNumbers.time(time))") }
    if let time = plan.executionTime { times.append("execution \(PlanNumbers.time(time))") }
    if let time = plan.jit?.total { times.append("JIT \(PlanNumbers.time(time))") }
    if let time = plan.serialization?.time { times.append("serialization \(PlanNumbers.time(time))") }
    if !times.isEmpty { lines.append("Times: " + times.joined(separator: ", ")) }
    for trigger in plan.triggers {
      let table = trigger.relation.map { " on \($0)" } ?? ""
      let time = trigger.time.map { "\(PlanNumbers.time($0)), " } ?? ""
      lines.append(
        "Trigger \(terminalSafe(trigger.name + table)): \(time)\(PlanNumbers.count(trigger.calls)) calls")
    }
    if !plan.settings.isEmpty {
      lines.append(
        "Settings: " + plan.settings.map { terminalSafe("\($0.name) = \($0.value)") }.joined(separator: ", "))
    }
    return lines
  }

  private var paragraphs: [String] {
    guard !findings.isEmpty else { return [nothingFound] }
    return findings.map { finding in
      let mark = finding.isRootCause ? "ROOT CAUSE" : "also"
      return """
        \(mark): \(finding.code.rawValue), \(terminalSafe(finding.node))
        \(wrapped(terminalSafe(finding.message), indent: "  "))
        \(wrapped(terminalSafe(finding.nextStep), indent: "  -> ", next: "     "))
        """
    }
  }

  var nothingFound: String {
    guard analysis.isAnalyzed else {
      return "Nothing stands out by the planner's estimates; --analyze tells what really happens."
    }
    let indices = analysis.entries.indices
    guard
      let slowest = indices.max(by: {
        (analysis.entries[$0].ownTime ?? 0) < (analysis.entries[$1].ownTime ?? 0)
      }),
      let time = analysis.entries[slowest].ownTime, time > 0
    else { return "Nothing stands out." }
    return "Nothing stands out. Most of the time is in \(terminalSafe(analysis.entries[slowest].node.label)):"
      + " \(PlanNumbers.time(time)), \(PlanNumbers.share(analysis.ownTimeShare(slowest)))."
  }
}

/// Lines of at most 98 columns; words are not cut.
private func wrapped(_ text: String, indent: String, next: String? = nil) -> String {
  var lines = [indent]
  var isEmpty = true
  for word in text.split(separator: " ") {
    if !isEmpty, displayWidth(lines[lines.count - 1]) + 1 + displayWidth(String(word)) > 98 {
      lines.append(next ?? indent)
      isEmpty = true
    }
    lines[lines.count - 1] += (isEmpty ? "" : " ") + word
    isEmpty = false
  }
  return lines.joined(separator: "\n")
}

extension JSON {
  fileprivate static func optional(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
}
