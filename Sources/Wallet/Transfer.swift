public import Primitives

/// What a transfer is.
public enum TransferKind: String, Sendable, CaseIterable {
  case transfer
}

/// Where a transfer stands.
public enum TransferStatus: String, Sendable, CaseIterable {
  case posted
  /// An open hold.
  case pending
  case voided
  case expired
  /// A refusal, recorded so that its key never gets another answer.
  case refused
}

/// Where a ledger entry stands; only posted ones count in a balance.
public enum EntryStatus: String, Sendable, CaseIterable {
  case posted
  case pending
  case voided
}

/// A request to move money, with its wallets looked up. Nothing about it is checked yet.
public struct TransferRequest: Sendable, Equatable {
  public var key: String
  /// Nil where no wallet has the name that was given.
  public var from: Identifier?
  /// Nil where no wallet has the name that was given.
  public var to: Identifier?
  /// As it was written.
  public var amount: String
  public var currency: String
  public var memo: String?

  public init(
    key: String, from: Identifier?, to: Identifier?, amount: String, currency: String, memo: String? = nil
  ) {
    self.key = key
    self.from = from
    self.to = to
    self.amount = amount
    self.currency = currency
    self.memo = memo
  }
}

/// A transfer as it is stored: money that moved, or a recorded refusal.
public struct Transfer: Sendable, Equatable {
  public var id: Identifier
  public var key: String
  public var from: Identifier
  public var to: Identifier
  public var currency: String
  /// Minor units.
  public var amount: Int128
  public var kind: TransferKind
  public var status: TransferStatus
  /// Why it was refused; nil otherwise.
  public var refusal: ResultCode?
  public var memo: String?
  /// The source's balance just after, in minor units; nil unless posted.
  public var fromBalanceAfter: Int128?
  /// The destination's balance just after, in minor units; nil unless posted.
  public var toBalanceAfter: Int128?

  public init(
    id: Identifier, key: String, from: Identifier, to: Identifier, currency: String, amount: Int128,
    kind: TransferKind, status: TransferStatus, refusal: ResultCode? = nil, memo: String? = nil,
    fromBalanceAfter: Int128? = nil, toBalanceAfter: Int128? = nil
  ) {
    self.id = id
    self.key = key
    self.from = from
    self.to = to
    self.currency = currency
    self.amount = amount
    self.kind = kind
    self.status = status
    self.refusal = refusal
    self.memo = memo
    self.fromBalanceAfter = fromBalanceAfter
    self.toBalanceAfter = toBalanceAfter
  }

  /// The time in its id: a list in order of ids is a list in order of `(created_at, id)`.
  public var createdAt: Timestamp { id.timestamp }
}

/// One line of the ledger. What left a wallet is negative.
public struct Entry: Sendable, Equatable {
  public let id: Identifier
  public let transferID: Identifier
  public let asset: AssetKey
  public let amount: Int128
  public let balanceAfter: Int128
  public let version: Int64

  public init(
    id: Identifier, transferID: Identifier, asset: AssetKey, amount: Int128, balanceAfter: Int128,
    version: Int64
  ) {
    self.id = id
    self.transferID = transferID
    self.asset = asset
    self.amount = amount
    self.balanceAfter = balanceAfter
    self.version = version
  }
}

/// The identifiers of a transfer's two entries are made from its own, so that they are found by primary key
/// and the ledger needs no index on `transfer_id`.
extension Identifier {
  /// The transfer identifier that `self` stands for: the same, with its two last bits clear.
  public var asTransferID: Identifier { Identifier(high: high, low: low & ~3) }
  /// The entry that takes from the source.
  public var debitID: Identifier { Identifier(high: high, low: low & ~3 | 1) }
  /// The entry that gives to the destination.
  public var creditID: Identifier { Identifier(high: high, low: low & ~3 | 2) }
}

/// What became of one request.
public struct TransferOutcome: Sendable, Equatable {
  /// What the request came to; a replayed refusal has the code of the first answer.
  public var code: ResultCode
  /// Whether this is the answer to an earlier request with the same key.
  public var replayed: Bool
  /// What is stored under the key; nil for a refusal that is not recorded.
  public var transfer: Transfer?
  /// The scale of the request's currency; nil when there is no such currency.
  public var scale: Int?
  /// What the source could have spent, in minor units; only with a fresh `insufficient_funds`.
  public var available: Int128?

  public init(code: ResultCode, replayed: Bool = false, transfer: Transfer? = nil) {
    self.code = code
    self.replayed = replayed
    self.transfer = transfer
  }
}
