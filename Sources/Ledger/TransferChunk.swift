internal import Postgres
internal import Primitives
internal import Wallet

/// One chunk of requests on its way through one transaction: what to lock, and what was read.
struct TransferChunk {
  let requests: [TransferRequest]
  /// The stored transfers that requests refer to, as far as `finding` found them.
  private(set) var referents: [Referent] = []
  /// The distinct assets in lock order. Requests that name no wallet, or the same one twice, touch none.
  private(set) var lockOrder: [AssetKey] = []

  /// What is known of a transfer before it is locked; none of it ever changes.
  struct Referent {
    /// What a request calls it.
    let name: String
    let id: Identifier
    let key: String
    let sides: [AssetKey]
  }

  init(requests: [TransferRequest]) {
    self.requests = requests
    lockOrder = Self.lockOrder(requests)
  }

  /// Whether requests refer to transfers, which are to be found before the locks.
  var hasReferences: Bool { requests.contains { $0.ref != nil } }

  /// The statement that finds the transfers that requests refer to.
  func finding() -> BoundStatement { Self.finding(Set(requests.compactMap(\.ref)).sorted()) }

  static func finding(_ names: [String]) -> BoundStatement {
    HoldStatements.find(names, names.map { Identifier($0) })
  }

  /// Takes over what `finding` found.
  mutating func refer(to rows: Rows) throws(PostgresError) {
    referents = []
    for row in rows {
      let currency = try row.decode(5, as: String.self)
      referents.append(
        Referent(
          name: try row.decode(0), id: try row.decode(1), key: try row.decode(2),
          sides: [
            AssetKey(wallet: try row.decode(3), currency: currency),
            AssetKey(wallet: try row.decode(4), currency: currency),
          ]))
    }
    add(sides: referents.flatMap(\.sides))
  }

  private static func lockOrder(_ requests: [TransferRequest]) -> [AssetKey] {
    var keys = Set<AssetKey>(minimumCapacity: requests.count * 2)
    for request in requests {
      guard let from = request.from, let to = request.to, from != to else { continue }
      keys.insert(AssetKey(wallet: from, currency: request.currency))
      keys.insert(AssetKey(wallet: to, currency: request.currency))
    }
    return keys.sorted()
  }

  /// Takes further assets into account: those of transfers that are referred to.
  mutating func add(sides: [AssetKey]) {
    if !sides.isEmpty { lockOrder = Set(lockOrder + sides).sorted() }
  }

  /// The statement that locks the chunk's assets.
  func locking() -> BoundStatement { assets(TransferStatements.lock) }

  /// The statements that read all else that the rules may ask for.
  func asking() -> [BoundStatement] {
    let keys = requests.map(\.key)
    return [
      TransferStatements.read(
        keys, requests.map(\.from), requests.map(\.to), requests.map(\.currency)),
      HoldStatements.resolutions(keys),
    ] + (referents.isEmpty ? [] : [HoldStatements.referred(Set(referents.map(\.id)).sorted())])
  }

  /// The statements that read the chunk's part of the ledger, with locks or without.
  func reading(locked: Bool) -> [BoundStatement] {
    [assets(locked ? TransferStatements.lock : TransferStatements.look)] + asking()
  }

  private func assets(_ statement: Statement) -> BoundStatement {
    let keys = lockOrder
    return statement(keys.map(\.wallet), keys.map(\.currency))
  }

  // MARK: What was read

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
  func view(of results: some Collection<Rows>) throws(PostgresError) -> LedgerView {
    let results = Array(results)
    guard results.count >= 3 else {
      throw .misuse("a pipeline returned fewer results than it has statements")
    }
    var view = try view(assets: results[0], scales: [:])
    for (request, row) in zip(requests, results[1]) {
      view.time = try row.decode(0)
      if let scale = try row.decodeIfPresent(1, as: Int16.self) { view.scales[request.currency] = Int(scale) }
      if let from = request.from { view.wallets[from] = try Self.standing(row, 2) }
      if let to = request.to { view.wallets[to] = try Self.standing(row, 4) }
      if let id = try row.decodeIfPresent(6, as: Identifier.self) {
        view.transfers[request.key] = try StoredTransfer.decode(row, from: 7, id: id, key: request.key)
      }
    }
    try addResolutions(results[2], to: &view)
    if results.count > 3 { try addReferred(results[3], to: &view) }
    return view
  }

