import Doctor
import Primitives

/// What `doctor` prints (SPEC section 9).
struct CheckupView: Renderable {
  let items: [CheckupItem]
  /// Whether text leaves out what is right, and the summary.
  let hasOnlyFaults: Bool

  var isOK: Bool { items.allSatisfy(\.isOK) }

  var json: JSON {
    [
      "ok": .bool(isOK),
      "items": .array(
        items.map { item in
          [
            "id": .string(item.check.rawValue), "area": .string(item.check.area.rawValue),
            "title": .string(item.check.title), "ok": .bool(item.isOK), "judged": .bool(item.isJudged),
            "evidence": .string(item.evidence),
            "figures": .object(item.figures.map { (key: $0.name, value: $0.value) }),
            "fix": .optional(item.fix?.text), "fix_kind": .optional(item.fix?.kind.rawValue),
          ]
        }),
    ]
  }

  var text: String {
    var lines: [String] = []
    let shown = hasOnlyFaults ? items.filter { !$0.isOK } : items
    for area in Check.Area.allCases {
      let group = shown.filter { $0.check.area == area }
      guard !group.isEmpty else { continue }
      if !lines.isEmpty { lines.append("") }
      lines.append(area.rawValue.uppercased())
      for item in group { lines += Self.lines(item) }
    }
    if !hasOnlyFaults { lines += ["", summary] }
    return lines.joined(separator: "\n")
  }

  private static func lines(_ item: CheckupItem) -> [String] {
    let mark = item.isOK ? (item.isJudged ? "ok    " : "-     ") : "NOT OK"
    var lines = ["  \(mark)  \(item.check.title): \(terminalSafe(item.evidence))"]
    if let fix = item.fix {
      // Nothing before the words of the later lines: they are to be copied as they stand.
      let parts = fix.text.split(separator: "\n").map { terminalSafe(String($0)) }
      lines += parts.map { "          \(fix.kind.rawValue): \($0)" }
    }
    return lines
  }

  private var summary: String {
    let faults = items.count { !$0.isOK }
    let unknown = items.count { !$0.isJudged }
    let rest = unknown > 0 ? "; \(unknown) could not be judged" : ""
    return faults == 0
      ? "\(items.count - unknown) checks, and nothing is wrong\(rest)."
      : "\(faults) of \(items.count) checks found something\(rest)."
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["id", "area", "title", "ok", "judged", "evidence", "fix", "fix_kind"],
      items.map { item in
        [
          item.check.rawValue, item.check.area.rawValue, item.check.title, String(item.isOK),
          String(item.isJudged), item.evidence, item.fix?.text ?? "", item.fix?.kind.rawValue ?? "",
        ]
      }
    )
  }
}
