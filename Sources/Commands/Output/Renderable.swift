import Primitives

/// One column of a table in text and CSV.
struct TableColumn: Sendable, ExpressibleByStringLiteral {
  /// The key of the JSON object, and the name in a CSV header; in text upper-case with blanks.
  let key: String
  /// Whether the values are numbers, which line up at their right end.
  let isNumeric: Bool

  init(stringLiteral key: String) {
    self.key = key
    isNumeric = false
  }

  private init(_ key: String, isNumeric: Bool) {
    self.key = key
    self.isNumeric = isNumeric
  }

  /// A column of numbers.
  static func number(_ key: String) -> TableColumn { TableColumn(key, isNumeric: true) }

  var title: String { key.uppercased().split(separator: "_").joined(separator: " ") }
}

/// What a command prints as a whole: one thing, or a document of several parts.
protocol Renderable: Sendable {
  /// The document for `--output json`.
  var json: JSON { get }
  /// A sentence or a table for people, without the last line break.
  var text: String { get }
  /// The rows for `--output csv`.
  var csv: (header: [String], rows: [[String]]) { get }
}

/// What a list prints, one row after the other. A row on its own prints as a list of names and values.
protocol TableRow: Renderable {
  static var tableHeader: [TableColumn] { get }
  /// The cells for people, as many as the header has: sizes and durations in human units.
  var tableRow: [String] { get }
  /// The keys of `json` that CSV shows; by default those of the table.
  static var csvHeader: [String] { get }
}

extension TableRow {
  static var csvHeader: [String] { tableHeader.map(\.key) }

  var text: String { textLines() }

  /// Names and values, one a line, without those in `optional` that are empty.
  func textLines(leavingOut optional: Set<String> = []) -> String {
    let width = Self.tableHeader.map { displayWidth($0.key) }.max() ?? 0
    let lines = zip(Self.tableHeader, tableRow).filter { !($1.isEmpty && optional.contains($0.key)) }
    return lines.map { padded($0.key, to: width) + "  " + terminalSafe($1) }.joined(separator: "\n")
  }

  var csv: (header: [String], rows: [[String]]) { (Self.csvHeader, [csvRow]) }

  /// The values of `json` under the keys of the header, as scripts want them.
  var csvRow: [String] { Self.csvHeader.map { json[$0]?.plainText ?? "" } }
}

extension JSON {
  /// The member of an object.
  subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// A scalar as CSV shows it: strings without quotes, null as nothing.
  var plainText: String {
    switch self {
    case .null: ""
    case .string(let text): text
    case .bool, .integer, .number, .decimal, .array, .object: description
    }
  }
}
