public import Primitives

/// The rules of SPEC sections 2.4 and 2.6 as a fold: requests in file order against a view of the ledger.
///
/// A single transfer is a fold of one request. Each request sees what the ones before it did, so a chunk of
/// any size gives exactly what sending its requests one after another would give. The fold changes values
/// only; what is to be written stands in `transfers`, `entries`, `resolved` and `changedAssets` afterwards.
public struct TransferFold {
  var view: LedgerView
  /// The generator as the fold left it, for the next fold of the same process.
  public private(set) var identifiers: IdentifierGenerator
  /// Transfers, holds and refusals to be stored, in order, as they were when they were made.
  public private(set) var transfers: [Transfer] = []
  /// Posted ledger lines to be stored, in order, two for each transfer that moved money at once.
  public private(set) var entries: [Entry] = []
  /// Holds that came to their end, in order; some of them may also stand in `transfers`.
  public internal(set) var resolved: [ResolvedHold] = []
  private var changed: Set<AssetKey> = []
  private let existing: Set<AssetKey>

  public init(_ view: LedgerView, identifiers: IdentifierGenerator) {
    self.view = view
    self.identifiers = identifiers
    existing = Set(view.assets.keys)
  }

  /// Whether there is nothing to write.
  public var isEmpty: Bool { transfers.isEmpty && resolved.isEmpty }

  /// The assets to be updated, and those to be created, each in lock order, with their new values.
  public var changedAssets:
    (updated: [(key: AssetKey, asset: Asset)], created: [(key: AssetKey, asset: Asset)])
  {
    let all = changed.sorted().map { (key: $0, asset: view.asset($0)) }
    return (all.filter { existing.contains($0.key) }, all.filter { !existing.contains($0.key) })
  }

  /// The wallets of which an asset is updated or created.
  public var changedWallets: Set<Identifier> { Set(changed.map(\.wallet)) }

  /// Carries out one request.
  public mutating func apply(_ request: TransferRequest) -> TransferOutcome {
    var outcome = replay(request) ?? carryOut(request)
    let original = request.ref.flatMap { view.transfer(named: $0) }
    outcome.scale = view.scales[(outcome.transfer ?? original)?.currency ?? request.currency]
    return outcome
  }

  // MARK: Requests that are carried out

  /// A request with what it asks for, as far as no state is concerned.
  struct Order {
    let request: TransferRequest
    let from: AssetKey
    let to: AssetKey
    let amount: Int128
    /// The transfer that it refers to.
    var original: Transfer?
  }

  private mutating func carryOut(_ request: TransferRequest) -> TransferOutcome {
    do throws(ResultCode) {
      let order = request.kind.isSequel ? try sequel(request) : try payment(request)
      do throws(ResultCode) {
        return try carryOut(order)
      } catch  where error.isRecorded {
        var outcome = TransferOutcome(code: error, transfer: record(order, refusal: error))
        outcome.available = limit(of: order, refusal: error)
        return outcome
      }
    } catch {
      return TransferOutcome(code: error)
    }
  }

  private mutating func carryOut(_ order: Order) throws(ResultCode) -> TransferOutcome {
    switch order.request.kind {
    case .transfer: return try post(order, kind: .transfer)
    case .hold: return try hold(order)
    case .capture: return try capture(order)
    case .void: return try void(order)
    case .reverse: return try reverse(order)
    }
  }

  /// What no change of state can mend: identical wallets, a bad amount, names of nothing.
  private func payment(_ request: TransferRequest) throws(ResultCode) -> Order {
    if let from = request.from, from == request.to { throw .walletsMustDiffer }
    let scale = view.scales[request.currency]
    let amount = try Amount.parse(request.amount ?? "", scale: scale ?? 18)
    guard scale != nil else { throw .currencyNotFound }
    guard let from = request.from, view.wallets[from] != nil else { throw .sourceNotFound }
    guard let to = request.to, view.wallets[to] != nil else { throw .destinationNotFound }
    return Order(
      request: request, from: AssetKey(wallet: from, currency: request.currency),
      to: AssetKey(wallet: to, currency: request.currency), amount: amount)
  }

  /// Refuses wallets that do not take part in transfers now.
  func checkStanding(_ order: Order) throws(ResultCode) {
    let source = view.wallets[order.from.wallet]?.status
    let destination = view.wallets[order.to.wallet]?.status
    if source == .closed { throw .sourceClosed }
    if destination == .closed { throw .destinationClosed }
    if source == .frozen { throw .sourceFrozen }
    if destination == .frozen { throw .destinationFrozen }
  }