  private func addResolutions(_ rows: Rows, to view: inout LedgerView) throws(PostgresError) {
    for row in rows {
      let hold = try StoredTransfer.decode(row, from: 8, id: try row.decode(5), key: try row.decode(6))
      let resolution = HoldResolution(
        key: try row.decode(0), kind: try decoded(try row.decode(1)), holdID: hold.id,
        amount: try row.decodeIfPresent(2), memo: try row.decodeIfPresent(3), createdAt: try row.decode(4))
      view.transfers[hold.key] = hold
      view.resolutions[resolution.key] = resolution
      view.references[resolution.key] = hold.key
      view.scales[hold.currency] = Int(try row.decode(7, as: Int16.self))
    }
  }

  private func addReferred(_ rows: Rows, to view: inout LedgerView) throws(PostgresError) {
    for referent in referents { view.references[referent.name] = referent.key }
    for row in rows {
      let transfer = try StoredTransfer.decode(row, from: 4, id: try row.decode(0), key: try row.decode(1))
      view.transfers[transfer.key] = transfer
      view.scales[transfer.currency] = Int(try row.decode(2, as: Int16.self))
      view.reversed[transfer.id] = try row.decode(3)
    }
  }

  /// Whether another transaction stored what requests refer to, or created an asset that they change, after this one looked for
  /// it and before it read the rest: then the view shows a part of that only. The locks do not keep it out: they are taken on
  /// assets that are there, of transfers that were found.
  func isOvertaken(_ view: LedgerView, on session: Session) throws(PostgresError) -> Bool {
    if view.assets.count < lockOrder.count {
      let missing = Set(lockOrder).subtracting(view.assets.keys)
      let isCreated = view.transfers.values.contains { transfer in
        transfer.status != .refused && transfer.sides.contains { missing.contains($0) }
      }
      if isCreated { return true }
    }
    guard hasReferences else { return false }
    // Those that requests of this chunk make are stored with it, or not at all.
    let made = Set(requests.map(\.key)).subtracting(view.transfers.keys)
    let unknown = Set(requests.compactMap(\.ref)).filter { view.transfer(named: $0) == nil }.subtracting(made)
      .subtracting(referents.map(\.name))
    return unknown.isEmpty ? false : try !session.query(Self.finding(unknown.sorted())).isEmpty
  }

  private static func standing(_ row: Row, _ column: Int) throws(PostgresError) -> LedgerView.Standing? {
    guard let kind = try row.decodeIfPresent(column, as: String.self) else { return nil }
    return LedgerView.Standing(
      kind: try decoded(kind), status: try decoded(try row.decode(column + 1, as: String.self)))
  }

  // MARK: The rules

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
    let (fold, outcomes) = fold(try view(assets: assets, scales: scales), identifiers)
    return outcomes.allSatisfy { $0.transfer != nil } ? (fold, outcomes) : nil
  }

  /// Carries the requests out in memory, on what `reading` found under locks.
  ///
  /// - Throws: a serialization failure where the chunk was overtaken: the next attempt finds it all.
  func fold(
    _ results: some Collection<Rows>, identifiers: IdentifierGenerator, on session: Session
  ) throws(PostgresError) -> (fold: TransferFold, outcomes: [TransferOutcome]) {
    let view = try view(of: results)
    if try isOvertaken(view, on: session) {
      throw .server(
        ServerError(sqlState: "40001", message: "another transaction stored what this one refers to"))
    }
    return fold(view, identifiers)
  }

  /// Carries the requests out in memory on a view.
  func fold(
    _ view: LedgerView, _ identifiers: IdentifierGenerator
  ) -> (fold: TransferFold, outcomes: [TransferOutcome]) {
    var fold = TransferFold(view, identifiers: identifiers)
    let outcomes = requests.map { fold.apply($0) }
    return (fold, outcomes)
  }
}
