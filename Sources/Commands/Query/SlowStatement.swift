import Plans
import Primitives
import Workload

/// A statement and what it costs, as it is printed.
struct SlowStatement: TableRow {
  static let tableHeader: [TableColumn] = [
    .number("total"), .number("share"), .number("calls"), .number("mean"), .number("rows"), .number("hits"),
    .number("io"), "query",
  ]
  static let csvHeader = [
    "query_id", "calls", "total_ms", "share", "mean_ms", "max_ms", "stddev_ms", "rows", "hit_rate", "read_ms",
    "write_ms", "shared_blocks_hit", "shared_blocks_read", "shared_blocks_dirtied", "shared_blocks_written",
    "temp_blocks_read", "temp_blocks_written", "wal_bytes", "users", "query",
  ]
  let statistics: StatementStatistics
  let report: StatementReport
  /// Columns of text that are left for the statement.
  var textWidth = 40

  /// How many of 100 columns of text are left beside `cells`, which all rows have; never too few to recognise anything.
  static func room(beside cells: [[String]], _ header: [TableColumn]) -> Int {
    let widths = header.enumerated().map { index, column in
      cells.reduce(displayWidth(column.title)) { max($0, displayWidth($1[index])) } + 2
    }
    return max(24, 100 - widths.reduce(0, +))
  }

  /// Rows with as much of each statement as fits.
  static func fitted(_ rows: [SlowStatement]) -> [SlowStatement] {
    let room = room(beside: rows.map { $0.tableRow.dropLast() }, tableHeader.dropLast())
    return rows.map { row in
      var row = row
      row.textWidth = room
      return row
    }
  }

  /// The first cells of this table and of the one with plans.
  var costs: [String] {
    [
      humanMilliseconds(statistics.totalMilliseconds), percent(report.share(of: statistics)),
      "\(statistics.calls)", humanMilliseconds(statistics.meanMilliseconds),
    ]
  }

  var tableRow: [String] {
    let hits = statistics.hitRate.map(percent) ?? ""
    return costs + ["\(statistics.rows)", hits, inputOutput, shortened(statistics.text, to: textWidth)]
  }

  /// The time where it is measured, and otherwise the size. A block is of 8 KiB unless the server was built otherwise.
  private var inputOutput: String {
    if report.isInputOutputTimed {
      return humanMilliseconds(statistics.readMilliseconds + statistics.writeMilliseconds)
    }
    let blocks = [
      statistics.blocks.sharedRead, statistics.blocks.sharedWritten, statistics.blocks.tempRead,
      statistics.blocks.tempWritten,
    ]
    let bytes = blocks.reduce(0.0) { $0 + Double($1) * 8192 }
    return humanSize(bytes: Int64(min(bytes, 9e18)))
  }

  private func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10)%"
  }

  var json: JSON {
    let blocks = statistics.blocks
    return [
      "query_id": .string("\(statistics.id)"), "calls": .integer(statistics.calls),
      "total_ms": .number(statistics.totalMilliseconds), "share": .number(report.share(of: statistics)),
      "mean_ms": .number(statistics.meanMilliseconds), "max_ms": .number(statistics.maxMilliseconds),
      "stddev_ms": .number(statistics.deviationMilliseconds), "rows": .integer(statistics.rows),
      "hit_rate": statistics.hitRate.map(JSON.number) ?? .null,
      "read_ms": .number(statistics.readMilliseconds), "write_ms": .number(statistics.writeMilliseconds),
      "shared_blocks_hit": .integer(blocks.sharedHit), "shared_blocks_read": .integer(blocks.sharedRead),
      "shared_blocks_dirtied": .integer(blocks.sharedDirtied),
      "shared_blocks_written": .integer(blocks.sharedWritten),
      "temp_blocks_read": .integer(blocks.tempRead), "temp_blocks_written": .integer(blocks.tempWritten),
      "wal_bytes": .integer(statistics.walBytes), "users": .array(statistics.users.map(JSON.string)),
      "since": .time(report.since), "query": .string(statistics.text),
    ]
  }
}

/// A slow statement and its plan, as it is printed.
struct PlannedStatement: TableRow {
  static let tableHeader: [TableColumn] = [
    .number("total"), .number("share"), .number("calls"), .number("mean"), "query", "plan",
  ]

  /// Rows with as much of each statement and its plan as fits.
  static func fitted(_ rows: [SlowStatement]) -> [SlowStatement] {
    let room = SlowStatement.room(beside: rows.map(\.costs), tableHeader.dropLast(2))
    return rows.map { row in
      var row = row
      row.textWidth = room
      return row
    }
  }

  static let csvHeader = SlowStatement.csvHeader + ["plan_cost", "plan_summary", "plan_error"]
  let row: SlowStatement
  let plan: Result<Plan, PlanFailure>

  var tableRow: [String] {
    let summary: String
    switch plan {
    case .success(let plan): summary = plan.root.summary
    case .failure(let failure): summary = "none: \(failure.message)"
    }
    let query = shortened(row.statistics.text, to: row.textWidth * 2 / 5)
    return row.costs + [query, shortened(summary, to: row.textWidth - row.textWidth * 2 / 5 - 2)]
  }

  var json: JSON {
    guard case .object(let members) = row.json else { return row.json }
    let more: [(key: String, value: JSON)]
    switch plan {
    case .success(let plan):
      more = [
        ("plan_cost", .number(plan.root.totalCost)), ("plan_summary", .string(plan.root.summary)),
        ("plan_error", .null),
      ]
    case .failure(let failure):
      more = [("plan_cost", .null), ("plan_summary", .null), ("plan_error", .string(failure.message))]
    }
    return .object(members + more)
  }
}

extension PlanNode {
  /// The node, and below it always the dearest child: where the cost comes from, in one line.
  fileprivate var summary: String {
    var names: [String] = []
    var node: PlanNode? = self
    while let current = node {
      names.append(current.shortName)
      node = current.children.max { $0.totalCost < $1.totalCost }
    }
    return names.joined(separator: " > ")
  }

  private var shortName: String { [type, index ?? relation].compactMap(\.self).joined(separator: " ") }
}

/// Text on one line without repeated blanks, cut to `width` columns.
func shortened(_ text: String, to width: Int) -> String {
  var line = ""
  for word in text.split(whereSeparator: \.isWhitespace) {
    line += line.isEmpty ? String(word) : " \(word)"
    // Nobody sees the rest of a text of megabytes.
    if line.unicodeScalars.count > width * 2 { break }
  }
  guard displayWidth(line) > width else { return line }
  while displayWidth(line) > width - 1 { line.removeLast() }
  return line + "…"
}
