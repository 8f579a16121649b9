internal import Primitives

/// Holds, and what refers to another transfer: capture, void, expiry, reversal (SPEC section 2.6).
extension TransferFold {
  /// Frees a hold whose time has passed, called by its key.
  ///
  /// - Returns: false where it is not an open hold, or its time has not come.
  public mutating func expire(_ key: String) -> Bool {
    guard let hold = view.transfers[key], hold.status == .pending, hasExpired(hold) else { return false }
    resolve(hold, as: .expired, at: nextTime(of: hold), resolution: nil)
    return true
  }

  /// What a request of this kind is about when it names no amount. It does not change while the original is partly
  /// reversed: else a replay could not be told from another request.
  private func whole(of original: Transfer, for kind: TransferKind) -> Int128 {
    kind == .reverse ? original.amount : original.hold?.amount ?? original.amount
  }

  /// What is left to reverse of a posted transfer.
  func reversible(_ transfer: Transfer) -> Int128 { transfer.amount - (view.reversed[transfer.id] ?? 0) }

  /// What no change of wallets can mend: a bad amount, a reference to nothing.
  func sequel(_ request: TransferRequest) throws(ResultCode) -> Order {
    let original = request.ref.flatMap { view.transfer(named: $0) }
    var amount: Int128?
    if let text = request.amount {
      amount = try Amount.parse(text, scale: original.flatMap { view.scales[$0.currency] } ?? 18)
    }
    guard let original else { throw request.kind == .reverse ? .transferNotFound : .holdNotFound }
    let from = AssetKey(wallet: original.from, currency: original.currency)
    let to = AssetKey(wallet: original.to, currency: original.currency)
    let isBackwards = request.kind == .reverse
    return Order(
      request: request, from: isBackwards ? to : from, to: isBackwards ? from : to,
      amount: amount ?? whole(of: original, for: request.kind), original: original)
  }

  /// Sets money aside.
  mutating func hold(_ order: Order) throws(ResultCode) -> TransferOutcome {
    try checkStanding(order)
    try checkFunds(order)
    guard let held = Amount.sum(view.asset(order.from).held, order.amount) else { throw .balanceOutOfRange }
    let transfer = transfer(order, kind: .hold, status: .pending)
    change(order.from, at: transfer.createdAt) { $0.held = held }
    // The destination's line needs an asset to belong to.
    change(order.to, at: transfer.createdAt) { _ in }
    store(transfer)
    return TransferOutcome(code: .created, transfer: transfer)
  }

  mutating func capture(_ order: Order) throws(ResultCode) -> TransferOutcome {
    let hold = try openHold(order)
    if hasExpired(hold) { throw .holdExpired }
    if order.amount > hold.hold?.amount ?? 0 { throw .exceedsHoldAmount }
    try checkStanding(order)
    let balances = try balances(after: order)
    var posted = hold
    posted.amount = order.amount
    posted.fromBalanceAfter = balances.from
    posted.toBalanceAfter = balances.to
    return resolve(posted, as: .posted, by: order)
  }

  mutating func void(_ order: Order) throws(ResultCode) -> TransferOutcome {
    // Nothing moves, so the state of the wallets does not matter; nor does an expiry that nobody has carried out.
    resolve(try openHold(order), as: .voided, by: order)
  }

  mutating func reverse(_ order: Order) throws(ResultCode) -> TransferOutcome {
    guard let original = order.original, original.status == .posted else { throw .transferNotPosted }
    if order.amount > reversible(original) { throw .exceedsReversibleAmount }
    let outcome = try post(order, kind: .reverse)
    view.reversed[original.id, default: 0] += order.amount
    return outcome
  }

  private func openHold(_ order: Order) throws(ResultCode) -> Transfer {
    guard let hold = order.original, hold.hold != nil, hold.status != .refused else { throw .holdNotPending }
    if hold.status == .expired { throw .holdExpired }
    guard hold.status == .pending else { throw .holdNotPending }
    return hold
  }

  private func hasExpired(_ hold: Transfer) -> Bool {
    guard let expiry = hold.hold?.expiresAt else { return false }
    return expiry <= view.time
  }

  private mutating func resolve(
    _ hold: Transfer, as status: TransferStatus, by order: Order
  ) -> TransferOutcome {
    let time = nextTime(of: hold)
    let resolution = HoldResolution(
      key: order.request.key, kind: order.request.kind, holdID: hold.id,
      amount: status == .posted ? order.amount : nil, memo: order.request.memo, createdAt: time)
    let final = resolve(hold, as: status, at: time, resolution: resolution)
    view.remember(resolution, of: final)
    return TransferOutcome(code: .created, transfer: final, resolution: resolution)
  }

  @discardableResult
  private mutating func resolve(
    _ hold: Transfer, as status: TransferStatus, at time: Timestamp, resolution: HoldResolution?
  ) -> Transfer {
    var final = hold
    final.status = status
    final.hold?.resolvedAt = time
    let freed = hold.hold?.amount ?? 0
    change(AssetKey(wallet: hold.from, currency: hold.currency), at: time) { $0.held -= freed }
    let entries = status == .posted ? enter(final, at: time) : []
    view.remember(final)
    resolved.append(ResolvedHold(transfer: final, resolution: resolution, entries: entries))
    return final
  }

  /// No earlier than the last change of both assets, in whole milliseconds as all times of the ledger.
  private mutating func nextTime(of hold: Transfer) -> Timestamp {
    let order = Order(
      request: TransferRequest(key: hold.key), from: AssetKey(wallet: hold.from, currency: hold.currency),
      to: AssetKey(wallet: hold.to, currency: hold.currency), amount: hold.amount)
    return nextIdentifier(order).timestamp
  }
}