  /// Refuses a source that cannot spend the amount; an external wallet may go below zero.
  func checkFunds(_ order: Order) throws(ResultCode) {
    if view.wallets[order.from.wallet]?.kind != .external,
      view.asset(order.from).available < order.amount
    {
      throw .insufficientFunds
    }
  }

  /// Moves money at once.
  mutating func post(_ order: Order, kind: TransferKind) throws(ResultCode) -> TransferOutcome {
    try checkStanding(order)
    try checkFunds(order)
    let balances = try balances(after: order)
    let transfer = transfer(order, kind: kind, status: .posted, balances: balances)
    entries += enter(transfer, at: transfer.createdAt)
    store(transfer)
    return TransferOutcome(code: .created, transfer: transfer)
  }

  private mutating func record(_ order: Order, refusal: ResultCode) -> Transfer {
    var transfer = transfer(order, kind: order.request.kind, status: .refused)
    transfer.refusal = refusal
    store(transfer)
    return transfer
  }

  /// How much a refused request could have asked for.
  private func limit(of order: Order, refusal: ResultCode) -> Int128? {
    switch refusal {
    case .insufficientFunds: view.asset(order.from).available
    case .exceedsHoldAmount: order.original?.hold?.amount
    case .exceedsReversibleAmount: order.original.map { reversible($0) }
    default: nil
    }
  }

  // MARK: What the fold writes

  /// A transfer to be stored, with an identifier of its own.
  mutating func transfer(
    _ order: Order, kind: TransferKind, status: TransferStatus,
    balances: (from: Int128, to: Int128)? = nil
  ) -> Transfer {
    let id = nextIdentifier(order)
    var hold: HoldTerms?
    if kind == .hold {
      hold = HoldTerms(amount: order.amount, expiresAt: order.request.lifetime.map { id.timestamp + $0 })
    }
    return Transfer(
      id: id, key: order.request.key, from: order.from.wallet, to: order.to.wallet,
      currency: order.from.currency, amount: order.amount, kind: kind, status: status,
      memo: order.request.memo, fromBalanceAfter: balances?.from, toBalanceAfter: balances?.to,
      ref: order.original?.id, hold: hold)
  }

  mutating func store(_ transfer: Transfer) {
    view.remember(transfer)
    transfers.append(transfer)
  }

  /// The balances that moving the amount leads to.
  func balances(after order: Order) throws(ResultCode) -> (from: Int128, to: Int128) {
    guard let from = Amount.sum(view.asset(order.from).balance, -order.amount),
      let to = Amount.sum(view.asset(order.to).balance, order.amount)
    else { throw .balanceOutOfRange }
    return (from, to)
  }

  /// The two lines of a posted transfer; the assets have its balances after it.
  mutating func enter(_ transfer: Transfer, at time: Timestamp) -> [Entry] {
    guard let from = transfer.fromBalanceAfter, let to = transfer.toBalanceAfter else { return [] }
    func line(_ id: Identifier, _ wallet: Identifier, _ amount: Int128, _ balance: Int128) -> Entry {
      let key = AssetKey(wallet: wallet, currency: transfer.currency)
      let version = change(key, at: time) { asset in
        asset.balance = balance
        asset.version += 1
      }.version
      return Entry(
        id: id, transferID: transfer.id, asset: key, amount: amount, balanceAfter: balance, version: version,
        createdAt: time)
    }
    return [
      line(transfer.id.debitID, transfer.from, -transfer.amount, from),
      line(transfer.id.creditID, transfer.to, transfer.amount, to),
    ]
  }

  /// Changes an asset, which is then written.
  @discardableResult
  mutating func change(_ key: AssetKey, at time: Timestamp, _ body: (inout Asset) -> Void) -> Asset {
    var asset = view.asset(key)
    body(&asset)
    asset.updatedAt = time
    view.assets[key] = asset
    changed.insert(key)
    return asset
  }

  /// An identifier no earlier than the last change of both assets, whatever the clocks say: then the order of
  /// versions is the order of times, and the balance at a time is well defined.
  mutating func nextIdentifier(_ order: Order) -> Identifier {
    let time = max(view.time, view.asset(order.from).updatedAt, view.asset(order.to).updatedAt)
    return identifiers.next(at: time).asTransferID
  }
}
