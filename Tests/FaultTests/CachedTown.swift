import Primitives
import Redis
import TestSupport

/// A town with a Redis in which all of its users and wallets are cached.
struct CachedTown: Sendable {
  let town: Town
  let redis: PrivateRedis

  /// The command on this database, with this Redis unless another is named; nil for none.
  func run(
    _ arguments: [String], redis url: String?, database: String? = nil, env: [String: String] = [:],
    timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    var env = env
    if let url { env["IRONFORGE_REDIS_URL"] = url }
    return try await town.run(arguments, url: database, env: env, timeout: timeout)
  }

  /// The command with this Redis.
  func run(_ arguments: String..., env: [String: String] = [:]) async throws -> ProgramResult {
    try await run(arguments, redis: redis.url, env: env)
  }

  /// A dollar from one wallet of Ada's to another.
  static func sending(_ key: String, from: String = "bank", to: String = "main", _ amount: String = "1")
    -> [String]
  {
    [
      "transfer", "--from", "ada@example.com/\(from)", "--to", "ada@example.com/\(to)", "--amount", amount,
      "--currency", "USD", "--key", key, "--json",
    ]
  }

  /// Speaks with this Redis.
  @discardableResult
  func ask<R: Sendable>(_ body: @escaping @Sendable (Redis.Session) throws -> R) async throws -> R {
    let url = redis.url
    return try await blocking {
      let session = try Redis.Session(connecting: try Endpoint(url: url))
      defer { session.close() }
      return try body(session)
    }
  }

  /// What the cached rows are called here, by their keys in Redis: `main` for `wallet:<id>`, `ada` for `user:<id>`.
  func keys() async throws -> [String: String] {
    let rows = try await town.database.sql(
      "select 'wallet:' || id, name from wallets union all select 'user:' || id, lower(name) from users")
    return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
  }

  /// Caches all rows anew, each with somebody who is about to fill it; forgets all fences. Returns what `fenced` needs.
  func plant() async throws -> Planted {
    let keys = try await keys()
    let now = try await town.database.sql("select pg_current_xact_id()")
    guard let text = now.first?.first, let transaction = UInt64(text) else {
      throw TestFailure("no number of a transaction")
    }
    try await ask { session in
      try session.execute("FLUSHALL")
      for key in keys.keys {
        try session.execute("SET", .text(key), "planted")
        try session.execute("HSET", .text("fence:{\(key)}"), "lease", "9999999999999 somebody")
      }
    }
    return Planted(names: keys, transaction: transaction)
  }

  /// Rows that were cached, and the last transaction before.
  struct Planted: Sendable {
    let names: [String: String]
    let transaction: UInt64
  }

  /// The names of rows that a write has fenced since they were planted; the others must stand as they were planted.
  func fenced(since planted: Planted) async throws -> Set<String> {
    try await ask { session in
      var fenced: Set<String> = []
      for (key, name) in planted.names {
        let look = """
          return {redis.call('GET', KEYS[1]), redis.call('HGET', KEYS[2], 'lease'), redis.call('HKEYS', KEYS[2])}
          """
        let found =
          try session.execute("EVAL", .text(look), 2, .text(key), .text("fence:{\(key)}")).array() ?? []
        guard found.count == 3 else { throw TestFailure("a script's reply of \(found.count) parts") }
        let (value, lease) = (try found[0].text(), try found[1].text())
        let fences = try (found[2].array() ?? []).compactMap { try $0.text() }.filter { $0.hasPrefix("x:") }
        let isNew = fences.contains { (UInt64($0.dropFirst(2)) ?? 0) > planted.transaction }
        // One script does all of it, so nothing is ever seen in between.
        switch (value, lease, isNew) {
        case (nil, nil, true): fenced.insert(name)
        case ("planted", .some, false): break
        default: throw TestFailure("\(name) is half fenced: \(value ?? "-"), \(lease ?? "-"), \(fences)")
        }
      }
      return fenced
    }
  }

  /// The names that rows of the outbox hold, and nothing else.
  func outbox() async throws -> Set<String> {
    let names = try await keys()
    let rows = try await town.database.sql("select unnest(keys) from ironforge.cache_outbox")
    return Set(rows.map { names[$0[0]] ?? $0[0] })
  }

  /// Whether the ledger verifies.
  func expectSound(_ where: String = "") async throws {
    let verified = try await town.run("ledger", "verify", "--json")
    guard verified.exitCode == 0 else { throw TestFailure("\(`where`): \(verified)") }
  }
}

/// Lends a town with a cache to `body`; at its end the ledger must verify.
func withCachedTown(
  isolation: isolated (any Actor)? = #isolation, _ body: (CachedTown) async throws -> Void
) async throws {
  try await withRedis { redis in
    try await withTown { town in
      let cached = CachedTown(town: town, redis: redis)
      try await body(cached)
      try await cached.expectSound()
    }
  }
}
