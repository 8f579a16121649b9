public import Primitives

/// What of the database the rules need to see, read under the locks of the assets in it.
public struct LedgerView: Sendable {
  /// A wallet as far as the rules care.
  public struct Standing: Sendable {
    public var kind: WalletKind
    public var status: WalletStatus

    public init(kind: WalletKind, status: WalletStatus) {
      self.kind = kind
      self.status = status
    }
  }

  /// Stored transfers by key.
  public var transfers: [String: Transfer] = [:]
  public var wallets: [Identifier: Standing] = [:]
  /// Scales by currency code.
  public var scales: [String: Int] = [:]
  /// An asset that is not here does not exist yet, and counts as zero.
  public var assets: [AssetKey: Asset] = [:]
  /// The server's clock, read under the locks.
  public var time = Timestamp(microseconds: 0)

  public init() {}
}

/// The rules of SPEC section 2.4 as a fold: requests in file order against a view of the ledger.
///
/// A single transfer is a fold of one request. Each request sees what the ones before it did, so a chunk of
/// any size gives exactly what sending its requests one after another would give. The fold changes values
/// only; what is to be written stands in `transfers`, `entries` and `changedAssets` afterwards.
public struct TransferFold {
  private var view: LedgerView
  /// The generator as the fold left it, for the next fold of the same process.
  public private(set) var identifiers: IdentifierGenerator
  /// Transfers and refusals to be stored, in order.
  public private(set) var transfers: [Transfer] = []
  /// Ledger lines to be stored, in order, two for each posted transfer.
  public private(set) var entries: [Entry] = []
  private var changed: Set<AssetKey> = []
  private let existing: Set<AssetKey>

  public init(_ view: LedgerView, identifiers: IdentifierGenerator) {
    self.view = view
    self.identifiers = identifiers
    existing = Set(view.assets.keys)
  }

  /// The assets to be updated, and those to be created, each in lock order, with their new values.
  public var changedAssets:
    (updated: [(key: AssetKey, asset: Asset)], created: [(key: AssetKey, asset: Asset)])
  {
    let all = changed.sorted().map { (key: $0, asset: view.assets[$0] ?? .none) }
    return (all.filter { existing.contains($0.key) }, all.filter { !existing.contains($0.key) })
  }

  /// Carries out one request.
  public mutating func apply(_ request: TransferRequest) -> TransferOutcome {
    var outcome = outcome(of: request)
    outcome.scale = view.scales[request.currency]
    return outcome
  }

  private mutating func outcome(of request: TransferRequest) -> TransferOutcome {
    if let stored = view.transfers[request.key] {
      guard isSame(request, stored) else { return TransferOutcome(code: .keyReusedWithDifferentRequest) }
      return TransferOutcome(code: stored.refusal ?? .exists, replayed: true, transfer: stored)
    }
    do throws(ResultCode) {
      let order = try checkedAgainstConstants(request)
      do throws(ResultCode) {
        return post(try checkedAgainstState(order), order)
      } catch  where error.isRecorded {
        var outcome = TransferOutcome(code: error, transfer: record(order, refusal: error))
        if error == .insufficientFunds { outcome.available = (view.assets[order.from] ?? .none).available }
        return outcome
      }
    } catch {
      return TransferOutcome(code: error)
    }
  }

  /// A request whose parts all exist.
  private struct Order {
    let request: TransferRequest
    let from: AssetKey
    let to: AssetKey
    let amount: Int128
    let source: LedgerView.Standing
    let destination: LedgerView.Standing
  }

  /// Balances after the transfer.
  private struct Movement {
    let fromBalance: Int128
    let toBalance: Int128
  }

  private func isSame(_ request: TransferRequest, _ stored: Transfer) -> Bool {
    // An amount that cannot be read is not the amount that is stored.
    guard let scale = view.scales[request.currency],
      let amount = try? Amount.parse(request.amount, scale: scale)
    else { return false }
    return request.from == stored.from && request.to == stored.to && request.currency == stored.currency
      && amount == stored.amount && request.memo == stored.memo && stored.kind == .transfer
  }

