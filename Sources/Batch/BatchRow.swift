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
  let from: NamedWallet
  let to: NamedWallet
  let amount: String
  let currency: String
  let ref: String?
  let expires: String
  let lifetime: Duration?
  let memo: String?

  /// A wallet as it is named in a row.
  struct NamedWallet {
    let text: String
    /// Where the text is an id; any other is to be looked up.
    let id: Identifier?

    init(_ bytes: ArraySlice<UInt8>) {
      text = String(decoding: bytes, as: UTF8.self)
      id = Identifier(utf8: bytes)
    }
  }

  /// Whether its wallets are to be looked up.
  var namesWallets: Bool { fault == nil && !kind.isSequel }

  /// The key as the outcome shows it: a row that cannot be read has none.
  var shownKey: String { hasOwnKey || fault == nil ? key : "" }

  /// - Parameter makeKey: the key of a row that has none, by its line.
  init(_ text: RowText, makeKey: (Int) -> String) {
    line = text.line
    fault = text.fault ?? Self.fault(text)
    let ownKey = text[.key]
    hasOwnKey = !ownKey.isEmpty
    // A malformed key is shown as it is, as far as it can be.
    key = hasOwnKey ? String(decoding: ownKey, as: UTF8.self) : makeKey(line)
    kind = Self.kind(text[.kind]) ?? .transfer
    from = NamedWallet(text[.from])
    to = NamedWallet(text[.to])
    amount = text.string(.amount)
    currency = text.string(.currency)
    ref = Self.optional(text, .ref)
    expires = text.string(.expires)
    lifetime = expires.isEmpty ? nil : Duration(text: expires)
    memo = Self.optional(text, .memo)
  }

  private static func optional(_ text: RowText, _ column: BatchColumn) -> String? {
    text[column].isEmpty ? nil : text.string(column)
  }

  private static func kind(_ word: ArraySlice<UInt8>) -> TransferKind? {
    word.isEmpty ? .transfer : TransferKind(rawValue: String(decoding: word, as: UTF8.self))
  }

  /// What makes a row malformed, in words that are the same in every run; nil where nothing does.
  private static func fault(_ text: RowText) -> String? {
    let key = text[.key]
    if key.count > 200 || key.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      return "key must be at most 200 bytes without control characters"
    }
    if text[.memo].count > 1000 { return "memo must be at most 1000 bytes" }
    guard let kind = kind(text[.kind]) else {
      return "kind must be one of \(TransferKind.allCases.map(\.rawValue).joined(separator: ", "))"
    }
    return kind.isSequel ? sequelFault(text, kind) : paymentFault(text, kind)
  }

  private static func paymentFault(_ text: RowText, _ kind: TransferKind) -> String? {
    if !text[.ref].isEmpty { return "a \(kind.rawValue) takes no ref" }
    guard let expires = optional(text, .expires) else { return nil }
    if kind != .hold { return "only a hold expires" }
    guard let lifetime = Duration(text: expires), lifetime > .zero else {
      return "expires must be a length of time such as 15m or 7d"
    }
    return nil
  }

  private static func sequelFault(_ text: RowText, _ kind: TransferKind) -> String? {
    if text[.ref].isEmpty { return "a \(kind.rawValue) needs the ref of a transfer" }
    for column in [BatchColumn.from, .to, .currency, .expires] where !text[column].isEmpty {
      return column == .expires
        ? "only a hold expires" : "a \(kind.rawValue) takes its \(column.name) from the ref"
    }
    return kind == .void && !text[.amount].isEmpty ? "a void has no amount" : nil
  }

  /// The request, with its wallets looked up.
  func request(_ find: (String) -> Identifier?) -> TransferRequest {
    if kind.isSequel {
      return TransferRequest(
        key: key, kind: kind, amount: amount.isEmpty ? nil : amount, ref: ref, memo: memo)
    }
    return TransferRequest(
      key: key, kind: kind, from: from.id ?? find(from.text), to: to.id ?? find(to.text), amount: amount,
      currency: currency, lifetime: lifetime, memo: memo)
  }
}
