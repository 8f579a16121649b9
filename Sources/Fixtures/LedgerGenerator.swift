internal import Ledger
public import Postgres
internal import Primitives
internal import Wallet

/// What was generated.
public struct GenerationReport: Sendable, Equatable {
  public let users: Int
  public let wallets: Int
  /// Refused ones included.
  public let transfers: Int
  /// Ledger entries: two for each posted transfer.
  public let transactions: Int
}

/// Fills a database with a made-up ledger by binary COPY, in one transaction.
///
/// The history is gone through twice: once in memory, for the balances that it ends with, because entries may only be
/// written for assets that exist; then again while its transfers and entries are copied, batch by batch.
public struct LedgerGenerator {
  /// Transfers of one COPY; bounds the memory on both sides.
  private static let batchSize = 50_000
  /// Bound on one statement.
  private static let statementTimeout: Duration = .seconds(3600)

  private let session: Session
  private let plan: GenerationPlan
  private let shouldStop: () -> Bool
  private let codes = GeneratedCurrency.all.map(\.currency.code)

  /// - Parameter shouldStop: asked between batches; true rolls back and ends the work with `CancellationError`.
  public init(_ session: Session, plan: GenerationPlan, shouldStop: @escaping () -> Bool = { false }) {
    self.session = session
    self.plan = plan
    self.shouldStop = shouldStop
  }

  /// Generates all of it, or nothing.
  ///
  /// - Parameter progress: called with the number of transfers that are written.
  /// - Throws: `already_generated` when the seed was used on this database; `currency_exists` when a currency has
  ///   another scale than generated ledgers use.
  public func run(progress: (_ transfers: Int) -> Void = { _ in }) throws -> GenerationReport {
    try session.withStatementTimeout(Self.statementTimeout) {
      try session.transaction { try generate(progress) }
    }
  }

  private func generate(_ progress: (_ transfers: Int) -> Void) throws -> GenerationReport {
    try session.query(FixtureStatements.lock())
    if try session.query(FixtureStatements.emailExists(plan.email(0)))[0].decode(0) {
      throw SimpleFailure(
        .refused, code: "already_generated",
        message: "this database holds the ledger of seed \(plan.seed) already",
        hint: "choose another one: --seed \(plan.seed &+ 1)")
    }
    let ledger = Ledger(session)
    for generated in GeneratedCurrency.all { _ = try ledger.addCurrency(generated.currency) }
    let users = try copyUsers()
    let wallets = try copyWallets(of: users)
    let simulation = LedgerSimulation(plan)
    let postedCount = try copyAssets(wallets, simulation)
    try copyTransfers(wallets, simulation, progress)
    try session.simple("analyze users, wallets, currencies, assets, transfers, transactions")
    return GenerationReport(
      users: users.count, wallets: wallets.count, transfers: plan.transfers,
      transactions: postedCount * 2)
  }

  private func checkStop() throws {
    if shouldStop() { throw CancellationError() }
  }

  /// A moment of the year before the history begins; rises with `index`.
  private func time(_ index: Int, of count: Int) -> Timestamp {
    let year: Int64 = 365 * 86_400_000
    let start = plan.end.microseconds / 1000 - LedgerSimulation.window - year
    return Timestamp(microseconds: (start + year / Int64(count) * Int64(index)) * 1000)
  }

  private func copyUsers() throws -> [Identifier] {
    var random = SplitMix64(seed: plan.seed, stream: 3)
    var identifiers = IdentifierGenerator(random: SplitMix64(seed: plan.seed, stream: 4))
    var ids: [Identifier] = []
    ids.reserveCapacity(plan.users)
    try session.copyIn(
      "copy users (id, email, name, last_login_at, created_at) from stdin (format binary)"
    ) { writer in
      for index in 0..<plan.users {
        let id = identifiers.next(at: time(index, of: plan.users))
        let first = GeneratedNames.first[random.below(GeneratedNames.first.count)]
        let last = GeneratedNames.last[random.below(GeneratedNames.last.count)]
        try writer.row(
          id, plan.email(index), index == 0 ? "Bank" : "\(first) \(last)", lastLogin(&random), id.timestamp)
        ids.append(id)
      }
    }
    return ids
  }

  /// One in ten never came; the others did within the last 60 days, most of them lately.
  private func lastLogin(_ random: inout SplitMix64) -> Timestamp? {
    if random.below(10) == 0 { return nil }
    let share = random.unit()
    return Timestamp(
      microseconds: plan.end.microseconds - Int64(share * share * share * 60 * 86_400_000_000))
  }

