/// What became of a request to move money. The raw values are part of the contract (SPEC section 2.4); where
/// several apply, the first in this order is the answer. What a capture, a void or a reversal says about the transfer
/// that it names (from `hold_not_found` on) is part of the request, and comes before the state of wallets.
public enum ResultCode: String, Error, Sendable, CaseIterable {
  case created
  case exists
  case keyReusedWithDifferentRequest = "key_reused_with_different_request"
  case walletsMustDiffer = "wallets_must_differ"
  case amountInvalid = "amount_invalid"
  case amountNotPositive = "amount_not_positive"
  case amountPrecisionExceeded = "amount_precision_exceeded"
  case amountOutOfRange = "amount_out_of_range"
  case currencyNotFound = "currency_not_found"
  case sourceNotFound = "source_not_found"
  case destinationNotFound = "destination_not_found"
  case sourceClosed = "source_closed"
  case destinationClosed = "destination_closed"
  case sourceFrozen = "source_frozen"
  case destinationFrozen = "destination_frozen"
  case insufficientFunds = "insufficient_funds"
  case balanceOutOfRange = "balance_out_of_range"
  case holdNotFound = "hold_not_found"
  case holdNotPending = "hold_not_pending"
  case holdExpired = "hold_expired"
  case exceedsHoldAmount = "exceeds_hold_amount"
  case transferNotFound = "transfer_not_found"
  case transferNotPosted = "transfer_not_posted"
  case exceedsReversibleAmount = "exceeds_reversible_amount"
  /// In an atomic batch, a row that only others spoiled.
  case batchAborted = "batch_aborted"

  /// Whether the request did what it asked for, now or earlier.
  public var isSuccess: Bool { self == .created || self == .exists }

  /// Whether the refusal depends on state that changes. Such a refusal is recorded under its key, so that the
  /// same key never gets another answer.
  public var isRecorded: Bool {
    switch self {
    case .sourceClosed, .destinationClosed, .sourceFrozen, .destinationFrozen, .insufficientFunds,
      .balanceOutOfRange, .holdNotPending, .holdExpired, .exceedsHoldAmount, .transferNotPosted,
      .exceedsReversibleAmount:
      true
    default: false
    }
  }

  /// One sentence that says what the code means.
  public var sentence: String {
    switch self {
    case .created: "the money moved"
    case .exists: "the same request was carried out before"
    case .keyReusedWithDifferentRequest: "this key was already used for another request"
    case .walletsMustDiffer: "source and destination are the same wallet"
    case .amountInvalid: "the amount is not a plain decimal number"
    case .amountNotPositive: "the amount is not greater than zero"
    case .amountPrecisionExceeded: "the amount has more decimal places than the currency"
    case .amountOutOfRange: "the amount has more than 38 digits"
    case .currencyNotFound: "there is no such currency"
    case .sourceNotFound: "the source wallet does not exist"
    case .destinationNotFound: "the destination wallet does not exist"
    case .sourceClosed: "the source wallet is closed"
    case .destinationClosed: "the destination wallet is closed"
    case .sourceFrozen: "the source wallet is frozen"
    case .destinationFrozen: "the destination wallet is frozen"
    case .insufficientFunds: "the source wallet has not enough available funds"
    case .balanceOutOfRange: "a balance would have more than 38 digits"
    case .holdNotFound: "there is no such hold"
    case .holdNotPending: "the transfer is not an open hold"
    case .holdExpired: "the hold has expired"
    case .exceedsHoldAmount: "the amount is more than the hold has set aside"
    case .transferNotFound: "there is no such transfer"
    case .transferNotPosted: "the transfer is not posted"
    case .exceedsReversibleAmount: "the amount is more than what is left to reverse"
    case .batchAborted: "another row of the atomic batch was refused"
    }
  }

  /// What to do about it; nil for success.
  public var hint: String? {
    switch self {
    case .created, .exists: nil
    case .keyReusedWithDifferentRequest:
      "see what the key did with `ironforge transfer resolve KEY`; a new request needs a new key"
    case .walletsMustDiffer: "name two different wallets"
    case .amountInvalid:
      "write digits with at most one point, such as 12.50: no sign, exponent, blanks or separators"
    case .amountNotPositive: "to move money back, swap --from and --to"
    case .amountPrecisionExceeded: "nothing is ever rounded; see the scales with `ironforge currency list`"
    case .amountOutOfRange: "the largest amount is 38 digits of the currency's minor unit"
    case .currencyNotFound: "see `ironforge currency list`, or add it with `ironforge currency add`"
    case .sourceNotFound, .destinationNotFound:
      "name a wallet by its id, its 0x address, or email/wallet-name; see `ironforge wallet list`"
    case .sourceClosed, .destinationClosed: "a closed wallet stays closed; use another one"
    case .sourceFrozen, .destinationFrozen:
      "unfreeze it with `ironforge wallet unfreeze`, then send again with a new key"
    case .insufficientFunds:
      "see `ironforge wallet balance`; after funding it, send again with a new key"
    case .balanceOutOfRange: "use another wallet"
    case .holdNotFound, .transferNotFound:
      "name a transfer by its id or its key; see `ironforge transfer list`"
    case .holdNotPending: "see what became of it with `ironforge transfer show`; each hold is resolved once"
    case .holdExpired: "make a new hold; `ironforge job run expire-holds` frees the expired ones"
    case .exceedsHoldAmount: "capture at most what was set aside; send the rest as a transfer of its own"
    case .transferNotPosted: "only money that moved can be reversed; an open hold is voided instead"
    case .exceedsReversibleAmount:
      "all reversals together never exceed the transfer; give the rest with --amount and a new key"
    case .batchAborted: "mend or remove the refused rows, then run the batch again"
    }
  }
}
