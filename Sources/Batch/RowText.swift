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

/// One row as it stands in the file. The memory of one serves all rows: reading a row allocates nothing.
struct RowText {
  /// The line on which it begins, from 1.
  private(set) var line = 0
  /// Why it cannot be read at all; it has no columns then.
  private(set) var fault: String?
  /// The texts of the columns one behind the other, in the order of `BatchColumn`.
  private var bytes: [UInt8] = []
  /// Where each column ends in `bytes`.
  private var ends = [Int](repeating: 0, count: BatchColumn.allCases.count)

  /// How much text there is, in bytes.
  var byteCount: Int { bytes.count }

  /// The text of a column; empty where the row has none. It is UTF-8.
  subscript(_ column: BatchColumn) -> ArraySlice<UInt8> {
    bytes[(column.rawValue == 0 ? 0 : ends[column.rawValue - 1])..<ends[column.rawValue]]
  }

  /// The text of a column as a string.
  func string(_ column: BatchColumn) -> String { String(decoding: self[column], as: UTF8.self) }

  /// Becomes another row; `text` is asked for each column.
  mutating func set(line: Int, text: (BatchColumn) -> ArraySlice<UInt8>?) {
    self.line = line
    fault = nil
    bytes.removeAll(keepingCapacity: true)
    for column in BatchColumn.allCases {
      if let text = text(column) { bytes.append(contentsOf: text) }
      ends[column.rawValue] = bytes.count
    }
    let isASCII = bytes.reduce(0 as UInt8, |) < 0x80
    if isASCII { return }
    for column in BatchColumn.allCases where String(validating: self[column], as: UTF8.self) == nil {
      return set(line: line, fault: "\(column.name) is not valid UTF-8")
    }
  }

  /// Becomes a row that cannot be read.
  mutating func set(line: Int, fault: String) {
    self.line = line
    self.fault = fault
    bytes.removeAll(keepingCapacity: true)
    for index in ends.indices { ends[index] = 0 }
  }
}
