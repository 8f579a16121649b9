import HTML
import Indexes
import Primitives

/// The part of the audit's page about how large tables and their indexes are, and how often they are read.
struct AuditSizes {
  let catalog: Catalog
  let days: [UInt32: [DayUsage]]

  /// The largest; of the others there is the list of the indexes.
  private static let tablesMax = 40
  /// Of one table; a page stays readable.
  private static let indexesMax = 50
  /// Days of a line, at most.
  private static let daysMax = 90
  /// As a time.
  static let microsecondsShown = Int64(daysMax) * 86_400_000_000

  private struct Entry {
    let table: Table
    let indexes: [Index]
    var indexBytes: Int64 { indexes.reduce(0) { $0 + $1.sizeBytes } }
    var bytes: Int64 { table.sizeBytes + indexBytes }
  }

  private var entries: [Entry] {
    catalog.sortedTables.filter { !$0.isPartitioned }.map { table in
      Entry(
        table: table,
        indexes: catalog.indexes(of: table.oid).sorted { ($0.sizeBytes, $1.name) > ($1.sizeBytes, $0.name) })
    }.filter { !$0.indexes.isEmpty }.sorted { ($0.bytes, $1.table.name) > ($1.bytes, $0.table.name) }
  }

  var html: HTML {
    let entries = entries
    guard let most = entries.first?.bytes, most > 0 else { return "" }
    let shown = entries.prefix(Self.tablesMax)
    let rest = entries.dropFirst(Self.tablesMax)
    let restText: HTML =
      rest.isEmpty
      ? ""
      : """
      <p class="faint">And \(counted(rest.count, "smaller table")) with \(humanSize(bytes: rest.reduce(0) { $0 + $1.bytes })) in all.</p>
      """
    let what: HTML =
      days.isEmpty
      ? "Scans are those since the counters began."
      : "Scans by day are from the usage ledger, on all servers; the last \(Self.daysMax) days at most."
    return """
      <section id="sizes"><h2>Sizes and usage</h2>
      <p class="legend"><span><i class="key heap"></i>table</span> <span><i class="key index"></i>its indexes, one by one</span></p>
      <p class="faint">Open a table to see its indexes. \(what)</p>
      \(HTML(shown.map { bar($0, most) }))
      \(restText)
      </section>
      """
  }

  private func bar(_ entry: Entry, _ most: Int64) -> HTML {
    func share(_ bytes: Int64) -> String { Self.percent(Double(bytes) / Double(most)) }
    let segments = entry.indexes.filter { $0.sizeBytes > 0 }.map { index in
      "<i class=\"index\" style=\"width:\(share(index.sizeBytes))%\" title=\"\(index.name.name) \(humanSize(bytes: index.sizeBytes))\"></i>"
        as HTML
    }
    return """
      <details class="size"><summary>
      <span class="name">\(entry.table.name)</span>
      <span class="bar"><i class="heap" style="width:\(share(entry.table.sizeBytes))%" title="table \(humanSize(bytes: entry.table.sizeBytes))"></i>\(HTML(segments))</span>
      <span class="number">\(humanSize(bytes: entry.table.sizeBytes)) <span class="faint">+ \(humanSize(bytes: entry.indexBytes))</span></span>
      </summary>\(list(entry))</details>
      """
  }

  private func list(_ entry: Entry) -> HTML {
    let most = entry.indexes.map(\.usage.scans).max() ?? 0
    let rows = entry.indexes.prefix(Self.indexesMax).map { index in
      """
      <tr><td class="wrap">\(index.name.name)</td><td class="number">\(humanSize(bytes: index.sizeBytes))</td>
      <td class="number">\(Self.grouped(index.usage.scans))</td><td class="usage">\(usage(index, most))</td></tr>
      """ as HTML
    }
    let more: HTML =
      entry.indexes.count > Self.indexesMax
      ? "<p class=\"faint\">and \(counted(entry.indexes.count - Self.indexesMax, "smaller one"))</p>" : ""
    return """
      <div class="scroll"><table><tr><th>index</th><th class="number">size</th><th class="number">scans</th>
      <th>\(days.isEmpty ? "share" : "by day")</th></tr>\(HTML(rows))</table></div>\(more)
      """
  }

  /// A line of days where the ledger has them, else the share of the most used of the table.
  private func usage(_ index: Index, _ most: Int64) -> HTML {
    if let days = days[index.oid]?.suffix(Self.daysMax), !days.isEmpty { return Self.sparkline(Array(days)) }
    guard index.usage.scans > 0 else { return "<span class=\"faint\">never read</span>" }
    guard days.isEmpty else { return "<span class=\"faint\">before the ledger began</span>" }
    let share = Self.percent(Double(index.usage.scans) / Double(most))
    return "<span class=\"bar\"><i class=\"index\" style=\"width:\(share)%\"></i></span>"
  }

