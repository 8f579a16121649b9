import Primitives

/// One of the formats of `--output`: turns rows into bytes as they come, and whole things at once.
protocol RowEncoder: Sendable {
  /// Appends `value`, which is no list.
  func appendDocument(_ value: some Renderable, to out: inout [UInt8])
  /// Appends what can be printed once `row` is known.
  mutating func append(_ row: some TableRow, to out: inout [UInt8])
  /// Appends what was held back. A list without rows still has a header where the format has one.
  mutating func finish(to out: inout [UInt8])
}

/// An aligned table. The first rows are held back to learn how wide the columns are; later rows that are wider still
/// push their line out, so that a list of any length is printed in bounded memory.
struct TableEncoder: RowEncoder {
  /// Rows from which the widths are learnt.
  static let sampleSize = 1000

  private let header: [TableColumn]
  private let isBold: Bool
  private var held: [[String]] = []
  private var widths: [Int]?

  init(_ header: [TableColumn], isBold: Bool) {
    self.header = header
    self.isBold = isBold
  }

  func appendDocument(_ value: some Renderable, to out: inout [UInt8]) {
    let text = value.text
    // Nothing to say is no empty line, which cron would mail.
    if text.isEmpty { return }
    out += text.utf8
    out.append(UInt8(ascii: "\n"))
  }

  mutating func append(_ row: some TableRow, to out: inout [UInt8]) {
    append(cells: row.tableRow, to: &out)
  }

  mutating func append(cells: [String], to out: inout [UInt8]) {
    let cells = cells.map { terminalSafe($0) }
    if let widths {
      write(cells, widths, to: &out)
    } else {
      held.append(cells)
      if held.count == Self.sampleSize { release(to: &out) }
    }
  }

  mutating func finish(to out: inout [UInt8]) {
    if widths == nil { release(to: &out) }
  }

  private mutating func release(to out: inout [UInt8]) {
    let titles = header.map(\.title)
    let widths = header.indices.map { column in
      held.reduce(displayWidth(titles[column])) { max($0, column < $1.count ? displayWidth($1[column]) : 0) }
    }
    self.widths = widths
    if isBold { out += "\u{1B}[1m".utf8 }
    write(titles, widths, to: &out, isTitle: true)
    for row in held { write(row, widths, to: &out) }
    held = []
  }

  private func write(_ cells: [String], _ widths: [Int], to out: inout [UInt8], isTitle: Bool = false) {
    var line = ""
    for (index, cell) in cells.enumerated() where index < widths.count {
      if index > 0 { line += "  " }
      line += padded(cell, to: widths[index], isNumeric: header[index].isNumeric)
    }
    while line.last == " " { line.removeLast() }
    out += line.utf8
    if isTitle, isBold { out += "\u{1B}[0m".utf8 }
    out.append(UInt8(ascii: "\n"))
  }
}

/// One JSON object a line.
struct NDJSONEncoder: RowEncoder {
  func appendDocument(_ value: some Renderable, to out: inout [UInt8]) {
    value.json.write(to: &out)
    out.append(UInt8(ascii: "\n"))
  }

  mutating func append(_ row: some TableRow, to out: inout [UInt8]) {
    row.json.write(to: &out)
    out.append(UInt8(ascii: "\n"))
  }

  mutating func finish(to out: inout [UInt8]) {}
}

/// RFC 4180: a header, lines that end in CRLF, quotes where they are needed.
struct CSVEncoder: RowEncoder {
  private let header: [String]
  private var hasHeader = false

  init(_ header: [String]) {
    self.header = header
  }

  func appendDocument(_ value: some Renderable, to out: inout [UInt8]) {
    let (header, rows) = value.csv
    var encoder = CSVEncoder(header)
    for row in rows { encoder.append(cells: row, to: &out) }
    encoder.finish(to: &out)
  }

  mutating func append(_ row: some TableRow, to out: inout [UInt8]) {
    append(cells: row.csvRow, to: &out)
  }

  mutating func append(cells: [String], to out: inout [UInt8]) {
    finish(to: &out)
    write(cells, to: &out)
  }

  mutating func finish(to out: inout [UInt8]) {
    guard !hasHeader else { return }
    hasHeader = true
    write(header, to: &out)
  }

  private func write(_ cells: [String], to out: inout [UInt8]) {
    for (index, cell) in cells.enumerated() {
      if index > 0 { out.append(CSV.separator) }
      CSV.append(cell, to: &out)
    }
    out += CSV.lineEnd
  }
}

/// A table as text, for documents that hold one.
func table(_ header: [TableColumn], _ rows: [[String]]) -> String {
  var encoder = TableEncoder(header, isBold: false)
  var out: [UInt8] = []
  for row in rows { encoder.append(cells: row, to: &out) }
  encoder.finish(to: &out)
  return String(decoding: out.dropLast(), as: UTF8.self)
}