  private func copyWallets(of users: [Identifier]) throws -> [Identifier] {
    var random = SplitMix64(seed: plan.seed, stream: 5)
    var identifiers = IdentifierGenerator(random: SplitMix64(seed: plan.seed, stream: 6))
    var ids: [Identifier] = []
    ids.reserveCapacity(plan.wallets)
    try session.copyIn(
      """
      copy wallets (id, user_id, name, network, address, kind, status, created_at, updated_at)
      from stdin (format binary)
      """
    ) { writer in
      for index in 0..<plan.wallets {
        let id = identifiers.next(at: time(index, of: plan.wallets))
        // After one round over all users each has a wallet; names are numbered from the second round on.
        let round = index / users.count
        let name = index == 0 ? "external" : GeneratedNames.wallets[round % GeneratedNames.wallets.count]
        let suffix = round < GeneratedNames.wallets.count ? "" : "-\(round)"
        try writer.row(
          id, users[index % users.count], name + suffix, "eth", address(index, &random),
          (index == 0 ? WalletKind.external : .standard).rawValue, WalletStatus.active.rawValue,
          id.timestamp, id.timestamp)
        ids.append(id)
      }
    }
    return ids
  }

  /// Two wallets in three have one.
  private func address(_ index: Int, _ random: inout SplitMix64) -> String? {
    if index % 3 == 0 { return nil }
    var address = "0x"
    for width in [16, 16, 8] {
      let word = String(random.next() >> UInt64(64 - width * 4), radix: 16)
      address += String(repeating: "0", count: width - word.utf8.count) + word
    }
    return address
  }

  /// - Returns: how many transfers of the history are posted.
  private func copyAssets(_ wallets: [Identifier], _ simulation: LedgerSimulation) throws -> Int {
    var rehearsal = simulation
    var count = 0
    while rehearsal.next() != nil {
      count += 1
      if count % Self.batchSize == 0 { try checkStop() }
    }
    try session.copyIn(
      """
      copy assets (wallet_id, currency, wallet_kind, balance, version, created_at, updated_at)
      from stdin (format binary)
      """
    ) { writer in
      try rehearsal.forEachHolding { wallet, currency, holding in
        try writer.row(
          wallets[wallet], codes[currency], (wallet == 0 ? WalletKind.external : .standard).rawValue,
          holding.balance, holding.version, holding.createdAt, holding.updatedAt)
      }
    }
    return rehearsal.postedCount
  }

  private func copyTransfers(
    _ wallets: [Identifier], _ simulation: LedgerSimulation, _ progress: (_ transfers: Int) -> Void
  ) throws {
    var simulation = simulation
    var batch: [GeneratedTransfer] = []
    batch.reserveCapacity(Self.batchSize)
    var done = 0
    while done < plan.transfers {
      try checkStop()
      batch.removeAll(keepingCapacity: true)
      while batch.count < Self.batchSize, let transfer = simulation.next() { batch.append(transfer) }
      try copyTransfers(batch, wallets)
      try copyEntries(batch, wallets)
      done += batch.count
      progress(done)
      // The integrity triggers would keep the plans that were good for the first batch, when tables were empty.
      try session.simple("discard plans")
    }
  }

  private func copyTransfers(_ batch: [GeneratedTransfer], _ wallets: [Identifier]) throws {
    try session.copyIn(
      """
      copy transfers
        (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, code, memo, created_at)
      from stdin (format binary)
      """
    ) { writer in
      for transfer in batch {
        let isPosted = transfer.movement != nil
        try writer.row(
          transfer.id, plan.key(transfer.index), wallets[transfer.from], wallets[transfer.to],
          codes[transfer.currency], transfer.amount, TransferKind.transfer.rawValue,
          (isPosted ? TransferStatus.posted : .refused).rawValue,
          isPosted ? nil : ResultCode.insufficientFunds.rawValue, transfer.memo, transfer.id.timestamp)
      }
    }
  }

  private func copyEntries(_ batch: [GeneratedTransfer], _ wallets: [Identifier]) throws {
    try session.copyIn(
      """
      copy transactions
        (id, transfer_id, wallet_id, currency, amount, balance_after, version, status, created_at)
      from stdin (format binary)
      """
    ) { writer in
      let posted = EntryStatus.posted.rawValue
      for transfer in batch {
        guard let movement = transfer.movement else { continue }
        let currency = codes[transfer.currency]
        let time = transfer.id.timestamp
        try writer.row(
          transfer.id.debitID, transfer.id, wallets[transfer.from], currency, -transfer.amount,
          movement.fromBalance, movement.fromVersion, posted, time)
        try writer.row(
          transfer.id.creditID, transfer.id, wallets[transfer.to], currency, transfer.amount,
          movement.toBalance, movement.toVersion, posted, time)
      }
    }
  }
}
