public import Primitives
public import Wallet

/// SPEC section 2.1 in the plainest way: amounts as text until the last step.
public func naiveAmount(_ text: String, scale: Int) -> Result<Int128, ResultCode> {
  let parts = text.split(separator: ".", omittingEmptySubsequences: false)
  let isPlain = parts.allSatisfy { part in !part.isEmpty && part.allSatisfy { "0123456789".contains($0) } }
  guard parts.count <= 2, isPlain else { return .failure(.amountInvalid) }
  if !text.contains(where: { $0 != "0" && $0 != "." }) { return .failure(.amountNotPositive) }
  let fraction = parts.count == 2 ? String(parts[1]) : ""
  if fraction.count > scale { return .failure(.amountPrecisionExceeded) }
  let digits = (parts[0] + fraction + String(repeating: "0", count: scale - fraction.count)).drop {
    $0 == "0"
  }
  guard digits.count <= 38, let number = Int128(digits) else { return .failure(.amountOutOfRange) }
  return .success(number)
}

/// SPEC sections 2.4 and 2.6 written down a second time, as a list of questions asked one request after another. Slow,
/// and without a thought for chunks, locks or databases: what `TransferFold` is compared with. Nothing expires in it.
public struct PlainLedger {
  public struct Answer: Equatable {
    public var code: ResultCode
    public var replayed = false
    public var status: TransferStatus?
    public var fromAfter: Int128?
    public var toAfter: Int128?

    public init(
      code: ResultCode, replayed: Bool = false, status: TransferStatus? = nil, fromAfter: Int128? = nil,
      toAfter: Int128? = nil
    ) {
      self.code = code
      self.replayed = replayed
      self.status = status
      self.fromAfter = fromAfter
      self.toAfter = toAfter
    }
  }

  /// What is known of a transfer, by its key.
  private struct Booking {
    var from: Identifier
    var to: Identifier
    var currency: String
    var amount: Int128
    var status: TransferStatus
    var held: Int128 = 0
    var reversed: Int128 = 0
    var fromAfter: Int128?
    var toAfter: Int128?
  }

  private struct Memory {
    let request: TransferRequest
    let amount: Int128
    let code: ResultCode
    /// The booking that it made or, for a capture or a void, resolved.
    let booking: String
    let original: String?
  }

  public var standings: [Identifier: LedgerView.Standing]
  public var scales: [String: Int]
  public private(set) var balances: [AssetKey: Int128] = [:]
  public private(set) var held: [AssetKey: Int128] = [:]
  private var bookings: [String: Booking] = [:]
  private var memories: [String: Memory] = [:]

  public init(standings: [Identifier: LedgerView.Standing], scales: [String: Int]) {
    self.standings = standings
    self.scales = scales
  }

  /// The key of the booking that a request calls `reference`.
  private func booking(named reference: String?) -> String? {
    guard let reference, let memory = memories[reference] else { return nil }
    return memory.booking
  }

  public mutating func send(_ request: TransferRequest) -> Answer {
    if let first = memories[request.key] { return repeated(request, first) }
    let isSequel = [.capture, .void, .reverse].contains(request.kind)
    let originalKey = isSequel ? booking(named: request.ref) : nil
    let original = originalKey.flatMap { bookings[$0] }
    if !isSequel, request.from != nil, request.from == request.to { return Answer(code: .walletsMustDiffer) }

    let scale = scales[original?.currency ?? request.currency]
    var amount: Int128?
    if request.amount != nil || !isSequel {
      switch naiveAmount(request.amount ?? "", scale: scale ?? 18) {
      case .success(let number): amount = number
      case .failure(let code): return Answer(code: code)
      }
    }
    if isSequel {
      guard let original else {
        return Answer(code: request.kind == .reverse ? .transferNotFound : .holdNotFound)
      }
      let whole = request.kind == .reverse || original.held == 0 ? original.amount : original.held
      return decide(request, amount ?? whole, original, originalKey)
    }
    if scale == nil { return Answer(code: .currencyNotFound) }
    guard let from = request.from, standings[from] != nil else { return Answer(code: .sourceNotFound) }
    guard let to = request.to, standings[to] != nil else { return Answer(code: .destinationNotFound) }
    let new = Booking(
      from: from, to: to, currency: request.currency, amount: amount ?? 0, status: .posted)
    return decide(request, amount ?? 0, new, nil)
  }

