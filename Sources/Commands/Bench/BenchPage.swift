import Bench
import Glibc
import HTML
import Primitives
import Synchronization

/// The file of `--html`.
final class BenchPageFile: Sendable {
  private let file: Mutex<DurableFile>

  /// - Throws: `output_failed`.
  init(_ path: String) throws(SimpleFailure) {
    let file = try DurableFile(path)
    self.file = Mutex(file)
  }

  /// - Throws: `output_failed`.
  func write(_ figures: BenchFigures) throws {
    let document = BenchPage(figures: figures).document
    try file.withLock { file in
      try file.write { $0 += document }
      try file.commit()
    }
  }
}

/// A load run as a page: what was wanted and what was measured, how latencies are spread, how it went second by second, what the
/// servers counted, and what was asked for on which machine.
struct BenchPage {
  let figures: BenchFigures

  private var report: LoadReport { figures.report }

  /// The document, as UTF-8.
  var document: [UInt8] {
    let charts = BenchCharts(report: report)
    return HTMLPage(
      title: "\(figures.name), \(Self.minute(figures.begunAt))", style: Self.style,
      body: HTML([
        header, tiles, targets, charts.distribution, charts.timeline, stages, errors, tiers, servers,
        conditions, footer,
      ])
    ).document
  }

  private var header: HTML {
    let plan = report.plan
    var html: HTML = """
      <header>
      <p class="faint kicker">ironforge \(figures.name)</p>
      <h1>\(BenchChart.short(report.requestsPerSecond)) requests a second, p99 \(BenchChart.short(report.latency.p99)) ms</h1>
      <p class="faint">\(Self.minute(figures.begunAt)) · \(plan.isOpen ? "open loop" : "closed loop") · \(plan.connections) connections</p>
      </header>
      """
    if let warning = report.generatorWarning {
      html += "<section class=\"note warn\"><strong>Doubtful:</strong> \(warning).</section>"
    }
    if report.requests == 0 {
      html += "<section class=\"note warn\"><strong>No request was measured.</strong></section>"
    }
    return html
  }

  private var tiles: HTML {
    func tile(_ value: String, _ label: String, _ kind: String = "") -> HTML {
      "<div class=\"tile \(kind)\"><b>\(value)</b><span>\(label)</span></div>"
    }
    let latency = report.latency
    return HTML([
      "<section class=\"tiles\">",
      tile(BenchChart.short(report.requestsPerSecond), "requests a second"),
      tile("\(BenchChart.short(latency.p50)) ms", "p50"), tile("\(BenchChart.short(latency.p90)) ms", "p90"),
      tile("\(BenchChart.short(latency.p99)) ms", "p99"),
      tile("\(BenchChart.short(latency.p99_9)) ms", "p99.9"),
      tile("\(BenchChart.short(latency.max)) ms", "longest"),
      tile("\(report.requests)", "requests"),
      tile("\(report.errors)", "errors", report.errors > 0 ? "bad" : ""),
      "</section>",
    ])
  }

  private var targets: HTML {
    let rows = report.targets.map { target -> HTML in
      """
      <tr><td class="wrap"><code>\(target.name)</code></td><td class="number">\(target.shown(target.target))</td>\
      <td class="number">\(target.shown(target.value))</td>\
      <td><b class="\(target.isOK ? "good" : "bad")">\(target.isOK ? "met" : "missed")</b></td></tr>
      """
    }
    return """
      <section><h2>Targets</h2><div class="scroll"><table>
      <tr><th>target</th><th class="number">wanted</th><th class="number">measured</th><th>verdict</th></tr>
      \(HTML(rows))</table></div></section>
      """
  }

  private var stages: HTML {
    guard !report.stages.isEmpty else { return "" }
    let rows = report.stages.map { stage -> HTML in
      """
      <tr><td>\(humanDuration(stage.stage.duration))</td><td class="number">\(BenchChart.short(stage.stage.rate))</td>\
      <td class="number">\(stage.requests)</td><td class="number">\(stage.errors)</td>\
      <td class="number">\(BenchChart.short(stage.latency.p50))</td><td class="number">\(BenchChart.short(stage.latency.p99))</td>\
      <td class="number">\(BenchChart.short(stage.latency.max))</td></tr>
      """
    }
    return """
      <section><h2>Stages</h2><div class="scroll"><table><tr><th>stage</th><th class="number">rate</th><th class="number">requests</th>
      <th class="number">errors</th><th class="number">p50 ms</th><th class="number">p99 ms</th><th class="number">longest ms</th></tr>
      \(HTML(rows))</table></div></section>
      """
  }

