internal import Primitives
internal import Wallet

/// One row of a batch file as a request, with the wallets still as they were named.
struct BatchRow {
  /// The line on which it begins, from 1.
  let line: Int
  /// The key that stands in the row, or the one made of the file and the line.
  let key: String
  /// Whether the key stands in the row.
  let hasOwnKey: Bool
  /// Why the row is no request at all; the rest counts for nothing then.
  let fault: String?
  let kind: TransferKind
  /// The wallets as they are written; empty where there is none.
  let from: String
  let to: String
  let amount: String
  let currency: String
  let ref: String?
  let lifetime: Duration?
  let memo: String?

  /// Whether its wallets are to be looked up.
  var namesWallets: Bool { fault == nil && !kind.isSequel }

  /// - Parameter makeKey: the key of a row that has none, by its line.
  init(_ block: RowBlock, _ row: Int, makeKey: (Int) -> String) {
    line = block.lines[row]
    let fault = block.faults[row] ?? Self.fault(block, row)
    self.fault = fault
    let ownKey = block.text(row, .key)
    hasOwnKey = !ownKey.isEmpty
    // A malformed key is shown as it is, as far as it can be.
    key = hasOwnKey ? String(decoding: ownKey, as: UTF8.self) : makeKey(line)
    kind = Self.kind(block.text(row, .kind)) ?? .transfer
    from = block.string(row, .from)
    to = block.string(row, .to)
    amount = block.string(row, .amount)
    currency = block.string(row, .currency)
    ref = Self.optional(block, row, .ref)
    lifetime = Self.optional(block, row, .expires).flatMap { Duration(text: $0) }
    memo = Self.optional(block, row, .memo)
  }

  private static func optional(_ block: RowBlock, _ row: Int, _ column: BatchColumn) -> String? {
    block.text(row, column).isEmpty ? nil : block.string(row, column)
  }

  private static func kind(_ text: ArraySlice<UInt8>) -> TransferKind? {
    text.isEmpty ? .transfer : TransferKind(rawValue: String(decoding: text, as: UTF8.self))
  }

  /// What makes a row malformed, in words that are the same in every run; nil where nothing does.
  private static func fault(_ block: RowBlock, _ row: Int) -> String? {
    let key = block.text(row, .key)
    if key.count > 200 || key.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      return "key must be at most 200 bytes without control characters"
    }
    if block.text(row, .memo).count > 1000 { return "memo must be at most 1000 bytes" }
    guard let kind = kind(block.text(row, .kind)) else {
      return "kind must be one of \(TransferKind.allCases.map(\.rawValue).joined(separator: ", "))"
    }
    return kind.isSequel ? sequelFault(block, row, kind) : paymentFault(block, row, kind)
  }

  private static func paymentFault(_ block: RowBlock, _ row: Int, _ kind: TransferKind) -> String? {
    if !block.text(row, .ref).isEmpty { return "a \(kind.rawValue) takes no ref" }
    guard let text = optional(block, row, .expires) else { return nil }
    if kind != .hold { return "only a hold expires" }
    guard let lifetime = Duration(text: text), lifetime > .zero else {
      return "expires must be a length of time such as 15m or 7d"
    }
    return nil
  }

  private static func sequelFault(_ block: RowBlock, _ row: Int, _ kind: TransferKind) -> String? {
    if block.text(row, .ref).isEmpty { return "a \(kind.rawValue) needs the ref of a transfer" }
    for column in [BatchColumn.from, .to, .currency, .expires] where !block.text(row, column).isEmpty {
      return column == .expires
        ? "only a hold expires" : "a \(kind.rawValue) takes its \(column.name) from the ref"
    }
    return kind == .void && !block.text(row, .amount).isEmpty ? "a void has no amount" : nil
  }

  /// The request, with its wallets looked up.
  func request(_ wallet: (String) -> Identifier?) -> TransferRequest {
    if kind.isSequel {
      return TransferRequest(
        key: key, kind: kind, amount: amount.isEmpty ? nil : amount, ref: ref, memo: memo)
    }
    return TransferRequest(
      key: key, kind: kind, from: wallet(from), to: wallet(to), amount: amount, currency: currency,
      lifetime: lifetime, memo: memo)
  }
}
