internal import Cache
internal import Commands
internal import Configuration
internal import ConnectionPool
internal import Ledger
internal import Postgres
internal import Primitives
internal import Redis
internal import Wallet
internal import WalletCache

/// Where wallets are read: the two tiers of the cache, and a pool of connections to PostgreSQL.
///
/// Everything that blocks does so on the thread of a connection, never on one that serves HTTP.
final class WalletSource: Sendable {
  let pool: PostgresPool
  let l1: L1Cache
  private let tracker: KeyTracker
  private let cache: TieredCache
  private let redis: Redis.Connection

  /// - Throws: `ConfigurationFailure`; `redis_url`.
  init(_ context: CommandContext) throws {
    let pool = try context.pool(connections: 1)
    let redis = try context.redisConnections(1)[0]
    let followed = try context.followedL1()
    self.pool = pool
    self.redis = redis
    (l1, tracker) = (followed.l1, followed.tracker)
    cache = TieredCache(
      l1: l1, store: try context.fencedStore(), redis: redis, servers: TrustedServers(CachedTable.keys)
    ) {
      try await pool.reading { try $0.fenceHorizon() }
    }
  }

  /// A wallet by its id out of memory; nil where it is not there, or is named otherwise. Never waits.
  ///
  /// - Throws: `wallet_not_found`, of one that is known not to be there.
  func walletInMemory(_ text: String) throws(SimpleFailure) -> String? {
    guard case .id(let id) = WalletReference(text),
      let value = cache.valueInMemory(of: CachedRow(.wallets, id).key)
    else { return nil }
    guard let json = value.text else { throw Self.notFound(text) }
    return json
  }

  /// A wallet as `cache get` shows it, with what it holds.
  ///
  /// - Parameter text: an id, an address, or `email/wallet-name`.
  /// - Throws: `wallet_not_found`; what reading the database throws.
  func wallet(_ text: String) async throws -> (json: String, tier: CacheTier) {
    let reference = WalletReference(text)
    let id: Identifier
    switch reference {
    case .id(let known): id = known
    case .address, .named:
      // Which wallet has an address or a name is not cached: a wallet may be renamed, and both are asked for seldom.
      let found = try await pool.reading { try Ledger($0).identifiers(of: [reference])[reference] }
      guard let found else { throw Self.notFound(text) }
      id = found
    case .malformed: throw Self.notFound(text)
    }
    let row = CachedRow(.wallets, id)
    let (value, tier) = try await cache.answer(for: row.key) { [pool] in
      try await pool.reading { try RowReader($0).load(row) }
    }
    guard let json = value.text else { throw Self.notFound(text) }
    return (json, tier)
  }

  private static func notFound(_ text: String) -> SimpleFailure {
    SimpleFailure(
      .refused, code: "wallet_not_found", message: "there is no wallet \"\(text.prefix(128))\"")
  }

  /// A page of wallets, newest first.
  ///
  /// - Throws: `user_not_found`; what reading the database throws.
  func wallets(_ request: WalletListRequest) async throws -> JSON {
    try await pool.reading { session in
      let ledger = Ledger(session)
      let user = try request.user.map { try ledger.user($0).id }
      return try ledger.wallets(user: user, status: request.status, request.page).json
    }
  }

  /// Adds what this process has counted to what all have.
  func publishCounters() async {
    do {
      try await redis.withSession { [cache] in try cache.counters.publish(to: $0) }
    } catch {
      // Redis is away: readiness says so, and a count that is too low harms nobody.
    }
  }

  /// Ends what it keeps open. Callers that still read are let finish until `deadline`.
  func close(deadline: Deadline) async throws {
    tracker.stop()
    await publishCounters()
    try await pool.drain(deadline: deadline)
  }
}

extension ConnectionPool<Postgres.Connection> {
  /// Lends a session to what may be done twice. Connections that died while they sat idle, as all do when the server
  /// restarts, are found out one by one: no client has to pay for them.
  ///
  /// - Throws: as `withConnection`.
  fileprivate func reading<Result: Sendable>(
    _ body: @escaping @Sendable (Postgres.Session) throws -> Result
  ) async throws -> Result {
    var triesLeft = statistics.idle
    while true {
      do {
        return try await withConnection { try await $0.withSession(body) }
      } catch let error as PostgresError {
        // A server that is silent is not asked again, and one that cannot be connected to is the pool's business.
        switch error {
        case .connectionLost, .server: break
        default: throw error
        }
        guard triesLeft > 0, error.endsSession else { throw error }
        triesLeft -= 1
      }
    }
  }
}

/// `GET /api/v1/wallets` as a value.
struct WalletListRequest: Sendable {
  var user: String?
  var status: WalletStatus?
  let page: PageRequest

  static let limitMax = 1000

  /// - Throws: `parameter_invalid`; `cursor_invalid`.
  init(query: [(name: String, value: String)]) throws(SimpleFailure) {
    var limit = 50
    var cursor: Cursor?
    var names: Set<String> = []
    for (name, value) in query {
      guard names.insert(name).inserted else { throw Self.invalid("\"\(name)\" is given twice") }
      switch name {
      case "limit":
        guard let number = Int(value), (1...Self.limitMax).contains(number) else {
          throw Self.invalid("limit must be a number from 1 to \(Self.limitMax)")
        }
        limit = number
      case "cursor": cursor = try Cursor(value)
      case "user": user = value
      case "status":
        guard let known = WalletStatus(rawValue: value) else {
          throw Self.invalid("status must be active, frozen or closed")
        }
        status = known
      default: throw Self.invalid("there is no parameter \"\(name)\"")
      }
    }
    page = PageRequest(limit: limit, cursor: cursor)
  }

  static func invalid(_ message: String) -> SimpleFailure {
    SimpleFailure(
      .usage, code: "parameter_invalid", message: message, hint: "known are limit, cursor, user and status")
  }
}
