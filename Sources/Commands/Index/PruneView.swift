import Indexes
import Primitives
import Pruning

/// What `index prune` prints (SPEC section 9): the plan, or what became of it.
struct PruneView: Renderable {
  private let plan: PrunePlan
  private let undo: String
  /// One for each index that is not held back; nil where nothing was to be done.
  private let outcomes: [DropOutcome]?
  private let rows: [Row]

  /// An index with its outcome.
  private struct Row {
    let item: PruneItem
    let outcome: DropOutcome?
  }

  init(_ plan: PrunePlan, undo: String, outcomes: [DropOutcome]? = nil) {
    self.plan = plan
    self.undo = undo
    self.outcomes = outcomes
    var left = (outcomes ?? [])[...]
    rows = plan.items.map { item in
      Row(item: item, outcome: item.heldBack == nil ? left.popFirst() : nil)
    }
  }

  // MARK: JSON

  var json: JSON {
    [
      "plan": .array(rows.map(Self.json)), "executed": .bool(outcomes != nil),
      "database": .string(plan.facts.database), "undo_file": .string(undo),
      "dropped": .integer(Int64(rows.count { $0.outcome?.isDone ?? false })),
      "freed_bytes": .integer(freed), "review": .integer(Int64(plan.reviewCount)),
      "accepted": .integer(Int64(plan.acceptedCount)),
      "doubts": .array(plan.doubts.map(Self.json)),
      "statements": [
        "planned": .integer(Int64(plan.statementsPlanned)),
        "unexplained": .array(
          plan.unexplained.map { ["query": .string($0.id), "reason": .string($0.reason)] }),
      ],
    ]
  }

  private var freed: Int64 {
    rows.reduce(0) { $0 + ($1.outcome?.isDone ?? false ? $1.item.sizeBytes : 0) }
  }

  private static func json(_ reason: Reason) -> JSON {
    ["code": .string(reason.code), "sentence": .string(reason.sentence)]
  }

  private static func json(_ row: Row) -> JSON {
    let item = row.item
    let name = item.restoration.index
    return [
      "index": .string(name.name), "schema": .string(name.schema),
      "table": .string(item.restoration.table.name), "ddl": .string(item.ddl),
      "undo_ddl": .string(item.undoDDL), "proof": proof(item), "worse": .array(item.proof.worse.map(json)),
      "size_bytes": .integer(item.sizeBytes), "held_back": .optional(item.heldBack?.rawValue),
      "owner": .string(item.owner),
      "outcome": .optional(row.outcome?.name), "half_dropped": .bool(row.outcome?.isHalfDropped ?? false),
      "outcome_reason": .optional(row.outcome.flatMap(reason)),
    ]
  }

  private static func proof(_ item: PruneItem) -> JSON {
    let findings = item.candidate?.findings ?? []
    return [
      "kind": .string(item.candidate?.kind.rawValue ?? "unfinished"),
      "findings": .array(findings.map { .string($0.id) }),
      "reasons": .array(findings.flatMap(\.reasons).map(json)),
      "evidence": findings.first?.evidence ?? .object([]),
      "covering_index": .optional(item.candidate?.survivor),
      "method": .string(item.proof.method?.name ?? "none"),
      "gap": item.proof.gap.map(json) ?? .null,
      "statements_planned": .integer(Int64(item.proof.statementsPlanned)),
    ]
  }

  private static func json(_ worse: WorseStatement) -> JSON {
    [
      "query": .string(worse.id), "text": .string(worse.text), "calls": .integer(worse.calls),
      "cost_before": .number(worse.costBefore), "cost_after": .number(worse.costAfter),
    ]
  }

  // MARK: Text

  var text: String { (rows.map(paragraph) + [summary]).joined(separator: "\n\n") }

