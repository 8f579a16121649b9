import HTML
import Plans

/// The page of `query explain --html`: what to do, the plan as a flame graph, and all its numbers. It needs no script: a box leads to
/// its line in the table, which then stands out.
struct PlanPage {
  private let view: PlanView
  private var analysis: PlanAnalysis { view.analysis }

  init(_ view: PlanView) {
    self.view = view
  }

  /// The whole page, as UTF-8.
  var document: [UInt8] {
    let body: HTML = """
      <header>
      <p class="kicker">ironforge query explain</p>
      <h1>\(headline)</h1>
      \(tiles)
      </header>
      <section>
      <h2>What to do</h2>
      \(findings)
      </section>
      <section>
      <h2>\(analysis.totalTime == nil ? "Where the cost is" : "Where the time goes")</h2>
      <p class="faint">The width of a box is \(analysis.totalTime == nil ? "its estimated cost" : "its time") with all that it runs; \
      where nothing stands below, it is its own. The more of it is its own, the stronger the colour. A box leads to its line in the table.</p>
      \(PlanFlame(analysis, causes: causes).graph)
      </section>
      <section>
      <h2>Every node</h2>
      \(table)
      </section>
      \(statement)
      """
    return HTMLPage(title: "Plan: \(headline)", style: Self.style, body: body).document
  }

  private var causes: Set<Int> { Set(view.findings.filter(\.isRootCause).compactMap(\.entry)) }

  private var headline: String {
    if let time = analysis.totalTime { return "A statement of \(PlanNumbers.time(time))" }
    return "A statement of cost \(PlanNumbers.count(analysis.entries[0].node.totalCost.rounded()))"
  }

  private var tiles: HTML {
    let root = analysis.entries[0].node
    var facts: [(name: String, value: String)] = []
    if let time = view.plan.planningTime { facts.append(("Planning", PlanNumbers.time(time))) }
    if let time = view.plan.executionTime { facts.append(("Execution", PlanNumbers.time(time))) }
    if let time = view.plan.jit?.total { facts.append(("JIT", PlanNumbers.time(time))) }
    facts.append(("Rows", PlanNumbers.count(analysis.entries[0].rows ?? root.rowsEstimated)))
    facts.append(("Cost", PlanNumbers.count(root.totalCost.rounded())))
    if root.buffers.pages > 0 {
      facts.append(("Pages touched", PlanNumbers.pages(root.buffers.pages)))
      facts.append(("From disk", PlanNumbers.pages(root.buffers.pagesRead)))
    }
    if root.buffers.tempWritten > 0 { facts.append(("Spilled", PlanNumbers.pages(root.buffers.tempWritten))) }
    return
      "<dl class=\"tiles\">\(HTML(facts.map { "<div><dt>\($0.name)</dt><dd>\($0.value)</dd></div>" }))</dl>"
  }

  // MARK: Findings

  private var findings: HTML {
    if view.findings.isEmpty { return "<p>\(view.nothingFound)</p>" }
    return HTML(
      view.findings.map { finding -> HTML in
        let name: HTML =
          finding.entry.map { "<a href=\"#n\($0)\">\(finding.node)</a>" } ?? "\(finding.node)"
        return """
          <article class="finding\(HTML(stringLiteral: finding.isRootCause ? " cause" : ""))">
          <p class="what"><b>\(finding.isRootCause ? "Root cause" : "Also")</b> <code>\(finding.code.rawValue)</code> \(name)</p>
          <p>\(finding.message)</p>
          \(step(finding.nextStep))
          </article>

          """
      })
  }

  /// DDL stands by itself, to be copied.
  private func step(_ text: String) -> HTML {
    let parts = text.split(separator: "; -- ", omittingEmptySubsequences: false)
    guard text.hasPrefix("CREATE INDEX"), let note = parts.last, parts.count > 1 else {
      return "<p class=\"next\">\(text)</p>"
    }
    return "<pre>\(parts.dropLast().joined(separator: "; -- "));</pre><p class=\"next\">\(note)</p>"
  }

  // MARK: The table

  private var table: HTML {
    let rows = analysis.entries.indices.map(row)
    return """
      <div class="scroll"><table class="nodes">
      <thead><tr><th>Node</th>\(HTML(titles.map { "<th class=\"number\">\($0)</th>" }))</tr></thead>
      <tbody>
      \(HTML(rows))
      </tbody></table></div>
      """
  }

  private var titles: [String] {
    analysis.isAnalyzed ? ["Own", "Time", "Rows", "Expected", "Pages"] : ["Own cost", "Cost", "Rows"]
  }

  private func row(_ index: Int) -> HTML {
    let entry = analysis.entries[index]
    let cells = HTML(
      zip(titles, numbers(entry)).map { "<td class=\"number\" data-title=\"\($0)\">\($1)</td>" })
    let plan: HTML = entry.node.subplanName.map { "<span class=\"faint\">\($0)</span> " } ?? ""
    let details = planRemarks(entry.node, loops: entry.node.actual?.loops ?? 1)
    let share = analysis.totalTime == nil ? 0 : analysis.ownTimeShare(index)
    let width = PlanNumbers.share(share).replacing(" ", with: "")
    let bar: HTML = share < 0.005 ? "" : "<span class=\"bar\"><i style=\"width:\(width)\"></i></span>"
    return """
      <tr id="n\(index)"\(HTML(stringLiteral: causes.contains(index) ? " class=\"cause\"" : ""))>
      <td style="--depth:\(min(entry.depth, 40))">\(plan)<b>\(entry.node.label)</b>\
      \(bar)\
      \(HTML(details.map { "<div class=\"detail\">\($0)</div>" }))</td>\(cells)</tr>

      """
  }

