internal import Primitives
public import Wallet

/// What became of a row: the contract's codes, and one for rows that are no requests.
public enum BatchCode: Hashable, Sendable {
  case result(ResultCode)
  /// The row cannot be read as a request. Its message says why.
  case malformed

  /// As it is printed.
  public var name: String {
    switch self {
    case .result(let code): code.rawValue
    case .malformed: "row_malformed"
    }
  }

  /// Whether the row did what it asks for, now or earlier.
  public var isSuccess: Bool {
    switch self {
    case .result(let code): code.isSuccess
    case .malformed: false
    }
  }

  /// Whether the same row may succeed later under a new key.
  var isWorthRetrying: Bool {
    guard case .result(let code) = self else { return false }
    switch code {
    case .insufficientFunds, .sourceFrozen, .destinationFrozen, .sourceNotFound, .destinationNotFound,
      .currencyNotFound, .transferNotPosted, .transferNotFound, .holdNotFound, .batchAborted:
      return true
    default: return false
    }
  }
}

/// What became of one row, as it is told.
struct RowResult {
  var code: BatchCode
  /// What is stored of the row.
  var transferID: Identifier?
  /// Whether that was stored before the transaction that this run does, or rehearses, as a whole.
  var isOlder = false
  /// Why the row is malformed.
  var fault: String?

  /// The same words in every run; empty for a success.
  var message: String { fault ?? (code.isSuccess ? "" : Self.sentence(code)) }

  private static func sentence(_ code: BatchCode) -> String {
    guard case .result(let code) = code else { return "" }
    return code.sentence
  }
}

/// How many rows came to what.
public struct BatchTally: Sendable {
  public private(set) var rows = 0
  public private(set) var created = 0
  public private(set) var exists = 0
  /// Rows by their code, with the successes.
  public private(set) var byCode: [BatchCode: Int] = [:]
  /// The first rows that were refused.
  public private(set) var firstRefused: [RefusedRow] = []

  /// How many refused rows are kept.
  public static let refusedMax = 20

  /// Rows that were refused, malformed ones among them.
  public var rejected: Int { rows - created - exists }

  /// A row that was refused.
  public struct RefusedRow: Sendable {
    public let line: Int
    public let key: String
    public let code: BatchCode
    public let message: String
  }

  mutating func add(_ row: BatchRow, _ result: RowResult) {
    rows += 1
    byCode[result.code, default: 0] += 1
    if result.code == .result(.created) { created += 1 }
    if result.code == .result(.exists) { exists += 1 }
    if !result.code.isSuccess, firstRefused.count < Self.refusedMax {
      firstRefused.append(
        RefusedRow(line: row.line, key: row.shownKey, code: result.code, message: result.message))
    }
  }
}
