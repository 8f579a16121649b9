import ArgumentParser
import Postgres
import TestSupport
import Testing

@testable import Commands

/// Every command through PgBouncer in transaction mode, the one that shows itself and the one that hides.
@Suite(.timeLimit(.minutes(8)))
struct PoolerCommandTests {
  /// They know no PostgreSQL, or are about the servers of the sandbox. `serve` runs until it is stopped, and is asked through a
  /// pooler in ServeTests.
  private static let withoutDatabase: Set<String> = [
    "sandbox up", "sandbox down", "sandbox status", "sandbox env", "sandbox reset", "config show",
    "config check", "migrate lint", "migrate new", "cache simulate", "serve",
    "bench http",
  ]

  private enum Expectation {
    case works
    /// One of several exit codes that all mean that it worked.
    case ends([Int32])
    /// Exit 78 with this code and a hint that names the way out.
    case refused(String)
  }

  private struct Line {
    let words: [String]
    var expected = Expectation.works

    init(_ words: String..., expect expected: Expectation = .works) {
      self.words = words
      self.expected = expected
    }
  }

  @Test(arguments: ["", "ignore_startup_parameters = options"])
  func everyCommandWorksOrSaysThatItCannot(settings: String) async throws {
    let directory = try TemporaryDirectory("pooler-commands")
    try await withCachedTown { town in
      let undo = directory.file("undo.sql")
      let lines = try await Self.lines(town, directory, undo)
      let untold = Self.leaves(RootCommand.self).filter { leaf in
        !Self.withoutDatabase.contains(leaf)
          && !lines.contains { $0.words.joined(separator: " ").hasPrefix(leaf) }
      }
      #expect(untold == [], "a command that needs a line in this table")
      try await withPooler(town.database, settings: settings + "\ndefault_pool_size = 4") { url in
        for line in lines {
          let result = try await town.run(line.words, url: url)
          Self.judge(line, result)
        }
        try await Self.expectNothingLeftBehind(url)
      }
    }
  }

  private static func judge(_ line: Line, _ result: ProgramResult) {
    let command = line.words.joined(separator: " ")
    switch line.expected {
    case .works: #expect(result.exitCode == 0, "\(command): \(result)")
    case .ends(let codes): #expect(codes.contains(result.exitCode), "\(command): \(result)")
    case .refused(let code):
      #expect(result.exitCode == 78 && value("code", in: result.stderr) == code, "\(command): \(result)")
      let hint = value("hint", in: result.stderr) ?? ""
      #expect(hint.contains("server's own address"), "\(command): \(hint)")
    }
  }

  /// The server connections that the commands have shared, all at once: no statement by name, no setting of a session.
  /// PgBouncer itself carries a handful of settings from client to client.
  private static func expectNothingLeftBehind(_ url: String) async throws {
    let found = try await blocking {
      let sessions = try (0..<4).map { _ in try Postgres.Session(connecting: ConnectionString(url)) }
      defer { for session in sessions { session.close() } }
      return try sessions.map { session in
        // Left open, so that the next session gets another server connection.
        try session.simple("begin")
        let rows = try session.query(leftBehind())
        return try rows[0].decode(0, as: String.self)
      }
    }
    #expect(found == ["", "", "", ""])
  }

  private static let leftBehind = Statement(
    """
    select concat_ws(' ', (select string_agg(name, ' ') from pg_prepared_statements where name <> ''),
      (select string_agg(name || '=' || setting, ' ') from pg_settings
       where source = 'session' and name not in ('client_encoding', 'DateStyle', 'TimeZone', 'application_name',
         'standard_conforming_strings', 'IntervalStyle', 'transaction_isolation')))
    """, columns: [.text])

  // MARK: The table

  private static func lines(
    _ town: CachedTown, _ directory: TemporaryDirectory, _ undo: String
  ) async throws -> [Line] {
    try await prepareIndexes(town, undo)
    return moneyLines() + (try await holdLines(town)) + (try fileLines(directory, town.database.name))
      + (try await cacheLines(town)) + indexLines(town.database.name, directory, undo)
  }

  private static let main = "ada@example.com/main"
  private static let bank = "ada@example.com/bank"

  private static func moneyLines() -> [Line] {
    [
      Line("currency", "add", "EUR", "--scale", "2"), Line("currency", "list"),
      Line("user", "create", "--email", "bo@example.com"), Line("user", "show", "bo@example.com"),
      Line("user", "list"),
      Line("wallet", "create", "--user", "bo@example.com", "--name", "purse"), Line("wallet", "list"),
      Line("wallet", "rename", "bo@example.com/purse", "bag"), Line("wallet", "freeze", "bo@example.com/bag"),
      Line("wallet", "unfreeze", "bo@example.com/bag"), Line("wallet", "close", "bo@example.com/bag"),
      Line(
        "transfer", "send", "--from", bank, "--to", main, "--amount", "10", "--currency", "USD", "--key", "s1"
      ),
      Line("wallet", "show", main), Line("wallet", "balance", main), Line("wallet", "history", main),
      Line("transfer", "resolve", "s1"), Line("transfer", "show", "s1"), Line("transfer", "list"),
      Line("transfer", "reverse", "s1", "--amount", "1", "--key", "r1"), Line("ledger", "verify"),
      Line("fixtures", "generate", "--users", "3", "--wallets", "5", "--transfers", "40", "--seed", "7"),
    ]
  }

