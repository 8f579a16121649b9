internal import Cache
public import ConnectionPool
public import Postgres
internal import Primitives
internal import WalletCache

/// Loads a database with reads of wallets, each with what it holds, as a service does that has no cache.
public struct ReadLoad: Sendable {
  private let pool: PostgresPool
  private let keys: BenchKeys

  /// - Parameter pool: holds as many connections as a plan wants.
  public init(_ keys: BenchKeys, pool: PostgresPool) {
    self.pool = pool
    self.keys = keys
  }

  /// Reads wallets until the run is over.
  ///
  /// - Throws: what connecting throws, where trying again is no use; failures of requests are counted.
  public func run(_ run: LoadRun) async throws {
    try await run.onConnections(of: pool) { [keys] session in
      let reader = RowReader(session)
      run.work {
        session.isOpen
      } send: {
        do {
          return try reader.load(keys.next()).value == .absent ? BenchKeys.goneCode : nil
        } catch {
          return (error as? any Failure)?.code ?? "unexpected"
        }
      }
    }
  }
}

/// The wallets that are read, and how often each.
public struct BenchKeys: Sendable {
  private let wallets: [CachedRow]
  private let choice: KeyChoice

  /// The code of a wallet that was there before the run.
  static let goneCode = "wallet_not_found"

  /// Takes the first wallets of a database in the order of their ids.
  ///
  /// - Parameter limit: how many, at most.
  /// - Throws: `no_wallets`; what connecting throws.
  public init(from pool: PostgresPool, limit: Int, skew: KeySkew) async throws {
    let ids = try await pool.withConnection { connection in
      try await connection.withSession { session in
        try session.query(BenchStatements.wallets(Int64(limit))).map { try $0.decode(0, as: Identifier.self) }
      }
    }
    guard !ids.isEmpty else {
      throw SimpleFailure(
        .refused, code: "no_wallets", message: "the database has no wallets to read",
        hint: "make some: `ironforge fixtures generate --users 1000 --wallets 5000 --transfers 20000`")
    }
    wallets = ids.map { CachedRow(.wallets, $0) }
    choice = KeyChoice(skew, among: ids.count)
  }

  /// How many there are.
  public var count: Int { wallets.count }

  func next() -> CachedRow { wallets[choice.place(.random(in: 0..<1))] }
}
