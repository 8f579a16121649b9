internal import Primitives

/// The columns of a batch file (docs/ledger.md). The raw value is the place in which a row keeps the column.
enum BatchColumn: Int, CaseIterable {
  case key, kind, from, to, amount, currency, ref, expires, memo

  /// As the header of a CSV file and the names of an NDJSON object say it.
  var name: String { "\(self)" }

  static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })

  /// For hints.
  static let names = allCases.map(\.name).joined(separator: ", ")
}

/// Rows as they stand in the file, one behind the other in a few arrays that are used again: a row costs no
/// allocation.
struct RowBlock {
  /// The texts of all rows, each with its columns in the order of `BatchColumn`.
  private var bytes: [UInt8] = []
  /// Where each column of each row ends in `bytes`.
  private var ends: [Int] = []
  /// The line on which each row begins, from 1.
  private(set) var lines: [Int] = []
  /// Why rows cannot be read at all, by index. Such a row has no columns.
  private(set) var faults: [Int: String] = [:]

  var count: Int { lines.count }
  var isEmpty: Bool { lines.isEmpty }
  /// How much text there is, in bytes.
  var byteCount: Int { bytes.count }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    lines.removeAll(keepingCapacity: true)
    if !faults.isEmpty { faults.removeAll() }
  }

  /// The text of a column; empty where the row has none.
  func text(_ row: Int, _ column: BatchColumn) -> ArraySlice<UInt8> {
    let index = row * BatchColumn.allCases.count + column.rawValue
    return bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }

  /// The text of a column, which is UTF-8.
  func string(_ row: Int, _ column: BatchColumn) -> String {
    String(decoding: text(row, column), as: UTF8.self)
  }

  /// Appends a row, column by column: `text` is asked for each in the order of `BatchColumn`.
  mutating func append(line: Int, text: (BatchColumn) -> ArraySlice<UInt8>?) {
    let start = bytes.count
    lines.append(line)
    for column in BatchColumn.allCases {
      if let text = text(column) { bytes.append(contentsOf: text) }
      ends.append(bytes.count)
    }
    let isASCII = bytes[start...].reduce(0 as UInt8, |) < 0x80
    if !isASCII { requireUTF8() }
  }

  /// Appends a row that cannot be read.
  mutating func append(line: Int, fault: String) {
    faults[lines.count] = fault
    lines.append(line)
    for _ in BatchColumn.allCases { ends.append(bytes.count) }
  }

  private mutating func requireUTF8() {
    let row = count - 1
    for column in BatchColumn.allCases where String(validating: text(row, column), as: UTF8.self) == nil {
      faults[row] = "\(column.name) is not valid UTF-8"
      return
    }
  }
}
