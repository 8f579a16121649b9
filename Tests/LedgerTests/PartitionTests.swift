import FoundationEssentials
import TestSupport
import Testing

@testable import Ledger
@testable import Postgres

/// Both ways to partition `transactions`, as docs/operations.md writes them down.
@Suite(.timeLimit(.minutes(4)))
struct PartitionTests {
  private static let bank = "ada@example.com/bank"
  private static let main = "ada@example.com/main"
  private static let savings = "ada@example.com/savings"

  @Test(arguments: ["By time", "By wallet"])
  func theLedgerWorksOnPartitions(section: String) async throws {
    let conversion = try Self.sql(of: section)
    try await withTown { town in
      let generated = try await town.run(
        "fixtures", "generate", "--users", "20", "--wallets", "60", "--transfers", "3000", "--seed", "4")
      #expect(generated.exitCode == 0, "\(generated)")
      try await Self.moveMoney(town, "before")
      let before = try await town.contents()
      let entries = "select md5(string_agg(t::text, ';' order by t.id)) from transactions t"
      let entriesBefore = try await town.database.sql(entries)

      try await town.database.sql(conversion)

      #expect(
        try await town.database.sql(
          "select relkind from pg_class where oid = 'public.transactions'::regclass")
          == [["p"]])
      #expect(try await town.contents() == before)
      #expect(try await town.database.sql(entries) == entriesBefore)
      try await Self.moveMoney(town, "after")
      try await town.database.sql("analyze")
      #expect(try await Self.problems(town) == [])
      #expect(try await Self.statementsWithoutIndex(town) == [])
      let verified = try await town.run("ledger", "verify", "--json")
      #expect(verified.exitCode == 0, "\(verified)")
      // The law of double entry holds for whoever writes.
      var isRefused = false
      do { try await town.database.sql(Self.unbalanced) } catch is TestFailure { isRefused = true }
      #expect(isRefused)
    }
  }

  private static let unbalanced = """
    insert into transactions (id, transfer_id, wallet_id, currency, amount, status, created_at)
    select t.id, t.transfer_id, t.wallet_id, t.currency, 1, 'pending', now()
    from (select gen_random_uuid() as id, e.transfer_id, e.wallet_id, e.currency from transactions e limit 1) t
    """

  // MARK: Pieces

  /// The SQL under a heading of the operating manual.
  private static func sql(of section: String) throws -> String {
    let text = try String(
      contentsOf: URL(filePath: Repository.path("docs/operations.md")), encoding: .utf8)
    guard let heading = text.firstRange(of: "\n#### \(section)\n"),
      let start = text[heading.upperBound...].firstRange(of: "\n```sql\n"),
      let end = text[start.upperBound...].firstRange(of: "\n```\n")
    else { throw TestFailure("docs/operations.md has no SQL for \(section)") }
    return String(text[start.upperBound..<end.lowerBound])
  }

  /// Every kind of transfer, and every command that reads entries.
  private static func moveMoney(_ town: Town, _ round: String) async throws {
    let directory = try TemporaryDirectory("partitions")
    let rows = (1...50).map { "\(round) \($0),\(bank),\(main),1,USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "\(round).csv")
    func move(_ words: [String], _ key: String) -> [String] {
      words + [
        "--from", main, "--to", savings, "--amount", "2", "--currency", "USD", "--key", "\(round) \(key)",
      ]
    }
    var lines = [
      ["transfer", "batch", file, "--chunk-size", "7"], move(["transfer"], "plain"),
      move(["transfer", "hold"], "h1"), move(["transfer", "hold"], "h2"), move(["transfer", "hold"], "h3"),
    ]
    for line in lines {
      let result = try await town.run(line)
      #expect(result.exitCode == 0, "\(line): \(result)")
    }
    let holds = try await town.database.sql(
      "select id from transfers where key like '\(round) h_' order by key")
    lines = [
      ["transfer", "capture", holds[0][0], "--amount", "1"], ["transfer", "void", holds[1][0]],
      ["transfer", "reverse", "\(round) plain", "--key", "\(round) back"],
      ["transfer", "resolve", "\(round) plain"],
      ["transfer", "show", "\(round) h1"], ["transfer", "list", "--wallet", main], ["wallet", "show", main],
      ["wallet", "history", main, "--limit", "5"],
      ["wallet", "balance", main, "--at", "2026-01-01T00:00:00Z"],
      ["job", "run", "settle-pending"],
    ]
    for line in lines {
      let result = try await town.run(line)
      #expect(result.exitCode == 0, "\(line): \(result)")
    }
  }

  /// Statements whose parameters or columns are not what the program expects.
  private static func problems(_ town: Town) async throws -> [String] {
    try await onSession(town.database.url) { session in
      try Ledger.statements.compactMap { statement in
        let actual = try session.describe(statement.sql)
        return actual.parameters == statement.parameters.map(\.oid)
          && actual.columns == statement.columns.map(\.oid) ? nil : statement.sql
      }
    }
  }

  /// Statements that would read a partition whole though they need not: planned without their values, as a session that
  /// sends them often has them.
  private static func statementsWithoutIndex(_ town: Town) async throws -> [String] {
    let names = Dictionary(
      uniqueKeysWithValues: try await town.database.sql("select oid, format_type(oid, null) from pg_type")
        .map { ($0[0], $0[1]) })
    let readsAll = Set(LedgerVerification.statements.map(\.sql))
    let wallet = try await town.database.sql("select id from wallets where name = 'main'")[0][0]
    var found: [String] = []
    for statement in Ledger.statements where !readsAll.contains(statement.sql) {
      guard statement.sql.contains("transactions") else { continue }
      let types = statement.parameters.map { names[String($0.oid)] ?? "" }.joined(separator: ", ")
      // Of a NULL no partition is left to read.
      let values = statement.parameters.map { parameter in
        switch names[String(parameter.oid)] {
        case "uuid": "'\(wallet)'"
        case "uuid[]": "array['\(wallet)'::uuid]"
        default: "null"
        }
      }.joined(separator: ", ")
      let plan = try await town.database.sql(
        """
        set plan_cache_mode = force_generic_plan;
        set enable_seqscan = off;
        prepare s\(types.isEmpty ? "" : "(\(types))") as \(statement.sql);
        explain (costs off) execute s\(values.isEmpty ? "" : "(\(values))")
        """
      ).map { $0[0] }
      #expect(plan.contains { $0.contains("transactions") }, "\(statement.sql)")
      if plan.contains(where: { $0.contains("Seq Scan on transactions") }) { found.append(statement.sql) }
    }
    return found
  }
}