  private var errors: HTML {
    guard report.errors > 0 else { return "<section><h2>Errors</h2><p>None.</p></section>" }
    let rows = report.errorsByCode.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    return
      "<section><h2>Errors</h2>\(table("code", "requests", rows.map { ($0.key, String($0.value)) }))</section>"
  }

  private var tiers: HTML {
    guard let tiers = figures.tiers else { return "" }
    let rows: [(String, String)] = [
      ("L1, in the memory of the process", "\(tiers.l1)"), ("Redis", "\(tiers.l2)"),
      ("PostgreSQL", "\(tiers.database)"), ("hit ratio of L1", BenchChart.short(tiers.l1HitRatio)),
      ("hit ratio of Redis, of what L1 did not have", BenchChart.short(tiers.l2HitRatio)),
    ]
    return "<section><h2>Tiers of the cache</h2>\(table("answered by", "reads", rows))</section>"
  }

  private var servers: HTML {
    let servers = figures.serverCounters
    guard !servers.isEmpty else { return "" }
    let parts = servers.map { server -> HTML in
      let rows = server.counters.counts.map { ($0.title, $0.shown) }
      let notes = server.counters.notes.map { "<p class=\"faint\">\($0).</p>" as HTML }
      let name = server.key == "redis" ? "Redis" : "PostgreSQL"
      return
        "<div><h3>\(name)</h3>\(rows.isEmpty ? "" : table("counter", "counted", rows))\(HTML(notes))</div>"
    }
    return """
      <section><h2>Counters of the servers</h2>
      <p class="faint">From the begin of the measurement to its end, of everybody who uses the database or the Redis, not of this run \
      alone. WAL is that of the whole server.</p><div class="pair">\(HTML(parts))</div></section>
      """
  }

  private var conditions: HTML {
    let plan = report.plan
    let generator = report.generator
    var rows: [(String, String)] = [
      ("loop", plan.isOpen ? "open: requests are due on a schedule" : "closed: a request follows an answer"),
      ("connections", "\(plan.connections)"), ("warm-up", humanDuration(plan.warmup)),
      ("measured", humanDuration(plan.duration)),
    ]
    if plan.stages.count == 1 { rows.append(("rate", "\(BenchView.rounded(plan.stages[0].rate)) a second")) }
    rows += [
      ("generator's processor time", "\(BenchChart.short(generator.cpuSeconds)) s"),
      (
        "its threads without a processor",
        generator.waitSeconds.map { "\(BenchChart.short($0)) s" } ?? "not known"
      ),
      ("machine of the generator", Self.machine(generator.processors)), ("ironforge", Version.text),
    ]
    return "<section><h2>Plan and machine</h2>\(table("", "", rows, isText: true))</section>"
  }

  private func table(_ name: String, _ value: String, _ rows: [(String, String)], isText: Bool = false)
    -> HTML
  {
    let style = isText ? "wrap" : "number"
    let head: HTML = name.isEmpty ? "" : "<tr><th>\(name)</th><th class=\"\(style)\">\(value)</th></tr>"
    let body = rows.map { "<tr><td>\($0.0)</td><td class=\"\(style)\">\($0.1)</td></tr>" as HTML }
    return "<div class=\"scroll\"><table class=\"facts\">\(head)\(HTML(body))</table></div>"
  }

  private var footer: HTML {
    """
    <footer class="faint"><p>Written by <code>ironforge \(figures.name) --html</code>. \(report.plan.isOpen
      ? "Latency counts from when a request was due, so that a stall shows in all requests that it held up."
      : "Latency counts from when a request was sent; in a closed loop a stall holds back the requests that would show it.")</p></footer>
    """
  }

  /// `2026-11-23 10:21 UTC`.
  private static func minute(_ time: Timestamp) -> String {
    let text = time.description
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
  }

  /// What the kernel says of the machine.
  private static func machine(_ processors: Int) -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "\(processors) processors" }
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(processors) processors, \(text(name.machine)), \(text(name.sysname)) \(text(name.release))"
  }
}
