import HTML
import Indexes
import Primitives

/// The audit as a page that a DBA shows to a colleague: what there is, what could go, and why.
struct AuditPage {
  let report: IndexAuditReport
  let catalog: Catalog
  let findings: [AuditedFinding]
  /// Scans of an index day by day, by OID; empty without a usage ledger.
  var days: [UInt32: [DayUsage]] = [:]

  /// The document, as UTF-8.
  var document: [UInt8] {
    HTMLPage(
      title: "Index audit of \(report.facts.database)", style: Self.style,
      body: HTML([header, tiles, contents, AuditSizes(catalog: catalog, days: days).html, sections, footer])
    ).document
  }

  // MARK: Head

  private var header: HTML {
    let facts = report.facts
    let since = report.trust.since.map(\.minute) ?? "nobody knows when"
    let age = report.trust.age.map { ", \(humanDuration($0)) ago" } ?? ""
    var html: HTML = """
      <header>
      <p class="faint kicker">Index audit</p>
      <h1>\(facts.database)</h1>
      <dl class="facts">
      <div><dt>Server</dt><dd>PostgreSQL \(facts.serverVersion)\(facts.isStandby ? ", a standby" : "")</dd></div>
      <div><dt>Taken</dt><dd>\(facts.now.minute)</dd></div>
      <div><dt>Usage known since</dt><dd>\(since)\(age)\(report.usage?.hasLedger == true ? ", by the usage ledger" : "")</dd></div>
      <div><dt>Replicas</dt><dd>\(replicas)</dd></div>
      </dl>
      </header>
      """
    if !report.trust.isTrusted {
      let doubts = HTML(report.trust.doubts.map { doubt in "<li>\(doubt.sentence)</li>" as HTML })
      html += """
        <section class="note warn"><strong>Usage proves nothing yet</strong>, so nothing is to be dropped without a review:
        <ul>\(doubts)</ul></section>
        """
    }
    if !facts.tablesLocked.isEmpty {
      html += """
        <section class="note"><strong>Left out</strong>, because they are locked exclusively:
        \(facts.tablesLocked.joined(separator: ", "))</section>
        """
    }
    return html
  }

  private var replicas: String {
    let heard = report.usage?.cluster.heard.dropFirst().map { "\($0.name) heard" } ?? []
    let all = heard + report.trust.unheard.map { "\($0.name) not heard" }
    return all.isEmpty ? "none" : all.joined(separator: ", ")
  }

  private var tiles: HTML {
    let indexes = catalog.sortedIndexes.filter { !$0.isPartitioned }
    let indexBytes = indexes.reduce(0) { $0 + $1.sizeBytes }
    let tableBytes = catalog.sortedTables.reduce(0) { $0 + $1.sizeBytes }
    let saved = saving([.drop, .rebuild])
    let perhaps = saving([.drop, .rebuild, .review]) - saved
    func tile(_ value: String, _ label: String, _ kind: String = "") -> HTML {
      "<div class=\"tile \(kind)\"><b>\(value)</b><span>\(label)</span></div>"
    }
    return HTML([
      "<section class=\"tiles\">",
      tile(
        "\(indexes.count)",
        "\(indexes.count == 1 ? "index" : "indexes") on \(counted(catalog.tables.count, "table"))"),
      tile(humanSize(bytes: indexBytes), "of indexes beside \(humanSize(bytes: tableBytes)) of tables"),
      tile(humanSize(bytes: saved), "can be saved now", saved > 0 ? "good" : ""),
      tile(humanSize(bytes: perhaps), "more may be saved, after a review"), "</section>",
    ])
  }

  /// Bytes that go with the findings, an index counted once.
  private func saving(_ verdicts: Set<Finding.Verdict>) -> Int64 {
    var bytes: [String: Int64] = [:]
    for finding in findings.filter(\.isNew).map(\.finding) where verdicts.contains(finding.verdict) {
      guard let index = finding.index else { continue }
      let gain: Int64
      switch finding.kind {
      case .unused, .redundant, .duplicate, .invalid: gain = finding.sizeBytes
      case .bloated: gain = finding.evidence["wasted_bytes"].integer.map { Int64($0) } ?? 0
      case .lowSelectivity, .missing, .missingForeignKeyIndex, .overIndexed, .staleStatistics: gain = 0
      }
      let name = "\(finding.table.schema)\0\(index)"
      bytes[name] = max(bytes[name] ?? 0, gain)
    }
    return bytes.values.reduce(0) { $0 + $1 }
  }

