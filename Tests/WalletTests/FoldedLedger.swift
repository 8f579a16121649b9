import Primitives
import Testing
import Wallet

/// A ledger in memory that is only ever changed through `TransferFold`, as the database is: each chunk is a fold over
/// a fresh view, and what the fold decided is written back.
struct FoldedLedger {
  var view = LedgerView()
  private(set) var entries: [Entry] = []
  private var identifiers = IdentifierGenerator()

  init(standings: [Identifier: LedgerView.Standing], scales: [String: Int]) {
    view.wallets = standings
    view.scales = scales
  }

  /// Carries a chunk out at `time` of the server's clock.
  mutating func run(_ requests: [TransferRequest], at time: Timestamp) -> [TransferOutcome] {
    view.time = time
    var fold = TransferFold(view, identifiers: identifiers)
    let outcomes = requests.map { fold.apply($0) }
    identifiers = fold.identifiers
    let (updated, created) = fold.changedAssets
    #expect(updated.allSatisfy { view.assets[$0.key] != nil }, "an update of an asset that does not exist")
    #expect(created.allSatisfy { view.assets[$0.key] == nil }, "an insert of an asset that exists")
    #expect(
      updated.map(\.key) == updated.map(\.key).sorted() && created.map(\.key) == created.map(\.key).sorted())
    for (key, asset) in updated + created { view.assets[key] = asset }
    for transfer in fold.transfers {
      #expect(
        view.transfers.updateValue(transfer, forKey: transfer.key) == nil, "key \(transfer.key) stored twice")
      view.references[transfer.key] = transfer.key
      view.references[transfer.id.description] = transfer.key
      if transfer.kind == .reverse, transfer.status == .posted, let ref = transfer.ref {
        view.reversed[ref, default: 0] += transfer.amount
      }
    }
    for end in fold.resolved {
      let before = view.transfers.updateValue(end.transfer, forKey: end.transfer.key)
      #expect(before?.status == .pending, "a hold is resolved that is not open")
      if let resolution = end.resolution {
        #expect(view.transfers[resolution.key] == nil, "key \(resolution.key) stored twice")
        #expect(view.resolutions.updateValue(resolution, forKey: resolution.key) == nil)
        view.references[resolution.key] = end.transfer.key
      }
    }
    entries += fold.entries + fold.resolved.flatMap(\.entries)
    return outcomes
  }

  /// The laws that hold whatever was asked: two lines a transfer that cancel out, versions from 1 without a gap,
  /// running balances, times that never go back, every currency at zero.
  func checkLaws(_ comment: Comment) {
    var last: [AssetKey: Entry] = [:]
    for entry in entries.sorted(by: { ($0.asset, $0.version) < ($1.asset, $1.version) }) {
      let before = last[entry.asset]
      #expect(entry.version == (before?.version ?? 0) + 1, comment)
      #expect(entry.balanceAfter == (before?.balanceAfter ?? 0) + entry.amount, comment)
      #expect(entry.createdAt >= before?.createdAt ?? entry.createdAt, comment)
      last[entry.asset] = entry
    }
    for (key, asset) in view.assets {
      #expect(
        asset.balance == last[key]?.balanceAfter ?? 0 && asset.version == last[key]?.version ?? 0, comment)
      #expect(asset.updatedAt >= last[key]?.createdAt ?? asset.updatedAt, comment)
      let isStandard = view.wallets[key.wallet]?.kind == .standard
      #expect(!isStandard || asset.balance >= asset.held, comment)
    }
    for lines in Dictionary(grouping: entries, by: \.transferID).values {
      #expect(lines.map(\.amount).reduce(0, +) == 0 && lines.count == 2, comment)
      #expect(Set(lines.map(\.asset.currency)).count == 1, comment)
    }
    for assets in Dictionary(grouping: view.assets, by: \.key.currency).values {
      // In a larger type: 38-digit balances of many wallets could overflow on the way to zero.
      #expect(assets.reduce(0) { $0 + Double($1.value.balance) }.magnitude < 1e26, comment)
      #expect(assets.map { $0.value.balance % 1_000_003 }.reduce(0, +) % 1_000_003 == 0, comment)
    }
    let open = Dictionary(grouping: view.transfers.values.filter { $0.status == .pending }) {
      AssetKey(wallet: $0.from, currency: $0.currency)
    }
    for (key, asset) in view.assets {
      #expect(asset.held == (open[key] ?? []).compactMap(\.hold?.amount).reduce(0, +), comment)
    }
    for (id, reversed) in view.reversed {
      let original = view.transfers.values.first { $0.id == id }
      #expect(original?.status == .posted && reversed <= original?.amount ?? 0, comment)
    }
    #expect(Set(entries.map(\.id)).count == entries.count, comment)
    #expect(Set(view.transfers.values.map(\.id)).count == view.transfers.count, comment)
  }
}

/// What can be compared of an outcome between runs, whose identifiers differ.
struct ComparableOutcome: Equatable {
  let code: ResultCode
  let replayed: Bool
  let scale: Int?
  let available: Int128?
  let stored: Transfer?

  init(_ outcome: TransferOutcome) {
    code = outcome.code
    replayed = outcome.replayed
    scale = outcome.scale
    available = outcome.available
    var transfer = outcome.transfer
    transfer?.id = .zero
    transfer?.hold?.expiresAt = nil
    transfer?.hold?.resolvedAt = nil
    // Whether there is one can be compared, which one cannot.
    if outcome.transfer?.ref != nil { transfer?.ref = .zero }
    stored = transfer
  }
}