  private func paragraph(_ row: Row) -> String {
    let item = row.item
    let kind = item.candidate?.kind.rawValue ?? "half-dropped"
    let object = "\(item.restoration.index.name) on \(item.restoration.table)"
    var lines = ["\(Self.title(row)): \(kind) \(terminalSafe(object))  \(humanSize(bytes: item.sizeBytes))"]
    if let outcome = row.outcome {
      if let reason = Self.reason(outcome) { lines.append("  - \(terminalSafe(reason))") }
      if outcome.isHalfDropped { lines += halfDropped(item) }
      return lines.joined(separator: "\n")
    }
    let reasons =
      item.candidate?.findings.flatMap(\.reasons).map(\.sentence) ?? [
        "an earlier run began to drop it: no query uses it, and writes may still maintain it"
      ]
    lines += reasons.map { "  - \(terminalSafe($0))" }
    lines += Self.whatIf(item).map { "  - \(terminalSafe($0))" }
    lines += item.proof.worse.prefix(5).map { "      \(Self.statement($0))" }
    if item.proof.worse.count > 5 { lines.append("      … and \(item.proof.worse.count - 5) more") }
    let mark = item.heldBack == nil ? "" : "-- "
    lines += item.ddl.split(separator: "\n").map { "    \(mark)\(terminalSafe(String($0)))" }
    return lines.joined(separator: "\n")
  }

  private static func title(_ row: Row) -> String {
    if row.item.heldBack != nil { return "held back" }
    switch row.outcome {
    case nil: return "drop"
    case .dropped: return "dropped"
    case .gone: return "gone"
    case .changed, .notTried: return "left"
    case .blocked, .failed: return "not dropped"
    }
  }

  private static func reason(_ outcome: DropOutcome) -> String? {
    switch outcome {
    case .dropped: return nil
    case .gone: return "somebody else has dropped it meanwhile"
    case .changed(let reason): return reason.sentence
    case .blocked(let holders, _):
      return holders.isEmpty
        ? "stopped while it waited for others" : "\(listed(holders, "held", "held")) a lock all the time"
    case .failed(let failure, _): return failure.message
    case .notTried: return "the run was stopped before"
    }
  }

  private func halfDropped(_ item: PruneItem) -> [String] {
    let name = terminalSafe(item.restoration.index.quoted)
    return [
      "  - it is half dropped: no query uses it, writes may still maintain it",
      "    to finish it, run the same command again\(again), or DROP INDEX CONCURRENTLY \(name);",
      "    to take it back, ironforge index restore \(terminalSafe(undo)) --execute",
    ]
  }

  private var again: String { " with --undo \(terminalSafe(undo))" }

  private static func whatIf(_ item: PruneItem) -> [String] {
    var lines: [String] = []
    if let candidate = item.candidate {
      let count = item.proof.statementsPlanned
      let worse = item.proof.worse.count
      if let gap = item.proof.gap {
        lines.append(
          item.heldBack != .unproven && candidate.isCovered
            ? "no what-if (\(gap.sentence)); that the other index does its work is proof enough"
            : "not proven: \(gap.sentence)")
      }
      if count == 0 {
        // The gap has said so.
      } else if worse == 0 {
        let verb = count == 1 ? "is" : "are"
        lines.append("\(count) of the dearest statements \(verb) on the table; without it none gets dearer")
      } else {
        lines.append("\(worse) of the \(count) dearest statements on the table would get dearer:")
      }
    }
    switch item.heldBack {
    case nil: break
    case .notOwner:
      lines.append(
        "held back: \(item.owner) owns it; drop it as that role, or as a member of it")
    case .worse: lines.insert("held back by what follows; --accept-worse drops it all the same", at: 0)
    case .unproven: lines.append("held back by that; --accept-unproven drops it all the same")
    case .notConcurrent:
      lines.append(
        "held back: PostgreSQL cannot drop it without locking its tables; do it by hand when that is bearable"
      )
    }
    return lines
  }

