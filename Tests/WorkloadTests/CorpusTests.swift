import FoundationEssentials
import Plans
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Workload

/// Statements of applications and of TPC-H, run on a server and planned as `pg_stat_statements` prints them.
@Suite(.timeLimit(.minutes(5))) struct CorpusTests {
  private static func text(_ file: String) throws -> String {
    try String(contentsOfFile: Repository.path(file), encoding: .utf8)
  }

  private static let statements = "Tests/WorkloadTests/Statements"

  /// A wallet, TPC-H and a shop, empty but for the shop's rows; every statement was run in it.
  private func withCorpus(_ body: (Session, [StatementStatistics]) throws -> Void) async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql("create extension pg_stat_statements")
      for file in ["Benchmarks/tpch/schema.sql", "\(Self.statements)/shop-schema.sql"] {
        try await database.sql(Self.text(file))
      }
      try await database.sql(
        "select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0)"
      )
      for file in ["Benchmarks/tpch/queries.sql", "\(Self.statements)/corpus.sql"] {
        try await database.sql(Self.text(file))
      }
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      let statements = try StatementStatistics.read(session, limit: 10_000)
        .filter { !$0.text.contains("pg_stat_statements_reset") }
      try body(session, statements)
    }
  }

  @Test func nearlyAllNormalisedStatementsArePlanned() async throws {
    try await withCorpus { session, statements in
      let planner = StatementPlanner(session)
      var failures: [(text: String, reason: String)] = []
      var naive = 0
      let clock = ContinuousClock.now
      for statement in statements {
        do {
          _ = try planner.plan(statement.text)
        } catch let error as any Failure {
          failures.append((statement.text, error.message))
        }
      }
      let took = ContinuousClock.now - clock
      for statement in statements where try session.plansNaively(statement.text) { naive += 1 }
      let planned = statements.count - failures.count
      print("\(planned) of \(statements.count) normalised statements planned in \(took); naively \(naive)")
      for failure in failures { print("  \(failure.reason)\n    \(failure.text)") }
      #expect(statements.count > 110)
      #expect(planned * 24 >= statements.count * 23)
      // A failure without a reason would be a fault.
      let nameless = failures.filter(\.reason.isEmpty)
      #expect(nameless.isEmpty)
      #expect(naive < planned)
    }
  }

  /// In a caller's transaction the same, and the transaction goes on after each.
  @Test func aTransactionOutlivesWhatCannotBePlanned() async throws {
    try await withCorpus { session, statements in
      let planner = StatementPlanner(session)
      try session.transaction {
        try session.simple("create temporary table mine (a int) on commit drop; insert into mine values (1)")
        for statement in statements.prefix(40) + [] {
          _ = Result { try planner.plan(statement.text) }
        }
        for broken in [
          "select * from absent where a = $1", "select $1 + $2 from", "vacuum", "", "select 1; select 2",
        ] {
          let outcome = Result { try planner.plan(broken) }
          if case .success = outcome { Issue.record("\(broken) has a plan") }
        }
        let plan = try planner.plan("select * from mine where a = $1")
        #expect(plan.root.relation == "mine")
        let kept = try session.query(Statement("select count(*) from mine", columns: [.int8])())[0]
        #expect(try kept.decode(0, as: Int64.self) == 1)
      }
      let left = Statement(
        """
        select count(*), current_setting('plan_cache_mode') from pg_prepared_statements where name = 'ironforge_plan'
        """, columns: [.int8, .text])
      let row = try session.query(left())[0]
      #expect(try row.decode(0, as: Int64.self) == 0)
      #expect(try row.decode(1, as: String.self) == "auto")
    }
  }
}

extension Session {
  /// The way of most tools: `PREPARE` as it stands, then `EXPLAIN EXECUTE` with nulls.
  fileprivate func plansNaively(_ sql: String) throws -> Bool {
    do {
      try simple("set plan_cache_mode = force_generic_plan; prepare naive as \(sql)\n")
    } catch {
      return false
    }
    let count = Statement(
      "select cardinality(parameter_types) from pg_prepared_statements where name = 'naive'", columns: [.int4]
    )
    let parameters: Int32 = try query(count())[0].decode(0)
    let nulls = Array(repeating: "null", count: Int(parameters)).joined(separator: ",")
    let explain = "explain (format json) execute naive" + (nulls.isEmpty ? "" : "(\(nulls))")
    let isPlanned = Result { try simple(explain) }
    try simple("deallocate naive; reset plan_cache_mode")
    if case .success = isPlanned { return true }
    return false
  }
}
