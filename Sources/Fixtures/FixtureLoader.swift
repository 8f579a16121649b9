public import Ledger
public import Postgres
internal import Primitives
internal import Wallet

/// How many rows of one fixture file are new, and how many were there already.
public struct FixtureCount: Sendable, Equatable {
  public var loaded = 0
  public var existing = 0

  mutating func add(isNew: Bool) {
    if isNew { loaded += 1 } else { existing += 1 }
  }
}

/// What a load came to.
public struct FixtureReport: Sendable, Equatable {
  public var currencies = FixtureCount()
  public var users = FixtureCount()
  public var wallets = FixtureCount()
  public var transfers = FixtureCount()
}

/// Loads a directory of CSV files: `currencies.csv`, `users.csv`, `wallets.csv`, `transfers.csv`.
///
/// All of it or nothing: every file is read and checked first, then everything happens in one transaction, by the
/// rules that hold for anybody. Loading again changes nothing, because currencies, users and wallets are known by
/// their names and transfers by their keys.
public struct FixtureLoader {
  private let session: Session
  private let ledger: Ledger
  private let fence: (any CommitFence)?
  private let shouldStop: () -> Bool

  /// Requests of one round trip.
  private static let chunkSize = 500
  /// How often a load is tried that lost a deadlock.
  private static let attemptsMax = 3

  /// - Parameters:
  ///   - fence: raised before the COMMIT; nil where nobody keeps copies of the ledger's rows.
  ///   - shouldStop: asked now and then; true rolls back and ends the load with `CancellationError`.
  public init(
    _ session: Session, fence: (any CommitFence)? = nil, shouldStop: @escaping () -> Bool = { false }
  ) {
    self.session = session
    self.fence = fence
    self.shouldStop = shouldStop
    ledger = Ledger(session)
  }

  /// Loads what `directory` holds.
  ///
  /// - Parameter progress: called with the number of transfers that are done, and of all.
  /// - Throws: `InputError` that names file and line: of kind `malformedInput` for a line that can never be loaded,
  ///   `refused` for one that the ledger refuses as it stands now.
  public func load(
    directory: String, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> FixtureReport {
    let files = try FixtureFiles(directory: directory)
    var attempt = 1
    while true {
      do {
        var fences = TransactionFences(fence)
        let report = try session.transaction { try apply(files, &fences, progress) }
        fences.settle(on: session)
        return report
      } catch let error as PostgresError where error.isTransient && attempt < Self.attemptsMax {
        attempt += 1
      }
    }
  }

  private func apply(
    _ files: FixtureFiles, _ fences: inout TransactionFences, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> FixtureReport {
    _ = try fences.ask([FixtureStatements.lock()], on: session)
    var report = FixtureReport()
    var created = ChangedRows()
    for row in files.currencies {
      report.currencies.add(isNew: try placed(row) { try ledger.addCurrency(row.value) })
    }
    for row in files.users {
      let user = try placed(row) { try addUser(row.value) }
      report.users.add(isNew: user != nil)
      if let user { created.users.append(user) }
    }
    for row in files.wallets {
      let wallet = try placed(row) { try addWallet(row.value) }
      report.wallets.add(isNew: wallet != nil)
      if let wallet { created.wallets.append(wallet) }
    }
    // Somebody may remember that they are absent.
    try fences.raise(created, on: session)
    try post(files.transfers, &report.transfers, &fences) { progress($0, files.transfers.count) }
    return report
  }

  /// Names the line where a rule refuses it. What no state of the ledger could mend is malformed.
  private func placed<Value, Result>(
    _ row: FixtureRow<Value>, _ body: () throws -> Result
  ) throws -> Result {
    if shouldStop() { throw CancellationError() }
    do {
      return try body()
    } catch let failure as SimpleFailure {
      let isMalformed = failure.kind == .usage || failure.code == "user_not_found"
      throw row.error(
        failure.message, code: failure.code, hint: failure.hint,
        kind: isMalformed ? .malformedInput : failure.kind)
    }
  }

  /// - Returns: the id of a new user; nil for one that was there.
  private func addUser(_ fixture: UserFixture) throws -> Identifier? {
    do {
      return try ledger.createUser(
        email: fixture.email, name: fixture.name, id: fixture.id, lastLoginAt: fixture.lastLoginAt
      ).id
    } catch let failure as SimpleFailure where failure.code == "user_exists" {
      let existing: User
      do {
        existing = try ledger.user(fixture.email)
      } catch let missing as SimpleFailure where missing.code == "user_not_found" {
        // It is the id that is taken.
        throw failure
      }
      guard fixture.id == nil || fixture.id == existing.id else { throw failure }
      return nil
    }
  }

  /// - Returns: the id of a new wallet; nil for one that was there.
  private func addWallet(_ fixture: WalletFixture) throws -> Identifier? {
    let owner = try ledger.user(fixture.user)
    do {
      return try ledger.createWallet(
        WalletDraft(
          userID: owner.id, name: fixture.name, network: fixture.network, address: fixture.address,
          kind: fixture.kind, id: fixture.id)
      ).id
    } catch let failure as SimpleFailure where failure.code == "wallet_exists" {
      let reference = WalletReference.named(email: owner.email, wallet: fixture.name)
      guard let id = try ledger.identifiers(of: [reference])[reference] else { throw failure }
      let existing = try ledger.wallet(id)
      let address = fixture.address.flatMap { WalletReference.normalized(address: $0) }
      guard existing.kind == fixture.kind, existing.address == address, fixture.id ?? id == id else {
        throw SimpleFailure(
          .refused, code: failure.code,
          message: "wallet \(owner.email)/\(fixture.name) exists with another kind, address or id",
          hint: "see `ironforge wallet show \(owner.email)/\(fixture.name)`")
      }
      return nil
    }
  }

  private func post(
    _ rows: [FixtureRow<TransferFixture>], _ count: inout FixtureCount, _ fences: inout TransactionFences,
    _ progress: (Int) -> Void
  ) throws {
    let references = Set(rows.flatMap { [$0.value.from, $0.value.to] })
    let found = try ledger.identifiers(of: references.map { WalletReference($0) })
    let requests = rows.map { row in
      TransferRequest(
        key: row.value.key, from: found[WalletReference(row.value.from)],
        to: found[WalletReference(row.value.to)], amount: row.value.amount, currency: row.value.currency,
        memo: row.value.memo)
    }
    try ledger.lock(ledger.assets(of: requests))
    var identifiers = IdentifierGenerator()
    for start in stride(from: 0, to: requests.count, by: Self.chunkSize) {
      if shouldStop() { throw CancellationError() }
      let end = min(start + Self.chunkSize, requests.count)
      let outcomes = try ledger.post(
        Array(requests[start..<end]), identifiers: &identifiers, fences: &fences)
      for (row, outcome) in zip(rows[start..<end], outcomes) {
        guard outcome.code.isSuccess else { throw refusal(row, outcome) }
        count.add(isNew: outcome.code == .created)
      }
      progress(end)
    }
  }

  private func refusal(_ row: FixtureRow<TransferFixture>, _ outcome: TransferOutcome) -> InputError {
    let code = outcome.code
    let isState = code.isRecorded || code == .keyReusedWithDifferentRequest
    return row.error(
      "\(code.sentence) (\(row.value.from) to \(row.value.to), \(row.value.amount) \(row.value.currency))",
      code: code.rawValue, hint: code.hint, kind: isState ? .refused : .malformedInput)
  }
}
