internal import Postgres
internal import Primitives
internal import Wallet

extension TransferFold {
  /// The rows that change with what is written. A refusal that is recorded changes none.
  var changedRows: ChangedRows { ChangedRows(wallets: changedWallets.sorted()) }

  /// The statements that write what the fold decided, in their order; none where nothing is to be stored.
  func writing() -> [BoundStatement] {
    if isEmpty { return [] }
    let (updated, created) = changedAssets
    var statements: [BoundStatement] = []
    if !created.isEmpty {
      statements.append(
        TransferStatements.createAssets(
          created.map(\.key.wallet), created.map(\.key.currency), created.map(\.asset.balance),
          created.map(\.asset.held), created.map(\.asset.version), created.map(\.asset.updatedAt)))
    }
    // What refers to another transfer comes after it, and every entry after its transfer: the database looks.
    let holds = transfers.filter { $0.hold != nil }
    let sequels = transfers.filter { $0.ref != nil }
    let plain =
      holds.isEmpty && sequels.isEmpty ? transfers : transfers.filter { $0.hold == nil && $0.ref == nil }
    let late = Set(sequels.map(\.id))
    let first = late.isEmpty ? entries : entries.filter { !late.contains($0.transferID) }
    let last = late.isEmpty ? [] : entries.filter { late.contains($0.transferID) }
    if !holds.isEmpty { statements += storing(holds: holds) }
    if !resolved.isEmpty { statements.append(resolving()) }
    if !plain.isEmpty || !updated.isEmpty { statements.append(storing(plain, first, updated)) }
    if !sequels.isEmpty { statements.append(storing(linked: sequels)) }
    if !last.isEmpty { statements.append(storing([], last, [])) }
    return statements
  }

  private func storing(
    _ transfers: [Transfer], _ entries: [Entry], _ updated: [(key: AssetKey, asset: Asset)]
  ) -> BoundStatement {
    TransferStatements.write(
      transfers.map(\.id), transfers.map(\.key), transfers.map(\.from), transfers.map(\.to),
      transfers.map(\.currency), transfers.map(\.amount), transfers.map(\.kind.rawValue),
      transfers.map(\.status.rawValue), transfers.map(\.refusal?.rawValue), transfers.map(\.memo),
      transfers.map(\.createdAt),
      entries.map(\.id), entries.map(\.transferID), entries.map(\.asset.wallet),
      entries.map(\.asset.currency), entries.map(\.amount), entries.map(\.balanceAfter),
      entries.map(\.version), entries.map(\.createdAt),
      updated.map(\.key.wallet), updated.map(\.key.currency), updated.map(\.asset.balance),
      updated.map(\.asset.held), updated.map(\.asset.version), updated.map(\.asset.updatedAt))
  }

  /// Holds with their two lines.
  private func storing(holds: [Transfer]) -> [BoundStatement] {
    let open = holds.filter { $0.status == .pending }.map(\.id)
    return [storing(linked: holds)] + (open.isEmpty ? [] : [HoldStatements.insertPendingLines(open)])
  }

  /// Transfers with more columns than a plain one has.
  private func storing(linked: [Transfer]) -> BoundStatement {
    HoldStatements.insertLinked(
      linked.map(\.id), linked.map(\.key), linked.map(\.from), linked.map(\.to), linked.map(\.currency),
      linked.map(\.amount), linked.map(\.kind.rawValue), linked.map(\.status.rawValue),
      linked.map(\.refusal?.rawValue), linked.map(\.memo), linked.map(\.createdAt), linked.map(\.ref),
      linked.map(\.hold?.amount), linked.map(\.hold?.expiresAt))
  }

  private func resolving() -> BoundStatement {
    let holds = resolved.map(\.transfer)
    let lines = resolved.flatMap(\.entries)
    let resolutions = resolved.compactMap(\.resolution)
    return HoldStatements.resolve(
      holds.map(\.id), holds.map(\.status.rawValue), holds.map(\.amount), holds.map(\.hold?.resolvedAt),
      lines.map(\.id), lines.map(\.amount), lines.map(\.balanceAfter), lines.map(\.version),
      lines.map(\.createdAt),
      resolutions.map(\.key), resolutions.map(\.kind.rawValue), resolutions.map(\.holdID),
      resolutions.map(\.amount), resolutions.map(\.memo), resolutions.map(\.createdAt))
  }
}
