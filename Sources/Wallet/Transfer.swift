public import Primitives

/// What a request asks for, and what a stored transfer is.
public enum TransferKind: String, Sendable, CaseIterable {
  /// Moves money at once.
  case transfer
  /// Sets money aside for a transfer that is captured or voided later.
  case hold
  /// Posts a hold, whole or in part, and frees the rest.
  case capture
  /// Frees a hold.
  case void
  /// Moves money back: a transfer of its own, linked to the first.
  case reverse

  /// Whether it names another transfer, from which it takes its wallets and its currency.
  public var isSequel: Bool { self == .capture || self == .void || self == .reverse }
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
  public var kind: TransferKind
  /// Nil where no wallet has the name that was given, and where `ref` tells.
  public var from: Identifier?
  /// Nil where no wallet has the name that was given, and where `ref` tells.
  public var to: Identifier?
  /// As it was written. A capture or a reversal without one is of the whole amount; a void has none.
  public var amount: String?
  /// Empty where `ref` tells.
  public var currency: String
  /// The transfer that is captured, voided or reversed: its id, its key, or the key of its capture.
  public var ref: String?
  /// How long a hold can be captured; nil for ever.
  public var lifetime: Duration?
  public var memo: String?

  public init(
    key: String, kind: TransferKind = .transfer, from: Identifier? = nil, to: Identifier? = nil,
    amount: String? = nil, currency: String = "", ref: String? = nil, lifetime: Duration? = nil,
    memo: String? = nil
  ) {
    self.key = key
    self.kind = kind
    self.from = from
    self.to = to
    self.amount = amount
    self.currency = currency
    self.ref = ref
    self.lifetime = lifetime
    self.memo = memo
  }
}

/// A transfer as it is stored: money that moved or is set aside, or a recorded refusal.
public struct Transfer: Sendable, Equatable {
  public var id: Identifier
  public var key: String
  public var from: Identifier
  public var to: Identifier
  public var currency: String
  /// Minor units. Of a captured hold: what was captured.
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
  /// The transfer that this one reverses, or that a refused capture, void or reversal named.
  public var ref: Identifier?
  /// Of a hold only: what happens to it.
  public var hold: HoldTerms?

  public init(
    id: Identifier, key: String, from: Identifier, to: Identifier, currency: String, amount: Int128,
    kind: TransferKind, status: TransferStatus, refusal: ResultCode? = nil, memo: String? = nil,
    fromBalanceAfter: Int128? = nil, toBalanceAfter: Int128? = nil, ref: Identifier? = nil,
    hold: HoldTerms? = nil
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
    self.ref = ref
    self.hold = hold
  }

  /// The assets that it changes or would have changed.
  public var sides: [AssetKey] {
    [AssetKey(wallet: from, currency: currency), AssetKey(wallet: to, currency: currency)]
  }

  /// The time in its id: a list in order of ids is a list in order of `(created_at, id)`.
  public var createdAt: Timestamp { id.timestamp }
}

/// One posted line of the ledger. What left a wallet is negative.
public struct Entry: Sendable, Equatable {
  public let id: Identifier
  public let transferID: Identifier
  public let asset: AssetKey
  public let amount: Int128
  public let balanceAfter: Int128
  public let version: Int64
  /// When it was posted: the time of the transfer, or of the capture of a hold.
  public let createdAt: Timestamp

  public init(
    id: Identifier, transferID: Identifier, asset: AssetKey, amount: Int128, balanceAfter: Int128,
    version: Int64, createdAt: Timestamp
  ) {
    self.id = id
    self.transferID = transferID
    self.asset = asset
    self.amount = amount
    self.balanceAfter = balanceAfter
    self.version = version
    self.createdAt = createdAt
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
  /// What is stored under the key, or the hold that was captured or voided; nil for a refusal that is not recorded.
  public var transfer: Transfer?
  /// What resolved the hold `transfer` under the request's key; nil unless the request was a capture or a void that
  /// succeeded.
  public var resolution: HoldResolution?
  /// The scale of the request's currency; nil when it is not known.
  public var scale: Int?
  /// The most that would have been possible, in minor units; only with a fresh `insufficient_funds`,
  /// `exceeds_hold_amount` or `exceeds_reversible_amount`.
  public var available: Int128?

  public init(
    code: ResultCode, replayed: Bool = false, transfer: Transfer? = nil, resolution: HoldResolution? = nil
  ) {
    self.code = code
    self.replayed = replayed
    self.transfer = transfer
    self.resolution = resolution
  }
}
