import Advice
import Indexes
import Primitives

/// What `index advise` prints (SPEC section 9).
struct AdviceView: Renderable {
  let advice: Advice

  var json: JSON {
    [
      "indexes": .array(
        advice.indexes.map { index in
          [
            "ddl": .string(index.ddl), "table": .string(index.table.description),
            "columns": .array(index.columns.map(JSON.string)),
            "include": .array(index.included.map(JSON.string)), "where": .optional(index.predicate),
            "size_bytes": .integer(index.sizeBytes), "cost_saved": .number(index.costSaved),
            "queries": .array(index.queries.map(JSON.string)), "reason": .string(index.reason),
          ]
        }),
      "queries": .array(
        advice.queries.map { query in
          [
            "id": .string(query.id), "cost_before": .number(query.costBefore),
            "cost_after": .number(query.costAfter), "calls": .integer(query.calls),
            "total_ms": query.milliseconds.map { .number($0) } ?? .null,
            "line": query.line.map { .integer(Int64($0)) } ?? .null, "query": .string(query.text),
          ]
        }),
      "unexplained": .array(
        advice.unexplained.map { statement in
          [
            "query": .string(statement.query), "reason": .string(statement.reason),
            "id": .string(statement.id),
          ]
        }),
      "size_bytes": .integer(size), "mean_cost_ratio": .number(advice.meanRatio),
      "plans": .integer(Int64(advice.plans)), "cut_short": .bool(advice.isCutShort),
    ]
  }

  private var size: Int64 {
    advice.indexes.reduce(0) { sum, index in
      let (total, overflow) = sum.addingReportingOverflow(index.sizeBytes)
      return overflow ? .max : total
    }
  }

  var text: String {
    var parts: [String] = []
    if advice.indexes.isEmpty {
      parts.append("No index would help these statements enough to be worth its upkeep.")
    } else {
      parts.append(table(Self.header, advice.indexes.map(Self.row)))
      // Of a partitioned table it is several statements, a line each.
      let lines = advice.indexes.flatMap { $0.ddl.split(separator: "\n") }
      parts.append(lines.map { terminalSafe(String($0)) }.joined(separator: "\n"))
    }
    let faster = advice.queries.filter { $0.costAfter < 0.9 * $0.costBefore }
      .sorted { $0.costAfter / $0.costBefore < $1.costAfter / $1.costBefore }
    if !faster.isEmpty {
      parts.append(
        table(
          ["statement", .number("calls"), .number("cost_before"), .number("cost_after"), "query"],
          faster.prefix(20).map { query in
            [
              query.id, "\(query.calls)", Self.rounded(query.costBefore), Self.rounded(query.costAfter),
              Self.shortened(query.text, to: 48),
            ]
          }))
    }
    if !advice.queries.isEmpty, !advice.indexes.isEmpty {
      let verb = faster.count == 1 ? "costs" : "cost"
      parts.append(
        "\(counted(advice.indexes.count, "index", "indexes")), \(humanSize(bytes: size));"
          + " \(faster.count) of \(counted(advice.queries.count, "statement")) \(verb) less,"
          + " in the geometric mean of all \(Self.percent(advice.meanRatio)) of before.")
    }
    if !advice.unexplained.isEmpty {
      let lines = advice.unexplained.map { statement in
        "  \(statement.id): \(terminalSafe(Self.shortened(statement.query, to: 40))): \(terminalSafe(statement.reason))"
      }
      parts.append((["Not taken into account:"] + lines).joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n")
  }

  private static let header: [TableColumn] = [
    "table", "keys", "include", .number("size"), .number("cost_saved"), "for_statement",
  ]

  private static func row(_ index: AdvisedIndex) -> [String] {
    [
      index.table.name,
      index.columns.joined(separator: ", ") + (index.predicate.map { " where \($0)" } ?? ""),
      index.included.joined(separator: ", "), humanSize(bytes: index.sizeBytes), rounded(index.costSaved),
      index.queries.count > 8
        ? "\(index.queries.count) of them" : index.queries.joined(separator: " "),
    ]
  }

  /// On one line, cut.
  static func shortened(_ text: String, to length: Int) -> String {
    let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count <= length ? line : String(line.prefix(length - 1)) + "…"
  }

  private static func rounded(_ value: Double) -> String {
    value.magnitude >= 100 ? "\(Int64(exactly: value.rounded()) ?? .max)" : "\((value * 10).rounded() / 10)"
  }

  private static func percent(_ ratio: Double) -> String { "\((ratio * 1000).rounded() / 10) %" }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["ddl", "table", "columns", "include", "where", "size_bytes", "cost_saved", "queries"],
      advice.indexes.map { index in
        [
          index.ddl, index.table.description, index.columns.joined(separator: " "),
          index.included.joined(separator: " "), index.predicate ?? "", "\(index.sizeBytes)",
          "\(index.costSaved)", index.queries.joined(separator: " "),
        ]
      }
    )
  }
}
