public import Postgres
internal import Primitives
public import Wallet

/// What requests would come to, chunk after chunk, without writing or locking anything.
///
/// Each chunk sees what the ones before it would have done. That is kept in memory: it grows with the wallets that
/// would change, and with the holds that would be made or resolved.
public struct TransferRehearsal {
  private var assets: [AssetKey: Asset] = [:]
  /// The wallets of these assets.
  private var wallets: [Identifier: LedgerView.Standing] = [:]
  private var transfers: [String: Transfer] = [:]
  private var resolutions: [String: HoldResolution] = [:]
  /// Keys of transfers by the keys that captured or voided them.
  private var references: [String: String] = [:]
  private var reversed: [Identifier: Int128] = [:]
  /// Scales of the currencies seen so far; there are few.
  private var scales: [String: Int] = [:]
  private var identifiers = IdentifierGenerator()
  private var chunks = 0

  public init() {}

  /// The outcomes of the next requests, inside the read-only transaction that is open for all of them.
  ///
  /// - Parameter remembers: whether a later request may have this key, or refer to it.
  public mutating func rehearse(
    _ requests: [TransferRequest], on session: Session, remembers: (String) -> Bool
  ) throws(PostgresError) -> [TransferOutcome] {
    // As `TransferProcessor` does: what comes to its second chunk will see many.
    if chunks == 1 { try session.query(TransferStatements.settle(true)) }
    chunks += 1
    var chunk = TransferChunk(requests: requests)
    if chunk.hasReferences { try chunk.refer(to: session.query(chunk.finding())) }
    let made = requests.flatMap { [$0.key, $0.ref] }.compactMap { $0 }
      .compactMap { transfers[references[$0] ?? $0] }
    chunk.add(sides: made.flatMap(\.sides))
    let results = try session.pipeline(chunk.reading(locked: false))
    let stored = try chunk.view(of: results)
    scales.merge(stored.scales) { $1 }
    let view = merged(stored, chunk)
    let (fold, outcomes) = chunk.fold(view, identifiers)
    identifiers = fold.identifiers
    remember(fold, view, remembers)
    return outcomes
  }

  /// The stored state under what earlier requests would have changed.
  private func merged(_ stored: LedgerView, _ chunk: TransferChunk) -> LedgerView {
    var view = stored
    view.scales = scales
    for key in chunk.lockOrder {
      guard let asset = assets[key] else { continue }
      view.assets[key] = asset
      view.wallets[key.wallet] = view.wallets[key.wallet] ?? wallets[key.wallet]
    }
    for request in chunk.requests {
      if let resolution = resolutions[request.key] { view.resolutions[request.key] = resolution }
      for name in [request.key, request.ref].compactMap({ $0 }) {
        if let key = references[name] { view.references[name] = key }
        let key = view.references[name] ?? name
        if let transfer = transfers[key] { view.transfers[key] = transfer }
      }
    }
    for (key, transfer) in view.transfers {
      if let changed = transfers[key] { view.transfers[key] = changed }
      if let amount = reversed[transfer.id] { view.reversed[transfer.id, default: 0] += amount }
    }
    return view
  }

  private mutating func remember(
    _ fold: TransferFold, _ view: LedgerView, _ remembers: (String) -> Bool
  ) {
    let (updated, created) = fold.changedAssets
    for (key, asset) in updated + created {
      assets[key] = asset
      wallets[key.wallet] = view.wallets[key.wallet]
    }
    for transfer in fold.transfers {
      if let original = transfer.ref, transfer.status == .posted {
        reversed[original, default: 0] += transfer.amount
      }
      if remembers(transfer.key) { transfers[transfer.key] = transfer }
    }
    for hold in fold.resolved {
      transfers[hold.transfer.key] = hold.transfer
      guard let resolution = hold.resolution else { continue }
      resolutions[resolution.key] = resolution
      references[resolution.key] = hold.transfer.key
    }
  }
}
