import Indexes
import Primitives

/// A finding with what the baseline says of it.
struct AuditedFinding {
  let finding: Finding
  /// The entry that accepts it now.
  let acceptance: Baseline.Entry?

  init(_ finding: Finding, _ baseline: Baseline?, at now: Timestamp) {
    var finding = finding
    if let entry = baseline?.expired(finding, at: now), finding.verdict != .keep {
      finding.reasons.append(entry.expiry)
    }
    self.finding = finding
    acceptance = baseline?.acceptance(of: finding, at: now)
  }

  /// Whether somebody has something to do.
  var isNew: Bool { finding.verdict != .keep && acceptance == nil }
}

/// What `index audit` prints (SPEC section 9).
struct AuditView: Renderable {
  private let report: IndexAuditReport
  private let shown: [AuditedFinding]
  private let acceptedCount: Int
  /// What is neither to be kept nor accepted.
  let new: [Finding]

  private let hasSummary: Bool

  /// - Parameter hasSummary: whether text ends with what was found in all, and how far it can be believed.
  init(report: IndexAuditReport, findings: [AuditedFinding], isVerbose: Bool, hasSummary: Bool) {
    self.hasSummary = hasSummary
    self.report = report
    shown = findings.filter { isVerbose || $0.isNew }
    acceptedCount = findings.count { $0.acceptance != nil && $0.finding.verdict != .keep }
    new = findings.filter(\.isNew).map(\.finding)
  }

  private func count(_ kind: Finding.Kind) -> Int { new.count { $0.kind == kind } }

  // MARK: JSON

  var json: JSON {
    let facts = report.facts
    return [
      "server_version": .string(facts.serverVersion),
      "statistics": [
        "since": .time(report.trust.since),
        "age_seconds": report.trust.age.map { .integer($0.components.seconds) } ?? .null,
        "trusted": .bool(report.trust.isTrusted),
        "doubts": .array(report.trust.doubts.map(Self.json)),
        "ledger": .bool(report.usage?.hasLedger ?? false),
        "lost_seconds": .integer(report.usage?.coverage?.lost.components.seconds ?? 0),
        "gaps": .array((report.usage?.coverage?.gaps ?? []).map(Self.json)),
        "replicas": .array(replicas),
        "tables_without_column_statistics": .integer(facts.tablesHidden),
        "tables_locked": .array(facts.tablesLocked.map(JSON.string)),
      ],
      "findings": .array(shown.map(Self.json)),
      "summary": .object(Finding.Kind.allCases.map { ($0.rawValue, .integer(Int64(count($0)))) }),
      "accepted": .integer(Int64(acceptedCount)),
    ]
  }

  private var replicas: [JSON] {
    let heard = zip(report.usage?.cluster.heard ?? [], report.usage?.servers ?? []).dropFirst()
    let known: [JSON] = heard.map { observation, server in
      [
        "name": .string(observation.name), "heard": true, "reachable": true,
        "since": .time(server.coveredFrom), "reason": nil,
      ]
    }
    let unheard: [JSON] = report.trust.unheard.map { server in
      [
        "name": .string(server.name), "heard": false, "reachable": .bool(server.isForeign), "since": nil,
        "reason": .string(server.reason),
      ]
    }
    return known + unheard
  }

  private static func json(_ lost: (server: String, gap: UsageGap)) -> JSON {
    [
      "server": .string(lost.server), "from": .time(lost.gap.from), "to": .time(lost.gap.to),
      "cause": .string(lost.gap.cause.rawValue),
    ]
  }

  private static func json(_ reason: Reason) -> JSON {
    ["code": .string(reason.code), "sentence": .string(reason.sentence)]
  }

  private static func json(_ audited: AuditedFinding) -> JSON {
    let finding = audited.finding
    return [
      "id": .string(finding.id), "kind": .string(finding.kind.rawValue),
      "schema": .string(finding.table.schema), "table": .string(finding.table.name),
      "index": .optional(finding.index), "verdict": .string(finding.verdict.rawValue),
      "reasons": .array(finding.reasons.map(json)), "evidence": finding.evidence,
      "size_bytes": .integer(finding.sizeBytes), "ddl": .optional(finding.ddl),
      "undo_ddl": .optional(finding.undoDDL),
      "accepted": audited.acceptance.map { ["reason": .string($0.reason), "until": .time($0.until)] }
        ?? .null,
    ]
  }

