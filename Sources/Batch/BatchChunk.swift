internal import Primitives
internal import Wallet

/// Some rows that are carried out in one transaction.
struct BatchChunk {
  private(set) var rows: [BatchRow] = []
  /// The most text in a chunk, in bytes.
  static let byteCountMax = 8 << 20

  var isEmpty: Bool { rows.isEmpty }

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

  /// The indices of the rows that are requests.
  var requestRows: [Int] { rows.indices.filter { rows[$0].fault == nil } }

  /// The texts that name wallets.
  var walletTexts: Set<String> {
    var texts: Set<String> = []
    for row in rows where row.namesWallets {
      texts.insert(row.from)
      texts.insert(row.to)
    }
    return texts
  }
}