  /// What no change of state can mend: identical wallets, a bad amount, names of nothing.
  private func checkedAgainstConstants(_ request: TransferRequest) throws(ResultCode) -> Order {
    if let from = request.from, from == request.to { throw .walletsMustDiffer }
    let scale = view.scales[request.currency]
    let amount = try Amount.parse(request.amount, scale: scale ?? 18)
    guard scale != nil else { throw .currencyNotFound }
    guard let from = request.from, let source = view.wallets[from] else { throw .sourceNotFound }
    guard let to = request.to, let destination = view.wallets[to] else { throw .destinationNotFound }
    return Order(
      request: request, from: AssetKey(wallet: from, currency: request.currency),
      to: AssetKey(wallet: to, currency: request.currency), amount: amount, source: source,
      destination: destination)
  }

  private func checkedAgainstState(_ order: Order) throws(ResultCode) -> Movement {
    if order.source.status == .closed { throw .sourceClosed }
    if order.destination.status == .closed { throw .destinationClosed }
    if order.source.status == .frozen { throw .sourceFrozen }
    if order.destination.status == .frozen { throw .destinationFrozen }
    let source = view.assets[order.from] ?? .none
    let destination = view.assets[order.to] ?? .none
    if order.source.kind == .standard, source.available < order.amount { throw .insufficientFunds }
    guard let fromBalance = Amount.sum(source.balance, -order.amount),
      let toBalance = Amount.sum(destination.balance, order.amount)
    else { throw .balanceOutOfRange }
    return Movement(fromBalance: fromBalance, toBalance: toBalance)
  }

  private mutating func post(_ movement: Movement, _ order: Order) -> TransferOutcome {
    let id = nextIdentifier(order)
    let transfer = Transfer(
      id: id, key: order.request.key, from: order.from.wallet, to: order.to.wallet,
      currency: order.request.currency, amount: order.amount, kind: .transfer, status: .posted,
      memo: order.request.memo, fromBalanceAfter: movement.fromBalance, toBalanceAfter: movement.toBalance)
    enter(id.debitID, transfer, order.from, -order.amount, movement.fromBalance)
    enter(id.creditID, transfer, order.to, order.amount, movement.toBalance)
    store(transfer)
    return TransferOutcome(code: .created, transfer: transfer)
  }

  private mutating func record(_ order: Order, refusal: ResultCode) -> Transfer {
    let transfer = Transfer(
      id: nextIdentifier(order), key: order.request.key, from: order.from.wallet, to: order.to.wallet,
      currency: order.request.currency, amount: order.amount, kind: .transfer, status: .refused,
      refusal: refusal, memo: order.request.memo)
    store(transfer)
    return transfer
  }

  private mutating func store(_ transfer: Transfer) {
    view.transfers[transfer.key] = transfer
    transfers.append(transfer)
  }

  private mutating func enter(
    _ id: Identifier, _ transfer: Transfer, _ key: AssetKey, _ amount: Int128, _ balance: Int128
  ) {
    var asset = view.assets[key] ?? .none
    asset.balance = balance
    asset.version += 1
    asset.updatedAt = transfer.createdAt
    view.assets[key] = asset
    changed.insert(key)
    entries.append(
      Entry(
        id: id, transferID: transfer.id, asset: key, amount: amount, balanceAfter: balance,
        version: asset.version))
  }

  /// An identifier no earlier than the last entries of both assets, whatever the clocks say: then the order of
  /// versions is the order of times, and the balance at a time is well defined.
  private mutating func nextIdentifier(_ order: Order) -> Identifier {
    let time = max(
      view.time, (view.assets[order.from] ?? .none).updatedAt, (view.assets[order.to] ?? .none).updatedAt)
    return identifiers.next(at: time).asTransferID
  }
}