  // MARK: Findings

  private var groups: [(verdict: Finding.Verdict, findings: [AuditedFinding])] {
    Finding.Verdict.allCases.map { verdict in (verdict, findings.filter { $0.finding.verdict == verdict }) }
      .filter { !$0.findings.isEmpty }
  }

  private var contents: HTML {
    let links = groups.map { group in
      "<a class=\"chip \(group.verdict.rawValue)\" href=\"#\(group.verdict.rawValue)\">\(group.verdict.rawValue) <b>\(group.findings.count)</b></a>"
        as HTML
    }
    return "<nav>\(HTML(links))</nav>"
  }

  private var sections: HTML {
    guard !findings.isEmpty else {
      return "<section class=\"note\"><strong>Nothing was found.</strong></section>"
    }
    return HTML(
      groups.map { group in
        """
        <section id="\(group.verdict.rawValue)"><h2>\(Self.title(group.verdict)) <span class="faint">\(group.findings.count)</span></h2>
        \(HTML(group.findings.prefix(Self.cardsMax).map(Self.card)))\(Self.rest(group.findings.count))</section>
        """
      })
  }

  /// Of one verdict; nobody reads more, and the page stays small enough to be sent.
  private static let cardsMax = 300

  private static func rest(_ count: Int) -> HTML {
    guard count > cardsMax else { return "" }
    return """
      <p class="faint">These are the \(cardsMax) largest; <code>ironforge index audit --json</code> has \(count - cardsMax) more.</p>
      """
  }

  private static func title(_ verdict: Finding.Verdict) -> String {
    switch verdict {
    case .drop: "Drop"
    case .rebuild: "Rebuild"
    case .create: "Create"
    case .analyze: "Analyse"
    case .review: "Review: a person has to look"
    case .keep: "Keep: it only looks as if"
    }
  }

  private static func card(_ audited: AuditedFinding) -> HTML {
    let finding = audited.finding
    let name = finding.index ?? finding.table.name
    let place = finding.index == nil ? finding.table.schema : "on \(finding.table)"
    let reasons = HTML(finding.reasons.map { "<li>\($0.sentence)</li>" as HTML })
    let accepted: HTML =
      audited.acceptance.map { "<li class=\"faint\">accepted until \($0.until): \($0.reason)</li>" } ?? ""
    return """
      <article class="\(finding.verdict.rawValue)">
      <h3><span>\(name)</span> <small class="faint">\(place)</small></h3>
      <p class="meta"><span class="chip \(finding.verdict.rawValue)">\(finding.kind.rawValue)</span>
      <span>\(humanSize(bytes: finding.sizeBytes))</span> <code class="faint">\(finding.id)</code></p>
      <ul>\(reasons)\(accepted)</ul>
      \(code(finding.ddl, note: finding.verdict == .review ? "If the review agrees" : nil))
      <details><summary>Evidence\(finding.undoDDL == nil ? "" : " and the way back")</summary>
      \(evidence(finding.evidence))
      \(code(finding.undoDDL, note: "Takes it back"))
      </details>
      </article>
      """
  }

  private static func code(_ sql: String?, note: String?) -> HTML {
    guard let sql else { return "" }
    let caption: HTML = note.map { "<p class=\"faint caption\">\($0)</p>" } ?? ""
    return "\(caption)<pre>\(sql)</pre>"
  }

  private static func evidence(_ evidence: JSON) -> HTML {
    let rows = evidence.members.map { member in
      "<tr><th>\(member.key)</th><td>\(value(member.key, member.value))</td></tr>" as HTML
    }
    return "<div class=\"scroll\"><table class=\"evidence\">\(HTML(rows))</table></div>"
  }

  private static func value(_ key: String, _ value: JSON) -> String {
    switch value {
    case .null: "unknown"
    case .string(let text): text
    case .integer(let bytes) where key.hasSuffix("_bytes"): "\(humanSize(bytes: bytes)) (\(bytes))"
    case .bool, .integer, .number, .decimal, .array, .object: value.description
    }
  }

  private var footer: HTML {
    """
    <footer class="faint"><p>Written by <code>ironforge index audit --html</code>. Nothing was changed. Sizes are of files as they were; \
    usage is known since \(report.trust.since.map(\.minute) ?? "nobody knows when").</p></footer>
    """
  }
}