  private func numbers(_ entry: PlanAnalysis.Entry) -> [String] {
    guard analysis.isAnalyzed else {
      return [entry.ownCost.rounded(), entry.node.totalCost.rounded(), entry.node.rowsEstimated].map(
        PlanNumbers.count)
    }
    if entry.isNeverExecuted { return ["", "never", "", "", ""] }
    let error = entry.estimateError ?? 1
    let off =
      error >= 2
      ? "\(PlanNumbers.factor(error))\u{D7} too few"
      : error <= 0.5 ? "\(PlanNumbers.factor(error))\u{D7} too many" : ""
    return [
      entry.ownTime.map(PlanNumbers.time) ?? "", entry.time.map(PlanNumbers.time) ?? "",
      entry.rows.map(PlanNumbers.count) ?? "", off,
      entry.ownBuffers.pages > 0 ? PlanNumbers.pages(entry.ownBuffers.pages) : "",
    ]
  }

  // MARK: The statement

  private var statement: HTML {
    var parts: [HTML] = []
    if let sql = view.sql { parts.append("<section><h2>Statement</h2><pre>\(sql)</pre></section>") }
    let facts = view.facts.filter { !$0.hasPrefix("Times: ") }
    if !facts.isEmpty {
      parts.append("<section><h2>Settings and triggers</h2>\(HTML(facts.map { "<p>\($0)</p>" }))</section>")
    }
    return HTML(parts)
  }

  private static let style = """
    .kicker { color: var(--faint); font-size: .8rem; letter-spacing: .04em; margin: 0 0 .3rem; }
    h1 { overflow-wrap: anywhere; }
    .tiles { display: flex; flex-wrap: wrap; gap: .5rem 1.8rem; margin: 1rem 0 0; }
    .tiles dt { color: var(--faint); font-size: .8rem; }
    .tiles dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
    .finding { border-left: 3px solid var(--line); padding: .15rem 0 .15rem .9rem; margin: 0 0 1.1rem; }
    .finding.cause { border-color: var(--bad); }
    .finding.cause .what b { color: var(--bad); }
    .finding p { overflow-wrap: anywhere; }
    .next::before { content: "\\2192\\A0"; color: var(--accent); }
    .flame { overflow-x: auto; padding: .2rem 0 .6rem; }
    .flame > .cell { min-width: 600px; }
    .cell { flex: none; min-width: 0; }
    .below { display: flex; }
    .box { display: block; height: 2.7rem; margin: 0 1px 2px 0; padding: .2rem .45rem; overflow: hidden; border-radius: 4px;
      white-space: nowrap; text-overflow: ellipsis; text-decoration: none; color: var(--ink); font-size: .8rem; line-height: 1.15rem;
      background: var(--panel); border: 1px solid var(--line); }
    .box small { display: block; color: var(--faint); overflow: hidden; text-overflow: ellipsis; }
    .box.h1 { background: color-mix(in srgb, var(--warn) 14%, var(--panel)); }
    .box.h2 { background: color-mix(in srgb, var(--warn) 32%, var(--panel)); }
    .box.h3 { background: color-mix(in srgb, var(--bad) 34%, var(--panel)); }
    .box.h4 { background: color-mix(in srgb, var(--bad) 52%, var(--panel)); }
    .box.h2 small, .box.h3 small, .box.h4 small { color: inherit; }
    .box.cause { border: 2px solid var(--bad); }
    .box.thin { padding: 0; }
    .box:hover, .box:focus { outline: 2px solid var(--accent); outline-offset: -1px; }
    .nodes { min-width: 46rem; }
    .nodes th:first-child { padding-left: 0; }
    .nodes td:first-child { padding-left: calc(var(--depth) * 1rem); }
    .nodes td:first-child b { font-weight: 600; overflow-wrap: anywhere; }
    .nodes tr.cause td:first-child { box-shadow: inset 3px 0 var(--bad); }
    .nodes tr:target td { background: color-mix(in srgb, var(--accent) 16%, transparent); }
    .detail { color: var(--faint); font: .78rem/1.4 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
    .bar { display: block; height: 3px; width: 9rem; background: var(--panel); border-radius: 2px; margin: .15rem 0; }
    .bar i { display: block; height: 3px; background: var(--bad); border-radius: 2px; }
    @media (max-width: 46rem) {
      .nodes { min-width: 0; }
      .nodes thead { display: none; }
      .nodes tbody, .nodes tr { display: block; }
      .nodes tr { padding: .3rem 0; border-bottom: 1px solid var(--line); }
      .nodes td { display: inline-block; padding: 0 .8rem 0 0; border: 0; white-space: normal; }
      .nodes td:first-child { display: block; padding-left: min(var(--depth) * .5rem, 6rem); }
      .nodes td.number:empty { display: none; }
      .nodes td.number::before { content: attr(data-title) " "; color: var(--faint); font-size: .8rem; }
    }

    """
}
