import Glibc
import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// Three wallets on a migrated database: a bank, through which money comes in, and two people's.
struct World: Sendable {
  let database: TestDatabase
  let owner: Identifier
  let bank: Identifier
  let ada: Identifier
  let bob: Identifier

  /// Lends a session to `body`, on a thread of its own.
  @discardableResult
  func with<R: Sendable>(
    _ options: SessionOptions = SessionOptions(), _ body: @Sendable @escaping (Session) throws -> R
  ) async throws -> R {
    try await onSession(database.url, options, body)
  }

  /// A wait for a lock that ends only when the test says so, however busy the machine is.
  static let patient = SessionOptions(lockTimeout: .seconds(60))

  /// Carries requests out in one transaction, as the command does.
  @discardableResult
  func transfer(_ requests: TransferRequest...) async throws -> [TransferOutcome] {
    let url = database.url
    return try await with { _ in try processor(url, Self.patient).process(requests) }
  }

  /// From the bank to Ada unless said otherwise.
  func request(
    _ key: String, from: Identifier? = nil, to: Identifier? = nil, _ amount: String = "1",
    _ currency: String = "USD"
  ) -> TransferRequest {
    TransferRequest(key: key, from: from ?? bank, to: to ?? ada, amount: amount, currency: currency)
  }

  /// Waits until exactly `count` sessions of this database wait for a lock.
  func waitForWaiters(_ count: Int64) async throws {
    try await with { session in
      let deadline = Deadline.after(.seconds(40))
      while try session.query(Self.waiters()).first?.decode(0) != count {
        guard !deadline.hasPassed else { throw TestFailure("never did \(count) sessions wait for a lock") }
        usleep(20_000)
      }
    }
  }

  private static let waiters = Statement(
    """
    select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    """, columns: [.int8])
}

/// Opens a session, lends it and closes it.
@discardableResult
func onSession<R: Sendable>(
  _ url: String, _ options: SessionOptions = SessionOptions(),
  _ body: @Sendable @escaping (Session) throws -> R
) async throws -> R {
  let connection = try await Connection.connect(to: ConnectionString(url), options: options)
  let result: R
  do {
    result = try await connection.withSession(body)
  } catch {
    await connection.close()
    throw error
  }
  await connection.close()
  return result
}

func processor(_ url: String, _ options: SessionOptions = SessionOptions()) -> TransferProcessor {
  TransferProcessor { try Session(connecting: ConnectionString(url), options: options) }
}

/// Lends a fresh ledger to `body`.
func withWorld<R: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ body: (World) async throws -> R
) async throws -> R {
  try await withDatabase(template: .migrated) { database in
    let ids = try await onSession(database.url) { session in
      let ledger = Ledger(session)
      for (code, scale) in [("USD", 2), ("EUR", 2), ("ETH", 18)] {
        _ = try ledger.addCurrency(Currency(code: code, scale: scale))
      }
      let owner = try ledger.createUser(email: "ada@example.com", name: "Ada").id
      func create(_ name: String, _ kind: WalletKind) throws -> Identifier {
        try ledger.createWallet(
          WalletDraft(userID: owner, name: name, network: "eth", address: nil, kind: kind)
        ).id
      }
      return [
        owner, try create("bank", .external), try create("ada", .standard), try create("bob", .standard),
      ]
    }
    return try await body(
      World(database: database, owner: ids[0], bank: ids[1], ada: ids[2], bob: ids[3]))
  }
}

/// The code of the failure that `body` ends with; nil when it ends well.
func code(of body: () async throws -> Void) async -> String? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? any Failure)?.code ?? "\(error)"
  }
}
