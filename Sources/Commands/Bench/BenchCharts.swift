import Bench
import Glibc
import HTML

/// The charts of a load run's page.
struct BenchCharts {
  let report: LoadReport

  /// Columns of a timeline, at most; further seconds share one.
  private static let columnsMax = 300

  // MARK: Distribution

  /// As the plots of HdrHistogram: every further nine of the percentile gets the same room.
  var distribution: HTML {
    guard let last = report.distribution.last, report.requests > 0 else { return "" }
    let nines = max(1, log10(Double(report.requests)))
    func place(_ percentile: Double) -> Double {
      percentile >= 100 ? 1 : min(1, -log10(1 - percentile / 100) / nines)
    }
    let (yTicks, top) = BenchChart.ticks(upTo: last.milliseconds) { "\(BenchChart.short($0)) ms" }
    let named: [(Double, String)] = [
      (0, "0 %"), (90, "90 %"), (99, "99 %"), (99.9, "99.9 %"), (99.99, "99.99 %"), (99.999, "99.999 %"),
      (99.9999, "99.9999 %"),
    ]
    let chart = BenchChart(
      label: "latency by percentile",
      lines: [
        BenchChart.Line(
          style: "one",
          points: report.distribution.map { (x: place($0.percentile), y: $0.milliseconds / top) })
      ],
      xTicks: named.filter { -log10(1 - $0.0 / 100) <= nines }.map { .init(place: place($0.0), label: $0.1) },
      yTicks: yTicks)
    return """
      <section><h2>Latency by percentile</h2>
      <p class="faint">So many of a hundred requests took no longer. Each further nine has the same room.</p>\(chart.html)</section>
      """
  }

  // MARK: Timeline

  /// Seconds that share a column of the timeline.
  private struct Part {
    let from: Int
    let seconds: Int
    let requests: Int
    let errors: Int
    /// The highest of its seconds.
    let p50: Double
    let p99: Double
    var rate: Double { Double(requests) / Double(seconds) }
  }

  private var parts: [Part] {
    let timeline = report.timeline
    let width = max(1, (timeline.count + Self.columnsMax - 1) / Self.columnsMax)
    return stride(from: 0, to: timeline.count, by: width).map { from in
      let seconds = timeline[from..<min(from + width, timeline.count)]
      return Part(
        from: from, seconds: seconds.count, requests: seconds.reduce(0) { $0 + $1.requests },
        errors: seconds.reduce(0) { $0 + $1.errors }, p50: seconds.map(\.p50).max() ?? 0,
        p99: seconds.map(\.p99).max() ?? 0)
    }
  }

  var timeline: HTML {
    let parts = parts
    guard !parts.isEmpty else { return "" }
    let total = Double(report.timeline.count)
    return """
      <section><h2>Second by second</h2>
      <p class="faint">By the time of the answer\(parts[0].seconds > 1 ? "; a column is \(parts[0].seconds) seconds, a latency the highest of them" : ""). \
      The last second may be a part of one, and holds what was never sent.</p>
      <p class="legend"><span><i class="key requests"></i>requests a second</span> <span><i class="key errors"></i>of these errors</span></p>
      \(throughput(parts, total).html)
      <p class="legend"><span><i class="key one"></i>p50</span> <span><i class="key two"></i>p99</span></p>
      \(latencies(parts, total).html)</section>
      """
  }

  private func throughput(_ parts: [Part], _ total: Double) -> BenchChart {
    let (ticks, top) = BenchChart.ticks(upTo: parts.map(\.rate).max() ?? 0) { BenchChart.short($0) }
    let columns = parts.flatMap { part -> [BenchChart.Column] in
      let (from, to) = (Double(part.from) / total, Double(part.from + part.seconds) / total)
      let errors = Double(part.errors) / Double(part.seconds)
      var columns = [
        BenchChart.Column(
          style: "requests", from: from, to: to, height: part.rate / top,
          title:
            "second \(part.from + 1): \(BenchChart.short(part.rate)) requests, \(BenchChart.short(errors)) errors"
        )
      ]
      if part.errors > 0 {
        columns.append(BenchChart.Column(style: "errors", from: from, to: to, height: errors / top))
      }
      return columns
    }
    return BenchChart(
      label: "requests a second over time", columns: columns, xTicks: seconds(total), yTicks: ticks,
      marks: stageMarks(total))
  }

