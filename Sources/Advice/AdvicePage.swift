internal import HTML
internal import Primitives

/// The advice as a page: what to build and why, and what each statement costs before and after.
public struct AdvicePage {
  private let advice: Advice

  public init(_ advice: Advice) {
    self.advice = advice
  }

  /// UTF-8.
  public var document: [UInt8] {
    HTMLPage(title: "Index advice", style: Self.style, body: body).document
  }

  private var body: HTML {
    let size = advice.indexes.reduce(0.0) { $0 + Double($1.sizeBytes) }
    let faster = advice.queries.count { $0.costAfter < 0.9 * $0.costBefore }
    var page: HTML = """
      <h1>Index advice</h1>
      <p class="faint">\(counted(advice.indexes.count, "index", "indexes")) of \(Self.size(size)) together. \(faster) of \(advice.queries.count)
      statements cost less; in the geometric mean of all, \(Self.percent(advice.meanRatio)) of before. Costs are the
      planner's estimates, one unit being a page read in sequence; nothing has been built.</p>
      <h2>Indexes</h2>
      """
    if advice.indexes.isEmpty {
      page += "<p>No index would help these statements enough to be worth its upkeep.</p>"
    }
    for index in advice.indexes { page += Self.card(index) }
    page += "<h2>Statements</h2>"
    page += HTML(
      advice.queries.sorted { $0.costAfter / $0.costBefore < $1.costAfter / $1.costBefore }.map(Self.bar))
    if !advice.unexplained.isEmpty {
      page +=
        "<h2>Not taken into account</h2><div class=\"scroll\"><table><tr><th>statement</th><th>why</th></tr>"
      for statement in advice.unexplained {
        page += "<tr><td><code>\(Self.cut(statement.query))</code></td><td>\(statement.reason)</td></tr>"
      }
      page += "</table></div>"
    }
    return page
  }

  private static func card(_ index: AdvisedIndex) -> HTML {
    """
    <section class="card">
    <pre>\(index.ddl)</pre>
    <p>\(size(Double(index.sizeBytes))) when built; saves \(count(index.costSaved)) units of cost: \(index.reason).
    <span class="faint">Statements \(index.queries.joined(separator: ", ")).</span></p>
    </section>
    """
  }

  private static func bar(_ query: AdvisedQuery) -> HTML {
    let ratio = query.costAfter / query.costBefore
    // Something is to be seen of the smallest, and a statement that became dearer does not leave its line.
    let width = Int((min(1, max(0.004, ratio)) * 1000).rounded())
    let calls: HTML = query.calls == 1 ? "" : ", \(query.calls) calls"
    return """
      <details class="query"><summary><span class="name">\(query.id)</span>
      <span class="bar"><span style="width:\(width / 10).\(width % 10)%"></span></span>
      <span class="number">\(count(query.costBefore)) → \(count(query.costAfter)), \(percent(ratio))\(calls)</span></summary>
      <pre>\(query.text)</pre></details>
      """
  }

  private static func cut(_ text: String) -> String {
    text.count <= 400 ? text : String(text.prefix(399)) + "…"
  }

  private static func percent(_ ratio: Double) -> String {
    ratio < 0.001 ? "under 0.1 %" : "\((ratio * 1000).rounded() / 10) %"
  }

  private static func count(_ value: Double) -> String {
    value.magnitude >= 100 ? "\(Int64(exactly: value.rounded()) ?? .max)" : "\((value * 10).rounded() / 10)"
  }

  /// A kB is 1024 bytes, as PostgreSQL counts.
  private static func size(_ bytes: Double) -> String {
    let mega = bytes / 1_048_576
    return mega >= 1
      ? "\((mega * 10).rounded() / 10) MB" : "\(Int64(exactly: (bytes / 1024).rounded()) ?? .max) kB"
  }

  private static let style = """
    .card { margin: 0 0 1rem; }
    .card pre { margin: 0 0 .2rem; }
    .query { border-bottom: 1px solid var(--line); }
    .query summary { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: center; padding: .35rem 0; cursor: pointer; }
    .query .name { min-width: 3rem; overflow-wrap: anywhere; }
    .bar { flex: 1 1 14rem; height: .8rem; background: var(--line); border-radius: 3px; overflow: hidden; }
    .bar span { display: block; height: 100%; background: var(--accent); }

    """
}