  /// A bar a day, as high as its share of the busiest.
  private static func sparkline(_ days: [DayUsage]) -> HTML {
    let most = Double(max(1, days.map(\.scans).max() ?? 1))
    let bars = days.enumerated().map { place, day in
      let height = day.scans > 0 ? max(1, Double(day.scans) / most * 24) : 0
      return """
        <rect x="\(place * 4)" y="\(Self.tenths(24 - height))" width="3" height="\(Self.tenths(height))">\
        <title>\(day.day.description.prefix(10)): \(grouped(day.scans))</title></rect>
        """ as HTML
    }
    return """
      <svg viewBox="0 0 \(days.count * 4) 24" width="\(days.count * 4)" height="24" preserveAspectRatio="none" role="img" \
      aria-label="scans by day">\(HTML(bars))</svg>
      """
  }

  /// 0 to 100 with two places.
  private static func percent(_ share: Double) -> String {
    let hundredths = Int64((min(1, max(0, share)) * 10_000).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = Int64((min(1e6, max(0, value)) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// `12,345,678`.
  private static func grouped(_ number: Int64) -> String {
    var out = ""
    for (place, digit) in String(number).reversed().enumerated() {
      if place > 0, place.isMultiple(of: 3), digit != "-" { out.append(",") }
      out.append(digit)
    }
    return String(out.reversed())
  }
}

extension AuditPage {
  /// Beyond the frame's rules.
  static let style = """
    header .kicker { margin: 0; text-transform: uppercase; letter-spacing: .08em; font-size: .8rem; }
    h1 { overflow-wrap: anywhere; }
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: .6rem 1.5rem; margin: 1rem 0; }
    .facts dt { color: var(--faint); font-size: .85rem; }
    .facts dd { margin: 0; overflow-wrap: anywhere; }
    .note { border-left: 4px solid var(--line); background: var(--panel); border-radius: 4px; padding: .6rem .9rem; margin: 1rem 0; }
    .note.warn { border-color: var(--warn); }
    .note ul { margin: .3rem 0 0; padding-left: 1.2rem; }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: .8rem; margin: 1.2rem 0; }
    .tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; }
    .tile b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
    .tile span { color: var(--faint); font-size: .88rem; }
    .tile.good b { color: var(--good); }
    nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1rem 0; }
    .chip { display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: .05rem .65rem; font-size: .85rem;
      color: var(--faint); text-decoration: none; white-space: nowrap; }
    .chip.drop { color: var(--bad); } .chip.rebuild, .chip.review { color: var(--warn); }
    .chip.create, .chip.analyze { color: var(--accent); } .chip.keep { color: var(--good); }
    article { border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 6px; padding: .7rem 1rem; margin: .7rem 0; }
    article.drop { border-left-color: var(--bad); } article.rebuild, article.review { border-left-color: var(--warn); }
    article.create, article.analyze { border-left-color: var(--accent); } article.keep { border-left-color: var(--good); }
    h3 { font-size: 1.02rem; margin: 0; overflow-wrap: anywhere; }
    h3 small { font-weight: 400; font-size: .85rem; }
    .meta { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center; margin: .3rem 0; font-size: .9rem; }
    article ul { margin: .4rem 0; padding-left: 1.2rem; }
    article li { overflow-wrap: anywhere; }
    article pre { margin: .4rem 0; }
    .caption { margin: .5rem 0 0; font-size: .85rem; }
    summary { cursor: pointer; }
    article summary { color: var(--faint); font-size: .9rem; }
    .evidence { width: auto; }
    .evidence th { font-weight: 400; white-space: nowrap; }
    .evidence td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    .legend { display: flex; gap: 1.2rem; font-size: .88rem; }
    .key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem; vertical-align: -1px; }
    .heap { background: var(--faint); } .index { background: var(--accent); }
    .size { border-bottom: 1px solid var(--line); }
    .size > summary { display: grid; grid-template-columns: minmax(160px, 1.1fr) 3fr 150px; gap: .8rem; align-items: center;
      padding: .35rem 0; list-style-position: inside; }
    .size > summary::-webkit-details-marker { display: none; }
    .size .name { overflow-wrap: anywhere; }
    .size .name::before { content: "▸ "; color: var(--faint); }
    .size[open] .name::before { content: "▾ "; }
    .size > .scroll { padding: 0 0 .8rem 1.2rem; }
    .bar { display: flex; height: 14px; gap: 1px; background: none; }
    .bar i { display: block; height: 100%; min-width: 1px; flex: 0 1 auto; }
    .bar i:first-child { border-radius: 2px 0 0 2px; } .bar i:last-child { border-radius: 0 2px 2px 0; }
    .size th.number, .size td.number { width: 110px; }
    .usage { min-width: 120px; width: 40%; }
    .usage .bar { height: 10px; margin-top: .4rem; }
    svg { display: block; max-width: 100%; }
    rect { fill: var(--accent); }
    .wrap { overflow-wrap: anywhere; min-width: 120px; }
    footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .85rem; }
    @media (max-width: 640px) {
      main { padding: 1rem .8rem 3rem; }
      .size > summary { grid-template-columns: 1fr auto; }
      .size .bar { grid-column: 1 / -1; order: 3; }
      .size td .bar { order: 0; }
      .tiles { grid-template-columns: 1fr 1fr; }
      .tile b { font-size: 1.3rem; }
      .size > .scroll { padding-left: 0; }
      .size th.number, .size td.number { width: auto; }
      .usage { min-width: 56px; width: 56px; font-size: .8rem; }
      th, td { padding: .35rem .4rem; }
    }

    """
}
