public import ConnectionPool
public import Ledger
public import Postgres
public import Primitives
internal import Wallet

/// Loads a ledger with single transfers, as many callers of `ironforge transfer` would.
///
/// The wallets are its own: one user, one external wallet and `walletCount` standard ones of the currency
/// `BENCH`, made and funded by ordinary transfers, so that no real money moves and the ledger still verifies.
public struct TransferLoad: Sendable {
  private let pool: PostgresPool
  private let walletCount: Int
  private let fences: (@Sendable () -> any CommitFence)?
  private static let currency = Currency(code: "BENCH", scale: 2)
  private static let email = "bench@ironforge.invalid"

  /// - Parameters:
  ///   - pool: holds as many connections as a plan wants.
  ///   - fences: makes what each connection raises before its COMMITs; nil where nobody keeps copies of the rows.
  public init(walletCount: Int, pool: PostgresPool, fences: (@Sendable () -> any CommitFence)? = nil) {
    self.fences = fences
    self.walletCount = walletCount
    self.pool = pool
  }

  /// Makes and funds the wallets; those of an earlier run are used again.
  ///
  /// - Returns: the wallets that money moves among.
  /// - Throws: what connecting and transferring throws.
  public func prepare() async throws -> [Identifier] {
    try await pool.withConnection { connection in
      try await connection.withSession { session in try prepare(session, fences?()) }
    }
  }

  /// Sends transfers among the wallets until the run is over.
  ///
  /// - Throws: what connecting throws, where trying again is no use; failures of requests are counted.
  public func run(_ run: LoadRun, among wallets: [Identifier]) async throws {
    try await run.onConnections(of: pool) { session in
      let processor = TransferProcessor(fence: fences?(), shouldStop: { run.isStopped }) { session }
      var keys = IdentifierGenerator()
      run.work {
        session.isOpen
      } send: {
        Self.sendOne(processor, among: wallets, key: keys.next().description)
      }
    }
  }

  /// Moves one minor unit between two random wallets.
  private static func sendOne(
    _ processor: TransferProcessor, among wallets: [Identifier], key: String
  ) -> String? {
    let from = Int.random(in: 0..<wallets.count)
    let to = (from + Int.random(in: 1..<wallets.count)) % wallets.count
    do {
      let outcome = try processor.process([
        TransferRequest(
          key: key, from: wallets[from], to: wallets[to], amount: "0.01", currency: currency.code)
      ])[0]
      return outcome.code.isSuccess ? nil : outcome.code.rawValue
    } catch {
      return (error as? any Failure)?.code ?? "unexpected"
    }
  }

  private func prepare(_ session: Session, _ fence: (any CommitFence)?) throws -> [Identifier] {
    let ledger = Ledger(session, fence: fence)
    _ = try ledger.addCurrency(Self.currency)
    let user: Identifier
    do {
      user = try ledger.createUser(email: Self.email, name: "Benchmark").id
    } catch let failure as SimpleFailure where failure.code == "user_exists" {
      user = try ledger.user(Self.email).id
    }
    let source = try wallet(ledger, user, "external", .external)
    let wallets = try (0..<walletCount).map { try wallet(ledger, user, "bench-\($0)", .standard) }
    try fund(wallets, from: source, ledger, session, fence)
    return wallets
  }

  private func wallet(
    _ ledger: Ledger, _ user: Identifier, _ name: String, _ kind: WalletKind
  ) throws -> Identifier {
    let reference = WalletReference.named(email: Self.email, wallet: name)
    if let id = try ledger.identifiers(of: [reference])[reference] { return id }
    let draft = WalletDraft(userID: user, name: name, network: "bench", address: nil, kind: kind)
    return try ledger.createWallet(draft).id
  }

  /// Tops wallets up to enough for any run: a million minor units.
  private func fund(
    _ wallets: [Identifier], from source: Identifier, _ ledger: Ledger, _ session: Session,
    _ fence: (any CommitFence)?
  ) throws {
    let floor: Int128 = 1_000_000
    var balances: [Identifier: Int128] = [:]
    for record in try ledger.assets(of: wallets) where record.currency == Self.currency {
      balances[record.walletID] = record.asset.balance
    }
    var keys = IdentifierGenerator()
    let requests = wallets.filter { (balances[$0] ?? 0) < floor }.map { wallet in
      TransferRequest(
        key: "bench-\(keys.next())", from: source, to: wallet, amount: "10000.00",
        currency: Self.currency.code)
    }
    let processor = TransferProcessor(fence: fence) { session }
    for start in stride(from: 0, to: requests.count, by: 500) {
      _ = try processor.process(Array(requests[start..<min(start + 500, requests.count)]))
    }
  }
}
