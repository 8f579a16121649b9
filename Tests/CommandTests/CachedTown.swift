import Cache
import Redis
import TestSupport
import WalletCache

/// A town whose users and wallets are cached in a Redis of its own.
struct CachedTown: Sendable {
  let town: Town
  let redis: PrivateRedis

  var database: TestDatabase { town.database }

  /// Runs the command on both servers.
  func run(
    _ arguments: String..., url: String? = nil, env: [String: String] = [:], timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    try await town.run(arguments, url: url, env: environment(env), timeout: timeout)
  }

  /// Starts the command in the background.
  func start(_ arguments: String..., env: [String: String] = [:]) async throws -> RunningProgram {
    var environment = environment(env).mapValues { Optional($0) }
    environment["IRONFORGE_DATABASE_URL"] = town.database.url
    return try await Ironforge.start(arguments, env: environment)
  }

  private func environment(_ env: [String: String]) -> [String: String] {
    ["IRONFORGE_REDIS_URL": redis.url].merging(env) { _, given in given }
  }

  /// One command of Redis, as any other program would send it.
  @discardableResult
  func command(_ name: String, _ words: Argument...) async throws -> Reply {
    let endpoint = try Endpoint(url: redis.url)
    return try await blocking {
      try Session(connecting: endpoint).execute(Command([.text(name)] + words))
    }
  }

  /// The key of a wallet or of Ada.
  func key(ofWallet name: String) async throws -> String {
    "wallet:\(try await id("select id from wallets where name = '\(name)'"))"
  }

  func keyOfAda() async throws -> String {
    "user:\(try await id("select id from users where email = 'ada@example.com'"))"
  }

  private func id(_ query: String) async throws -> String {
    guard let id = try await database.sql(query).first?.first else { throw TestFailure("no row: \(query)") }
    return id
  }
}

/// Lends a town and a Redis to `body`.
func withCachedTown<R: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ body: (CachedTown) async throws -> R
) async throws -> R {
  try await withRedis { redis in
    // Vouched for while it is new and empty, so that what a test puts there by hand is not taken away as of doubtful origin.
    let endpoint = try Endpoint(url: redis.url)
    let isTrusted = try await blocking {
      try FencedStore().establish(TrustedServers(CachedTable.keys), in: Session(connecting: endpoint)) {
        Horizon(latest: TransactionID(3), fencing: [])
      }
    }
    guard isTrusted else { throw TestFailure("Redis is not trusted") }
    return try await withTown { town in try await body(CachedTown(town: town, redis: redis)) }
  }
}