  /// Holds are named by ids, which are made before.
  private static func holdLines(_ town: CachedTown) async throws -> [Line] {
    #expect(try await town.town.send("before", "20").exitCode == 0)
    var ids: [String] = []
    for key in ["h1", "h2"] {
      let words = ["--from", main, "--to", bank, "--amount", "1", "--currency", "USD", "--key", key]
      let held = try await town.town.run(["transfer", "hold"] + words + ["--json"])
      ids.append(try #require(value("transfer_id", in: held.stdout)))
    }
    return [
      Line(
        "transfer", "hold", "--from", main, "--to", bank, "--amount", "1", "--currency", "USD", "--key", "h3"),
      Line("transfer", "capture", ids[0]), Line("transfer", "void", ids[1]),
      Line("job", "run", "settle-pending"), Line("job", "run", "expire-holds"),
      Line("job", "run", "drain-outbox"), Line("job", "run", "analyze-stale"),
      Line("job", "run", "rebuild-bloated", expect: .refused("pooler_unsuitable")),
      Line(
        "job", "run", "sql", "--table", "orders", "--key", "id", "--concurrency", "2", "--statement",
        "update orders set b = b + 1 where id = any($1)"),
      Line("job", "list"), Line("job", "status"),
      // There is no such run: the refusal comes out of the database.
      Line("job", "pause", "00000000-0000-7000-8000-000000000000", expect: .ends([4])),
      Line("job", "resume", "00000000-0000-7000-8000-000000000000", expect: .ends([4])),
      Line("job", "cancel", "00000000-0000-7000-8000-000000000000", expect: .ends([4])),
      Line("bench", "transfer", "--duration", "1s", "--connections", "2", expect: .ends([0, 99])),
      Line("bench", "read", "--duration", "1s", "--connections", "2", expect: .ends([0, 99])),
      Line("bench", "cache", "--duration", "1s", "--connections", "2", expect: .ends([0, 99])),
    ]
  }

  private static func fileLines(_ directory: TemporaryDirectory, _ name: String) throws -> [Line] {
    let rows = (1...300).map { "b\($0),\(bank),\(main),1,USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "batch.csv")
    try directory.write("code,scale\nSEK,2\n", to: "currencies.csv")
    try directory.write("select * from orders where b = 7;\n", to: "workload.sql")
    let migrations = Repository.path("migrations")
    let direct = Expectation.refused("migration_needs_direct_connection")
    return [
      Line("transfer", "batch", file, "--chunk-size", "20", "--lock-wait", "1"),
      Line("transfer", "batch", file, "--atomic"), Line("transfer", "batch", file, "--dry-run"),
      Line("fixtures", "load", directory.path), Line("migrate", "status", "--dir", migrations),
      Line("migrate", "verify", "--dir", migrations),
      Line("migrate", "up", "--dir", migrations, expect: direct),
      Line("migrate", "down", "--dir", migrations, "--execute", "--confirm", name, expect: direct),
    ]
  }

  private static func cacheLines(_ town: CachedTown) async throws -> [Line] {
    let key = try await town.keyOfAda()
    return [
      Line("cache", "warmup"), Line("cache", "get", key), Line("cache", "audit", "--all"),
      Line("cache", "audit"), Line("cache", "stats"), Line("cache", "invalidate", key),
      Line("cache", "race", "--seconds", "1"),
    ]
  }

  private static func indexLines(_ name: String, _ directory: TemporaryDirectory, _ undo: String) -> [Line] {
    let other = directory.file("other.sql")
    let direct = Expectation.refused("needs_direct_connection")
    return [
      Line("index", "usage"), Line("index", "snapshot"), Line("index", "audit", expect: .ends([0, 10])),
      Line("index", "advise", "--workload", directory.file("workload.sql"), expect: direct),
      Line("index", "prune", "--min-age", "0s"),
      Line(
        "index", "prune", "--min-age", "0s", "--execute", "--confirm", name, "--undo", other, expect: direct),
      Line("index", "restore", undo), Line("index", "restore", undo, "--execute", expect: direct),
      Line("query", "slow"),
      Line("query", "explain", "select * from orders where a = 5"),
      Line("query", "explain", "select * from orders where b = $1 and a > $2"),
      Line("query", "explain", "select count(*) from orders", "--analyze"),
      Line("doctor", expect: .ends([0, 10])), Line("db", "analyze", "--stale-only"),
      Line("db", "analyze", "--execute"),
    ]
  }

  /// A table with an index too many, and the undo file of one that was dropped.
  private static func prepareIndexes(_ town: CachedTown, _ undo: String) async throws {
    try await town.database.sql(
      """
      create extension if not exists pg_stat_statements;
      create table public.orders (id int primary key, a int, b int);
      insert into orders select n, n, n from generate_series(1, 2000) n;
      create index orders_a on orders (a);
      create index orders_a_again on orders (a);
      analyze orders
      """)
    let pruned = try await town.town.run([
      "index", "prune", "--min-age", "0s", "--execute", "--confirm", town.database.name, "--undo", undo,
    ])
    #expect(pruned.exitCode == 0, "\(pruned)")
  }

  // MARK: The tree

  /// The commands that have none below them, by their words.
  private static func leaves(_ command: any ParsableCommand.Type, _ path: [String] = []) -> [String] {
    let children = command.configuration.subcommands
    if children.isEmpty { return [path.joined(separator: " ")] }
    return children.flatMap { leaves($0, path + [$0._commandName]) }
  }
}

extension CachedTown {
  /// The words in an array, with JSON for errors.
  fileprivate func run(_ words: [String], url: String) async throws -> ProgramResult {
    try await town.run(words + ["--json"], url: url, env: ["IRONFORGE_REDIS_URL": redis.url])
  }
}
