internal import Postgres
internal import Primitives
internal import Wallet

/// One chunk of requests on its way through one transaction: what to lock, what was read, what to write.
struct TransferChunk {
  let requests: [TransferRequest]

  /// The distinct assets in lock order. Requests that name no wallet, or the same one twice, touch none.
  var lockOrder: [AssetKey] {
    var keys: Set<AssetKey> = []
    for request in requests {
      guard let from = request.from, let to = request.to, from != to else { continue }
      keys.insert(AssetKey(wallet: from, currency: request.currency))
      keys.insert(AssetKey(wallet: to, currency: request.currency))
    }
    return keys.sorted()
  }

  /// The statement that locks the chunk's assets.
  func locking() -> BoundStatement { assets(TransferStatements.lock) }

  /// The statement that reads all else that the rules may ask for.
  func asking() -> BoundStatement {
    TransferStatements.read(
      requests.map(\.key), requests.map(\.from), requests.map(\.to), requests.map(\.currency))
  }

  /// The statements that read the chunk's part of the ledger, with locks or without.
  func reading(locked: Bool) -> [BoundStatement] {
    [assets(locked ? TransferStatements.lock : TransferStatements.look), asking()]
  }

  private func assets(_ statement: Statement) -> BoundStatement {
    let keys = lockOrder
    return statement(keys.map(\.wallet), keys.map(\.currency))
  }

  /// The rules' view as far as the locked assets show it: enough for requests that are new, between wallets that
  /// hold the currency already.
  private func view(assets: Rows, scales: [String: Int]) throws(PostgresError) -> LedgerView {
    var view = LedgerView()
    view.scales = scales
    for row in assets {
      let key = AssetKey(wallet: try row.decode(0), currency: try row.decode(1))
      view.assets[key] = Asset(
        balance: try row.decode(2), held: try row.decode(3), version: try row.decode(4),
        updatedAt: try row.decode(5))
      view.wallets[key.wallet] = try Self.standing(row, 6)
      view.time = max(view.time, try row.decode(8))
    }
    return view
  }

  /// Makes the rules' view out of the results of `reading`.
  private func view(assets: Rows, facts: Rows) throws(PostgresError) -> LedgerView {
    var view = try view(assets: assets, scales: [:])
    for (request, row) in zip(requests, facts) {
      view.time = try row.decode(0)
      if let scale = try row.decodeIfPresent(1, as: Int16.self) { view.scales[request.currency] = Int(scale) }
      if let from = request.from { view.wallets[from] = try Self.standing(row, 2) }
      if let to = request.to { view.wallets[to] = try Self.standing(row, 4) }
      if let id = try row.decodeIfPresent(6, as: Identifier.self) {
        view.transfers[request.key] = try StoredTransfer.decode(row, from: 7, id: id, key: request.key)
      }
    }
    return view
  }

  /// Carries the requests out in memory on the locked assets alone, in the hope that no key was used before.
  ///
  /// The unique index on keys tells whether the hope was true, when the result is stored. So the result counts only
  /// if every request comes to something that is stored; nil where one does not, or asks for what is not here.
  func hopefulFold(
    assets: Rows, scales: [String: Int], identifiers: IdentifierGenerator
  ) throws(PostgresError) -> (fold: TransferFold, outcomes: [TransferOutcome])? {
    guard assets.count == lockOrder.count, requests.allSatisfy({ scales[$0.currency] != nil }) else {
      return nil
    }
    var fold = TransferFold(try view(assets: assets, scales: scales), identifiers: identifiers)
    let outcomes = requests.map { fold.apply($0) }
    return outcomes.allSatisfy { $0.transfer != nil } ? (fold, outcomes) : nil
  }

  /// Carries the requests out in memory, on what `reading` found.
  func fold(
    assets: Rows, facts: Rows, identifiers: IdentifierGenerator
  ) throws(PostgresError) -> (fold: TransferFold, outcomes: [TransferOutcome]) {
    var fold = TransferFold(try view(assets: assets, facts: facts), identifiers: identifiers)
    let outcomes = requests.map { fold.apply($0) }
    return (fold, outcomes)
  }

  private static func standing(_ row: Row, _ column: Int) throws(PostgresError) -> LedgerView.Standing? {
    guard let kind = try row.decodeIfPresent(column, as: String.self) else { return nil }
    return LedgerView.Standing(
      kind: try decoded(kind), status: try decoded(try row.decode(column + 1, as: String.self)))
  }

  /// The statements that write what the fold decided; none where nothing is to be stored.
  static func writing(_ fold: TransferFold) -> [BoundStatement] {
    guard !fold.transfers.isEmpty else { return [] }
    let (updated, created) = fold.changedAssets
    var statements: [BoundStatement] = []
    if !created.isEmpty {
      statements.append(
        TransferStatements.createAssets(
          created.map(\.key.wallet), created.map(\.key.currency), created.map(\.asset.balance),
          created.map(\.asset.version), created.map(\.asset.updatedAt)))
    }
    let transfers = fold.transfers
    let entries = fold.entries
    statements.append(
      TransferStatements.write(
        transfers.map(\.id), transfers.map(\.key), transfers.map(\.from), transfers.map(\.to),
        transfers.map(\.currency), transfers.map(\.amount), transfers.map(\.kind.rawValue),
        transfers.map(\.status.rawValue), transfers.map(\.refusal?.rawValue), transfers.map(\.memo),
        transfers.map(\.createdAt),
        entries.map(\.id), entries.map(\.transferID), entries.map(\.asset.wallet),
        entries.map(\.asset.currency), entries.map(\.amount), entries.map(\.balanceAfter),
        entries.map(\.version), entries.map(\.transferID.timestamp),
        updated.map(\.key.wallet), updated.map(\.key.currency), updated.map(\.asset.balance),
        updated.map(\.asset.version), updated.map(\.asset.updatedAt)))
    return statements
  }
}