  private mutating func decide(
    _ request: TransferRequest, _ amount: Int128, _ booking: Booking, _ original: String?
  ) -> Answer {
    var booking = booking
    booking.amount = amount
    let before = original.flatMap { bookings[$0] }
    if request.kind == .reverse {
      booking = Booking(
        from: booking.to, to: booking.from, currency: booking.currency, amount: amount, status: .posted)
    }
    if let refusal = refusal(request.kind, booking, before) {
      booking.status = .refused
      booking.held = request.kind == .hold ? amount : 0
      booking.fromAfter = nil
      booking.toAfter = nil
      bookings[request.key] = booking
      remember(request, amount, refusal, request.key, original)
      return Answer(code: refusal, status: .refused)
    }
    return carryOut(request, booking, original)
  }

  private func refusal(_ kind: TransferKind, _ booking: Booking, _ before: Booking?) -> ResultCode? {
    switch kind {
    case .capture:
      if before?.status != .pending { return .holdNotPending }
      if booking.amount > before?.held ?? 0 { return .exceedsHoldAmount }
    case .void: return before?.status == .pending ? nil : .holdNotPending
    case .reverse:
      guard let before, before.status == .posted else { return .transferNotPosted }
      if booking.amount > before.amount - before.reversed { return .exceedsReversibleAmount }
    case .transfer, .hold: break
    }
    let (source, destination) = (standings[booking.from], standings[booking.to])
    if source?.status == .closed { return .sourceClosed }
    if destination?.status == .closed { return .destinationClosed }
    if source?.status == .frozen { return .sourceFrozen }
    if destination?.status == .frozen { return .destinationFrozen }
    let from = AssetKey(wallet: booking.from, currency: booking.currency)
    let to = AssetKey(wallet: booking.to, currency: booking.currency)
    let isFree = kind == .capture || source?.kind == .external
    if !isFree, (balances[from] ?? 0) - (held[from] ?? 0) < booking.amount { return .insufficientFunds }
    let ends =
      kind == .hold
      ? [(held[from] ?? 0) + booking.amount]
      : [(balances[from] ?? 0) - booking.amount, (balances[to] ?? 0) + booking.amount]
    return ends.contains { String($0.magnitude).count > 38 } ? .balanceOutOfRange : nil
  }

  private mutating func carryOut(
    _ request: TransferRequest, _ booking: Booking, _ original: String?
  ) -> Answer {
    var booking = booking
    let from = AssetKey(wallet: booking.from, currency: booking.currency)
    let to = AssetKey(wallet: booking.to, currency: booking.currency)
    var key = request.key
    switch request.kind {
    case .hold:
      booking.status = .pending
      booking.held = booking.amount
      held[from, default: 0] += booking.amount
      balances[from, default: 0] += 0
      balances[to, default: 0] += 0
    case .capture, .void:
      key = original ?? key
      held[from, default: 0] -= booking.held
      booking.status = request.kind == .void ? .voided : .posted
    case .reverse: bookings[original ?? ""]?.reversed += booking.amount
    case .transfer: break
    }
    if booking.status == .posted {
      balances[from, default: 0] -= booking.amount
      balances[to, default: 0] += booking.amount
      booking.fromAfter = balances[from]
      booking.toAfter = balances[to]
    }
    bookings[key] = booking
    remember(request, booking.amount, .created, key, original)
    return answer(.created, booking)
  }

  private func answer(_ code: ResultCode, _ booking: Booking) -> Answer {
    Answer(code: code, status: booking.status, fromAfter: booking.fromAfter, toAfter: booking.toAfter)
  }

  private mutating func remember(
    _ request: TransferRequest, _ amount: Int128, _ code: ResultCode, _ booking: String, _ original: String?
  ) {
    memories[request.key] = Memory(
      request: request, amount: amount, code: code, booking: booking, original: original)
  }

  private func repeated(_ request: TransferRequest, _ first: Memory) -> Answer {
    guard isSame(request, first), let booking = bookings[first.booking] else {
      return Answer(code: .keyReusedWithDifferentRequest)
    }
    var again = answer(first.code == .created ? .exists : first.code, booking)
    again.replayed = true
    return again
  }

  private func isSame(_ request: TransferRequest, _ first: Memory) -> Bool {
    let earlier = first.request
    guard request.kind == earlier.kind, request.memo == earlier.memo, request.lifetime == earlier.lifetime
    else {
      return false
    }
    if let original = first.original {
      guard booking(named: request.ref) == original, let booking = bookings[original] else { return false }
      if request.kind == .void { return true }
      guard let text = request.amount else {
        return earlier.amount == nil || first.amount == booking.amount || first.amount == booking.held
      }
      return text.isAmount(first.amount, scales[booking.currency])
    }
    return request.from == earlier.from && request.to == earlier.to && request.currency == earlier.currency
      && request.amount?.isAmount(first.amount, scales[request.currency]) == true
  }
}

extension String {
  fileprivate func isAmount(_ amount: Int128, _ scale: Int?) -> Bool {
    guard let scale, case .success(amount) = naiveAmount(self, scale: scale) else { return false }
    return true
  }
}