  private func latencies(_ parts: [Part], _ total: Double) -> BenchChart {
    let (ticks, top) = BenchChart.ticks(upTo: parts.map(\.p99).max() ?? 0) { "\(BenchChart.short($0)) ms" }
    func line(_ style: String, _ value: (Part) -> Double) -> BenchChart.Line {
      BenchChart.Line(
        style: style,
        points: parts.map { part in
          guard part.requests > 0 else { return nil }
          return (x: (Double(part.from) + Double(part.seconds) / 2) / total, y: value(part) / top)
        })
    }
    let columns = parts.map { part in
      BenchChart.Column(
        style: "point", from: Double(part.from) / total, to: Double(part.from + part.seconds) / total,
        height: 0,
        title: part.requests == 0
          ? "second \(part.from + 1): no answer"
          : "second \(part.from + 1): p50 \(BenchChart.short(part.p50)) ms, p99 \(BenchChart.short(part.p99)) ms"
      )
    }
    return BenchChart(
      label: "latency over time", columns: columns, lines: [line("two") { $0.p99 }, line("one") { $0.p50 }],
      xTicks: seconds(total), yTicks: ticks, marks: stageMarks(total))
  }

  private func seconds(_ total: Double) -> [BenchChart.Tick] {
    let (ticks, top) = BenchChart.ticks(upTo: total) { "\(BenchChart.short($0)) s" }
    return ticks.compactMap { tick in
      let place = tick.place * top / total
      return place <= 1 ? BenchChart.Tick(place: place, label: tick.label) : nil
    }
  }

  /// Where stages begin.
  private func stageMarks(_ total: Double) -> [BenchChart.Tick] {
    guard report.stages.count > 1 else { return [] }
    var from = 0.0
    return report.stages.compactMap { stage in
      defer {
        from +=
          Double(stage.stage.duration.components.seconds) + Double(
            stage.stage.duration.components.attoseconds) / 1e18
      }
      guard from < total else { return nil }
      return BenchChart.Tick(place: from / total, label: "\(BenchView.rounded(stage.stage.rate)) /s")
    }
  }
}

extension BenchPage {
  /// Beyond the frame's rules.
  static let style = """
    header .kicker { margin: 0; text-transform: uppercase; letter-spacing: .08em; font-size: .8rem; }
    .note { border-left: 4px solid var(--line); background: var(--panel); border-radius: 4px; padding: .6rem .9rem; margin: 1rem 0; }
    .note.warn { border-color: var(--warn); }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: .8rem; margin: 1.2rem 0; }
    .tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; }
    .tile b { display: block; font-size: 1.25rem; line-height: 1.3; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
    .tile span { color: var(--faint); font-size: .88rem; }
    .good { color: var(--good); } .bad, .tile.bad b { color: var(--bad); }
    .legend { display: flex; flex-wrap: wrap; gap: 1.2rem; font-size: .88rem; margin-bottom: 0; }
    .key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem; vertical-align: -1px; }
    .key.requests, .key.one { background: var(--accent); } .key.errors { background: var(--bad); } .key.two { background: var(--warn); }
    .chart { position: relative; height: 240px; margin: 1.6rem 1.6rem 2.4rem 4.6rem; }
    .chart svg { position: absolute; inset: 0; width: 100%; height: 100%; border-bottom: 1px solid var(--faint); overflow: visible; }
    .chart span { position: absolute; font-size: .78rem; color: var(--faint); white-space: nowrap; font-variant-numeric: tabular-nums; }
    .chart .y { right: 100%; margin-right: .5rem; transform: translateY(50%); }
    .chart .x { top: 100%; margin-top: .35rem; transform: translateX(-50%); }
    .chart .mark { bottom: 100%; }
    .grid { stroke: var(--line); fill: none; vector-effect: non-scaling-stroke; }
    .edge { stroke: var(--faint); stroke-dasharray: 4 4; fill: none; vector-effect: non-scaling-stroke; }
    .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; vector-effect: non-scaling-stroke; }
    .line.one { stroke: var(--accent); } .line.two { stroke: var(--warn); }
    rect.requests { fill: var(--accent); opacity: .75; } rect.errors { fill: var(--bad); } rect.point { fill: transparent; }
    .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 0 2rem; }
    h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
    .wrap { overflow-wrap: anywhere; }
    footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .85rem; }
    @media (max-width: 640px) {
      main { padding: 1rem .8rem 3rem; }
      .tiles { grid-template-columns: 1fr 1fr; }
      .chart { height: 190px; margin-left: 4rem; margin-right: 1rem; }
      .chart .x { font-size: .68rem; }
      th, td { padding: .35rem .4rem; }
    }

    """
}