  // MARK: Text

  var text: String {
    (shown.map(Self.paragraph) + (hasSummary ? [summary] : [])).joined(separator: "\n\n")
  }

  private static func paragraph(_ audited: AuditedFinding) -> String {
    let finding = audited.finding
    let object = finding.index.map { "\($0) on \(finding.table)" } ?? "\(finding.table)"
    var lines = [
      "\(finding.verdict.rawValue): \(finding.kind.rawValue) \(terminalSafe(object))"
        + "  \(humanSize(bytes: finding.sizeBytes))  [\(finding.id)]"
    ]
    lines += finding.reasons.map { "  - \(terminalSafe($0.sentence))" }
    if let entry = audited.acceptance {
      lines.append("  - accepted until \(entry.until.minute): \(terminalSafe(entry.reason))")
    }
    if let ddl = finding.ddl {
      // What a person has to look at first does nothing when it is pasted.
      let mark = finding.verdict == .review ? "-- " : ""
      lines += ddl.split(separator: "\n").map { "    \(mark)\(terminalSafe(String($0)))" }
    }
    return lines.joined(separator: "\n")
  }

  private var summary: String {
    var lines: [String] = []
    let kinds = Finding.Kind.allCases.filter { count($0) > 0 }.map { "\(count($0)) \($0.rawValue)" }
    let known = acceptedCount > 0 ? "; \(counted(acceptedCount, "more is", "more are")) accepted" : ""
    lines.append((kinds.isEmpty ? "No new findings" : kinds.joined(separator: ", ")) + known + ".")
    lines.append(usage)
    if !report.trust.isTrusted {
      lines.append("That proves nothing, so nothing is to be dropped without a review:")
      lines += report.trust.doubts.map { "  - \(terminalSafe($0.sentence))" }
      lines += report.trust.unheard.map { "  - \(terminalSafe("\($0.name): \($0.reason)"))" }
    }
    if report.usage?.hasLedger == false {
      lines.append(
        "`ironforge index snapshot`, every hour from cron, remembers usage across resets and crashes.")
    }
    if report.facts.tablesHidden > 0 {
      lines.append(
        "The role may not see statistics of columns of \(counted(report.facts.tablesHidden, "table")): low_selectivity is told"
          + " for booleans only.")
    }
    return lines.joined(separator: "\n")
  }

  /// Since when usage is known, and where.
  private var usage: String {
    let since = report.trust.since.map { "since \($0.minute)" } ?? "since nobody knows when"
    let age = report.trust.age.map { " (\(humanDuration($0)))" } ?? ""
    let count = report.usage?.servers.count ?? 1
    let servers = count == 1 ? "PostgreSQL \(report.facts.serverVersion)" : "\(count) servers"
    let lost = report.usage?.coverage?.lost ?? .zero
    let except = lost > .zero ? ", except for a loss of \(humanDuration(lost))" : ""
    return "Usage of \(servers) is known \(since)\(age)\(except)."
  }

  // MARK: CSV

  var csv: (header: [String], rows: [[String]]) {
    (
      [
        "id", "kind", "schema", "table", "index", "verdict", "codes", "reasons", "size_bytes", "ddl",
        "undo_ddl", "evidence",
      ],
      shown.map(\.finding).map { finding in
        [
          finding.id, finding.kind.rawValue, finding.table.schema, finding.table.name, finding.index ?? "",
          finding.verdict.rawValue, finding.reasons.map(\.code).joined(separator: " "),
          finding.reasons.map(\.sentence).joined(separator: "; "), "\(finding.sizeBytes)", finding.ddl ?? "",
          finding.undoDDL ?? "", finding.evidence.description,
        ]
      }
    )
  }
}
