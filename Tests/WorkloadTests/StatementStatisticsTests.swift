import Postgres
import Primitives
import TestSupport
import Testing

@testable import Workload

@Suite(.timeLimit(.minutes(3))) struct StatementStatisticsTests {
  private static let workload = """
    create extension if not exists pg_stat_statements;
    create table t (a int primary key, b text);
    insert into t select n, n::text from generate_series(1, 5000) n;
    create function f() returns bigint language plpgsql as $$ begin return (select count(*) from t where b = 'x'); end $$;
    select * from t where a = 1;
    select * from t where a = 2;
    select * from t where a = 3;
    select count(*) from t x, t y where x.b = y.b and x.a < 100;
    set pg_stat_statements.track = 'all';
    select f();
    """

  private func withWorkload(_ setUp: String = workload, _ body: (Session) throws -> Void) async throws {
    try await withDatabase { database in
      try await database.sql(setUp)
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      try body(session)
    }
  }

  @Test func countsTheStatementsOfThisDatabase() async throws {
    try await withWorkload { session in
      let report = try StatementReport.read(session, limit: 100, order: .calls)
      let read = try #require(report.statements.first { $0.text.contains("where a = $1") })
      #expect(read.calls == 3)
      #expect(read.rows == 3)
      #expect(read.users == ["ironforge"])
      #expect(read.totalMilliseconds > 0)
      #expect(abs(read.meanMilliseconds * 3 - read.totalMilliseconds) < 0.001)
      #expect(read.maxMilliseconds >= read.meanMilliseconds)
      #expect(read.deviationMilliseconds >= 0 && read.deviationMilliseconds <= read.maxMilliseconds)
      #expect(read.blocks.sharedHit > 0)
      #expect(read.hitRate ?? 0 > 0)
      let insertion = try #require(report.statements.first { $0.text.hasPrefix("insert") })
      #expect(insertion.walBytes > 5000)
      #expect(insertion.blocks.sharedDirtied > 0)
      #expect(report.statementCount == Int64(report.statements.count))
      let sum = report.statements.reduce(0) { $0 + report.share(of: $1) }
      #expect(abs(sum - 1) < 0.001)
      #expect(report.since != nil || session.serverVersion < 140_000)
      // The shared server runs other tests' statements.
      let others = report.statements.filter { $0.text.contains("template_") }
      #expect(others.isEmpty)
    }
  }

  /// What only asks is no work, unless somebody wants to see it; what commits is.
  @Test func leavesOutWhatDoesNoWork() async throws {
    let setUp =
      Self.workload + """
        begin; savepoint s; rollback to s; commit;
        explain select * from t; show work_mem; explain (analyze, costs off) select count(*) from t where a > 4000;
        prepare p as select count(*) from t where a < $1; execute p (7); deallocate p;
        with preparation as (select 1) select count(*) from preparation;
        """
    try await withWorkload(setUp) { session in
      // A question of this program, as `index audit` and `doctor` ask them.
      _ = try StatementReport.read(session, limit: 1)
      func texts(_ all: Bool) throws -> [String] {
        try StatementReport.read(session, limit: 1000, includesInspection: all).statements.map {
          String($0.text.lowercased().prefix { $0 != " " && $0 != "\n" })
            + ($0.text.contains(Statement.inspectionMark) ? " ours" : "")
        }
      }
      let work = Set(try texts(false))
      let idle: Set = ["explain", "set", "show", "begin", "savepoint", "deallocate", "select ours"]
      #expect(work.isDisjoint(with: idle), "\(work.intersection(idle))")
      #expect(work.isSuperset(of: ["select", "insert", "create", "commit", "with", "prepare"]), "\(work)")
      let all = Set(try texts(true))
      #expect(all.isSuperset(of: ["explain", "set", "show", "begin", "select ours"]), "\(all)")
      let names = try StatementReport.read(session, limit: 1000).statements.map { $0.text.lowercased() }
      #expect(!names.contains { $0.hasPrefix("rollback to") })
    }
  }

  @Test func ordersAndLimits() async throws {
    try await withWorkload { session in
      let key: (StatementStatistics.Order, StatementStatistics) -> Double = { order, statement in
        switch order {
        case .total: statement.totalMilliseconds
        case .mean: statement.meanMilliseconds
        case .calls: Double(statement.calls)
        case .io: statement.readMilliseconds + statement.writeMilliseconds
        }
      }
      for order in StatementStatistics.Order.allCases {
        let keys = try StatementStatistics.read(session, limit: 50, order: order).map { key(order, $0) }
        #expect(keys == keys.sorted(by: >), "\(order)")
        #expect(try StatementStatistics.read(session, limit: 2, order: order).count == 2)
      }
      #expect(try StatementStatistics.read(session, limit: 0).isEmpty)
      #expect(try StatementStatistics.read(session, limit: -1).isEmpty)
    }
  }

  @Test func leavesStatementsInsideFunctionsOutUnlessAskedFor() async throws {
    try await withWorkload { session in
      func inside(_ includesNested: Bool) throws -> Int {
        try StatementStatistics.read(session, limit: 100, includesNested: includesNested)
          .count {
            $0.text.contains("where b = $1")
              || $0.text.contains("where b = 'x')") && !$0.text.contains("create")
          }
      }
      let (top, all) = (try inside(false), try inside(true))
      #expect(top == 0 || session.serverVersion < 140_000)
      #expect(all == 1)
    }
  }

  @Test func findsTheExtensionInAnySchemaAndSumsOverRoles() async throws {
    let setUp = """
      create schema "My Stats"; create extension pg_stat_statements schema "My Stats";
      create table t (a int); grant select on t to public;
      drop role if exists statistics_reader; create role statistics_reader;
      select count(*) from t where a = 1;
      set role statistics_reader; select count(*) from t where a = 2; reset role;
      """
    try await withWorkload(setUp) { session in
      let read = try #require(
        try StatementStatistics.read(session, limit: 100).first { $0.text.contains("where a = $1") })
      #expect(read.calls == 2)
      #expect(read.users == ["ironforge", "statistics_reader"])
    }
  }

  @Test func saysWhatIsMissing() async throws {
    func code(_ session: Session) -> String? {
      let outcome = Result { try StatementReport.read(session, limit: 1) }
      guard case .failure(let error as any Failure) = outcome else { return nil }
      #expect(error.hint != nil)
      return error.code
    }
    try await withWorkload("select 1") { session in
      #expect(code(session) == "statement_statistics_missing")
    }
    let lesser = """
      create extension pg_stat_statements;
      drop role if exists statistics_stranger; create role statistics_stranger;
      """
    try await withWorkload(lesser) { session in
      try session.simple("set role statistics_stranger")
      #expect(code(session) == "insufficient_privilege")
      try session.simple("reset role; grant pg_monitor to statistics_stranger; set role statistics_stranger")
      #expect(code(session) == nil)
    }
    try await withWorkload("create extension pg_stat_statements version '1.7'") { session in
      // Newer servers cannot install it any more.
      #expect(code(session) == "statement_statistics_outdated")
    }
  }

  /// Of each version of the extension that this server can install, the columns are what the statement says.
  @Test(arguments: ["1.8", "1.9", "1.10", "1.11", "1.12"])
  func knowsTheColumnsOfEachVersion(version: String) async throws {
    try await withWorkload("select 1") { session in
      let known = Statement(
        "select exists (select from pg_available_extension_versions where name = 'pg_stat_statements' and version = $1)",
        parameters: [.text], columns: [.bool])
      guard try session.query(known(version))[0].decode(0, as: Bool.self) else { return }
      try session.simple("create extension pg_stat_statements version '\(version)'")
      for order in StatementStatistics.Order.allCases {
        for includesNested in [false, true] {
          let place = try StatisticsPlace(session)
          let statements =
            [place.statistics(order: order, includesNested: includesNested)] + (place.info.map { [$0] } ?? [])
          for statement in statements {
            let actual = try session.describe(statement.sql)
            #expect(actual.columns == statement.columns.map(\.oid))
            #expect(actual.parameters == statement.parameters.map(\.oid))
          }
          _ = try StatementReport.read(session, limit: 5, order: order, includesNested: includesNested)
        }
      }
    }
  }
}
