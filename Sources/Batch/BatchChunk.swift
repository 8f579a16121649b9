internal import Primitives
internal import Wallet

/// Some rows that are carried out in one transaction.
struct BatchChunk {
  private(set) var rows: [BatchRow] = []
  /// The most text in a chunk, in bytes.
  static let byteCountMax = 8 << 20

  var isEmpty: Bool { rows.isEmpty }

  init(rows: [BatchRow]) { self.rows = rows }

  /// Reads rows until there are enough, or no more.
  init(from reader: inout any RowReader, rowsMax: Int, makeKey: (Int) -> String) throws {
    rows.reserveCapacity(rowsMax)
    var text = RowText()
    var byteCount = 0
    while rows.count < rowsMax, byteCount < Self.byteCountMax, try reader.next(into: &text) {
      rows.append(BatchRow(text, makeKey: makeKey))
      byteCount += text.byteCount
    }
  }
}