  private static func statement(_ worse: WorseStatement) -> String {
    func cost(_ value: Double) -> String {
      let tenths = (value * 10).rounded() / 10
      return tenths < 1e15 ? "\(tenths)" : "\(value)"
    }
    let flat = worse.text.split { $0.isWhitespace }.joined(separator: " ")
    let brief = flat.count > 100 ? flat.prefix(99) + "…" : flat[...]
    return "cost \(cost(worse.costBefore)) to \(cost(worse.costAfter)), \(counted(worse.calls, "call")): "
      + terminalSafe(String(brief))
  }

  private var summary: String {
    var lines: [String] = []
    let chosen = rows.filter { $0.item.heldBack == nil }
    let held = rows.count - chosen.count
    let tail = held > 0 ? "; \(held) held back" : ""
    if chosen.isEmpty {
      lines.append(foreign ?? "Nothing to drop\(tail).")
    } else if outcomes == nil {
      let size = humanSize(bytes: chosen.reduce(0) { $0 + $1.item.sizeBytes })
      lines.append("\(Self.indexes(chosen.count)) to drop, \(size)\(tail).")
    } else {
      let done = chosen.count { $0.outcome?.isDone ?? false }
      let left = chosen.count { $0.outcome.map(Self.mayComeToItsEnd) ?? false }
      lines.append("Dropped \(done) of \(Self.indexes(chosen.count)), \(humanSize(bytes: freed))\(tail).")
      lines.append("Undo: ironforge index restore \(terminalSafe(undo)) --execute")
      if left > 0 { lines.append("Run the same command again\(again) for the other \(left).") }
    }
    let open = plan.unexplained.count { !$0.hasNoPlan }
    if open > 0 {
      lines.append(
        "\(open) of the \(open + plan.statementsPlanned) dearest statements could not be planned; --json says why."
      )
    }
    if plan.acceptedCount > 0 {
      lines.append("\(Self.indexes(plan.acceptedCount)) left out: the baseline accepts what was found.")
    }
    if plan.reviewCount > 0 {
      let what = counted(plan.reviewCount, "finding needs", "findings need")
      lines.append("\(what) a review first: ironforge index audit --only unused,redundant,duplicate")
      lines += plan.doubts.map { "  - \(terminalSafe($0.sentence))" }
    }
    return lines.joined(separator: "\n")
  }

  /// The whole plan in a line, where the role has the rights of none of the owners.
  private var foreign: String? {
    guard !rows.isEmpty, rows.allSatisfy({ $0.item.heldBack == .notOwner }) else { return nil }
    let owners = Array(Set(rows.map(\.item.owner))).sorted()
    let shown = owners.prefix(3).joined(separator: ", ") + (owners.count > 3 ? " and others" : "")
    let verbs = rows.count == 1 ? "does not own it" : "owns none of them"
    return terminalSafe(
      "Nothing to drop; \(rows.count) held back: \(plan.facts.role) \(verbs), but \(shown) \(owners.count == 1 ? "does" : "do")."
    )
  }

  /// Whether the same command again can do what this one did not.
  private static func mayComeToItsEnd(_ outcome: DropOutcome) -> Bool {
    switch outcome {
    case .dropped, .gone, .changed: false
    case .blocked, .notTried: true
    case .failed(let failure, _): failure.kind != .privilege
    }
  }

  private static func indexes(_ count: Int) -> String { counted(count, "index", "indexes") }

  // MARK: CSV

  var csv: (header: [String], rows: [[String]]) {
    (
      [
        "schema", "table", "index", "kind", "size_bytes", "method", "worse", "held_back", "outcome", "ddl",
        "undo_ddl",
      ],
      rows.map { row in
        let item = row.item
        return [
          item.restoration.index.schema, item.restoration.table.name, item.restoration.index.name,
          item.candidate?.kind.rawValue ?? "unfinished", "\(item.sizeBytes)",
          item.proof.method?.name ?? "none", "\(item.proof.worse.count)", item.heldBack?.rawValue ?? "",
          row.outcome?.name ?? "", item.ddl, item.undoDDL,
        ]
      }
    )
  }
}
