/// A migrated database with a currency, a bank and two wallets, all made by the command itself.
public struct Town: Sendable {
  /// Where it lies.
  public let database: TestDatabase

  /// The keys of a transfer's JSON, in their order (SPEC section 2.4).
  public static let transferKeys = [
    "transfer_id", "key", "code", "replayed", "kind", "status", "from", "to", "currency", "amount",
    "from_balance_after", "to_balance_after", "memo", "ref", "expires_at", "created_at",
  ]

  /// The town of a server that has only its own database, `ironforge`.
  public init(on server: PrivatePostgres) async throws {
    database = server.database
    try await DatabaseTemplate.migrated.build(database)
    try await found()
  }

  /// The town in a copy of a template that was built upon `DatabaseTemplate.town`.
  public init(database: TestDatabase) { self.database = database }

  fileprivate func found() async throws {
    for result in [
      try await run("currency", "add", "USD", "--scale", "2"),
      try await run("user", "create", "--email", "ada@example.com", "--name", "Ada"),
      try await run("wallet", "create", "--user", "ada@example.com", "--name", "bank", "--external"),
      try await run("wallet", "create", "--user", "ada@example.com", "--name", "main"),
      try await run("wallet", "create", "--user", "ada@example.com", "--name", "savings"),
    ] where result.exitCode != 0 { throw TestFailure("the town was not built: \(result.stderr)") }
  }

  /// Runs the command on this database.
  public func run(
    _ arguments: String..., url: String? = nil, env: [String: String] = [:], timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    try await run(arguments, url: url, env: env, timeout: timeout)
  }

  /// The same with the words in an array.
  public func run(
    _ arguments: [String], url: String? = nil, env: [String: String] = [:], timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    var environment = env.mapValues { Optional($0) }
    environment["IRONFORGE_DATABASE_URL"] = url ?? database.url
    return try await Ironforge.run(arguments, env: environment, timeout: timeout)
  }

  /// What a wallet of Ada's holds, in dollars; zero for one that holds nothing.
  public func balance(_ wallet: String) async throws -> String {
    let rows = try await database.sql(
      "select (a.balance / 100)::numeric(40, 2) from assets a join wallets w on w.id = a.wallet_id where w.name = '\(wallet)'"
    )
    return rows.first?.first ?? "0.00"
  }

  /// `transfer` from the bank to Ada, with JSON output.
  public func send(
    _ key: String, from: String = "ada@example.com/bank", to: String = "ada@example.com/main",
    _ amount: String = "1",
    currency: String = "USD", url: String? = nil, env: [String: String] = [:],
    timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    try await run(
      "transfer", "--from", from, "--to", to, "--amount", amount, "--currency", currency, "--key", key,
      "--json",
      url: url, env: env, timeout: timeout)
  }

  /// What the whole database holds; equal when nothing was written.
  public func contents() async throws -> [[String]] {
    try await database.sql(
      """
      select (select count(*) from transfers), (select count(*) from transactions), (select count(*) from users),
        (select string_agg(a::text, ';' order by a) from assets a),
        (select string_agg(w::text, ';' order by w) from wallets w), (select count(*) from currencies)
      """)
  }
}

/// Lends a town to `body`.
public func withTown<R: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ body: (Town) async throws -> R
) async throws -> R {
  try await withDatabase(template: .town) { try await body(Town(database: $0)) }
}

extension DatabaseTemplate {
  /// The migrated schema and what `Town` promises.
  public static let town = DatabaseTemplate("town") { database in
    try await DatabaseTemplate.migrated.build(database)
    try await Town(database: database).found()
  }
}

/// The keys of a flat JSON object, in their order.
public func keys(_ json: some StringProtocol) -> [String] {
  String(json).matches(of: #/[{,]"(?<key>\w+)":/#).map { String($0.output.key) }
}

/// The text or other scalar under a key of a flat JSON object; nil where there is none.
public func value(_ key: String, in json: String) -> String? {
  for line in json.split(separator: "\n") {
    guard let found = line.firstRange(of: "\"\(key)\":") else { continue }
    let rest = line[found.upperBound...]
    if rest.hasPrefix("\"") { return String(rest.dropFirst().prefix { $0 != "\"" }) }
    return String(rest.prefix { !",}]".contains($0) })
  }
  return nil
}
