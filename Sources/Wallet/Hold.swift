public import Primitives

/// What a hold has besides being a transfer.
public struct HoldTerms: Sendable, Equatable {
  /// What was set aside, in minor units; a capture may take less.
  public var amount: Int128
  /// From then on it cannot be captured; nil for never.
  public var expiresAt: Timestamp?
  /// When it was captured, voided or expired; nil as long as it is open.
  public var resolvedAt: Timestamp?

  public init(amount: Int128, expiresAt: Timestamp?, resolvedAt: Timestamp? = nil) {
    self.amount = amount
    self.expiresAt = expiresAt
    self.resolvedAt = resolvedAt
  }
}

/// A capture or a void that was carried out. Each hold has at most one.
public struct HoldResolution: Sendable, Equatable {
  /// The key of the request that did it.
  public let key: String
  /// `capture` or `void`.
  public let kind: TransferKind
  /// The hold.
  public let holdID: Identifier
  /// What was captured, in minor units; nil for a void.
  public let amount: Int128?
  public let memo: String?
  public let createdAt: Timestamp

  public init(
    key: String, kind: TransferKind, holdID: Identifier, amount: Int128?, memo: String?, createdAt: Timestamp
  ) {
    self.key = key
    self.kind = kind
    self.holdID = holdID
    self.amount = amount
    self.memo = memo
    self.createdAt = createdAt
  }
}

/// The end of a hold, as a fold decided it and as it is to be written.
public struct ResolvedHold: Sendable, Equatable {
  /// The hold in its final state.
  public let transfer: Transfer
  /// Nil for a hold that expired.
  public let resolution: HoldResolution?
  /// The two pending lines of the hold, posted; empty unless it was captured.
  public let entries: [Entry]
}
