import Plans
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Workload

@Suite(.timeLimit(.minutes(2))) struct StatementPlannerTests {
  private func withPlanner(
    _ setUp: String, template: DatabaseTemplate? = nil, _ body: (StatementPlanner, Session) throws -> Void
  ) async throws {
    try await withDatabase(template: template) { database in
      try await database.sql(setUp)
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      try body(StatementPlanner(session), session)
    }
  }

  private static let table =
    "create table t (a int primary key, b text, d date, at timestamptz, x numeric); create index t_b on t (b)"

  @Test func plansStatementsWithAndWithoutParameters() async throws {
    try await withPlanner(Self.table) { planner, _ in
      let types = try ["select * from t", "select * from t where a = $1 and b = $2"].map {
        try planner.plan($0).root.type
      }
      #expect(types == ["Seq Scan", "Index Scan"])
    }
  }

  /// What stands where the server takes constants only, or cannot tell a type.
  @Test(arguments: [
    "select * from t where d = date $1",
    "select * from t where d < date $1 + interval $2 month",
    "select * from t where at < now() - interval $1 day to second(3)",
    "select * from t where at < timestamp with time zone $1 and x > numeric(10,2) $2 -- the end",
    "select * from t where x > double precision $1;",
    "select extract($1 from at), EXTRACT ( $2 FROM d ) from t",
    "select concat($1, b), jsonb_build_object($2, b) from t where $3 is null",
    "select $1 + $2, $3 || $4, a + $5 from t",
    "select sum(case when b = $1 then $2 else $3 end) from t",
    "select count($1) from t where d > current_date - $2",
    "select * from t where at > now() - $1",
    "select * from t where a = any(array[$1, $2]) and (a, b) in (($3, $4))",
    "select v.a from (values ($1, $2), ($3, $4)) v (a, b) join t on t.a = v.a",
    "select date_trunc($1, at) from t group by date_trunc($2, at) order by date_trunc($3, at)",
    "select distinct coalesce(b, $1) from t order by coalesce(b, $2)",
    "select generate_series($1, $2)", "select a from t union all select $1",
    "select normalize(b, $1), b is $2 normalized, $3 uescape '!' from t",
    "select * from t where a in ($1 /*, ... */)",
    "select * from t where ($1 is null or b = $1) and a = $2",
    "select * from t where b = $1 or a = $1", "select * from t where a = $3",
    "insert into t (a, b) values ($1, $2), ($3, $4) on conflict (a) do update set b = excluded.b || $5",
    "declare c cursor with hold for select * from t where a > $1",
    "create table u as select * from t where a > $1 with no data",
    "copy (select * from t where a > $1) to stdout",
    "select b from t order by b fetch first $1 rows only", "select é.b from t é where é.d > date $1",
  ])
  func plansWhatStoodForConstants(sql: String) async throws {
    try await withPlanner(Self.table) { planner, _ in
      let plannable = try planner.prepare(sql)
      #expect(plannable.parameterCount > 0)
      #expect(try plannable.cost() >= 0)
    }
  }

  @Test func keepsTheMeaningOfWhatItRewrites() throws {
    func text(_ sql: String) throws -> String { try NormalizedText(sql, serverVersion: 150_000).text }
    #expect(try text("select date $1, x") == "select cast($1 as date), x")
    #expect(
      try text("select interval $1 day, interval(3) $2")
        == "select cast($1 as interval day), cast($2 as interval(3))")
    #expect(try text("select extract($1 from a)") == #"select pg_catalog."extract"($1 , a)"#)
    let old = try NormalizedText("select extract($1 from a)", serverVersion: 130_000).text
    #expect(old == "select pg_catalog.date_part($1 , a)")
    #expect(try text("select $1::date, 'date $1', \"date $1\"") == "select $1::date, 'date $1', \"date $1\"")
    #expect(try text("select json_array($1 null on null)") == "select json_array($1 null on null)")
  }

  /// The reason is named, and the session goes on.
  @Test func namesWhyThereIsNoPlan() async throws {
    try await withPlanner(Self.table) { planner, session in
      for (sql, code) in [
        ("vacuum t", "statement_not_explainable"), ("create index on t (a)", "statement_not_explainable"),
        ("begin", "statement_not_explainable"), ("-- nothing", "statement_not_explainable"),
        ("select 1; drop table t", "statement_not_explainable"),
        ("select * from absent where a = $1", "schema_missing"),
        ("select nothing from t", "schema_missing"), ("selct $1", "database_error"),
        ("select $1 from t where a = $99999", "statement_not_explainable"),
        ("select $0", "statement_not_explainable"),
        ("<insufficient privilege>", "database_error"), ("select frob($1, $2) + $3 from t", "schema_missing"),
      ] {
        let outcome = Result { try planner.plan(sql) }
        guard case .failure(let error as any Failure) = outcome else {
          Issue.record("\(sql) has a plan")
          continue
        }
        #expect(error.code == code, "\(sql): \(error.message)")
        #expect(!session.isInTransaction)
      }
      let plan = try planner.plan("select * from t where a = $1")
      #expect(plan.root.index == "t_pkey")
    }
  }

  /// HypoPG tells the server of no change, so a cached generic plan would be the old one.
  @Test func plansAnewForHypotheticalIndexes() async throws {
    let setUp = """
      create extension hypopg; create table big as select n as a, n % 1000 as b from generate_series(1, 50000) n;
      analyze big
      """
    try await withPlanner(setUp) { planner, session in
      let plannable = try planner.prepare("select * from big where b = $1 and a > $2")
      let before = try plannable.plan()
      #expect(before.root.type == "Seq Scan")
      try session.simple("select hypopg_create_index('create index on big (b)')")
      let after = try plannable.plan()
      let isUsed = after.root.all.contains { $0.index != nil }
      #expect(isUsed)
      #expect(after.root.totalCost < before.root.totalCost / 2)
      try session.simple("select hypopg_reset()")
      #expect(try plannable.cost() == before.root.totalCost)
      try session.transaction {
        try session.simple("select hypopg_create_index('create index on big (b)')")
        #expect(try plannable.cost() == after.root.totalCost)
      }
    }
  }

  /// Behind PgBouncer two statements can meet two connections, while other sessions of it keep them busy.
  @Test func plansThroughAPooler() async throws {
    try await withDatabase { database in
      try await database.sql(Self.table)
      try await withPooler(database) { url in
        let sessions = try (0..<3).map { _ in try Session(connecting: ConnectionString(url)) }
        defer { sessions.forEach { $0.close() } }
        for sql in [
          "select * from t where a = $1", "select $1 + $2 from t", "select * from t where d < date $1",
        ] {
          for session in sessions {
            #expect(session.isPooled)
            let plannable = try StatementPlanner(session).prepare(sql)
            for _ in 0..<3 { #expect(try plannable.cost() > 0) }
            #expect(!session.isInTransaction)
          }
        }
        #expect(throws: PostgresError.self) { try StatementPlanner(sessions[0]).plan("select * from absent") }
        #expect(!sessions[0].isInTransaction)
      }
    }
  }

  /// Each way by which the planner comes to a function of somebody who is no superuser. Called by one it takes a lock that outlives
  /// the transaction.
  private static let hostile = #"""
    create schema lair authorization bob;
    set role bob;
    create function lair.step() returns int language plpgsql volatile as $$ begin
      if current_setting('is_superuser') = 'on' then perform pg_advisory_lock(4711); end if; return 1; end $$;
    create function lair.evil(int) returns int language plpgsql immutable as $$ begin return lair.step(); end $$;
    create function lair.inner(int) returns int language sql immutable as $$ select lair.evil(7) $$;
    create table lair.plain (a int);
    create table lair.t (a int, b int default 1);
    create index on lair.t ((a + lair.evil(1)));
    create view lair.v as select a from lair.plain where a > lair.evil(2);
    create view lair.w as select * from lair.v;
    create view lair.xml as select a from lair.plain where a < length(table_to_xml('lair.v'::regclass, true, true, '')::text);
    create function lair.eq(int, int) returns boolean language plpgsql immutable as
      $$ begin return lair.step() = 1; end $$;
    create operator lair.=== (leftarg = int, rightarg = int, function = lair.eq);
    reset role;
    create table mine (evil int);
    """#

  @Test(arguments: [
    "select * from lair.plain where a = lair.evil(1)", "select * from lair.plain where a = $1 + lair.evil(1)",
    "select * from lair.plain where a = lair.inner($1)",
    #"select * from lair.plain where a = "lair".U&"\0065vil"(1)"#,
    "select * from lair.plain p where a operator(lair.===) 1", "select * from lair.t",
    "select * from lair.v where a = $1",
    "select * from lair.w", "select * from lair.xml",
    "select * from lair.plain where a = length(table_to_xml('lair.v', true, true, '')::text)",
    "update lair.t set b = 2", "create table x as select lair.evil(3)",
  ])
  func aSuperuserRunsNoFunctionOfAStranger(sql: String) async throws {
    try await withStranger { session, _ in
      #expect(throws: StatementNotTrusted.self) { try StatementPlanner(session).plan(sql) }
      let locks = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
      #expect(try session.query(Statement(locks, columns: [.int8])())[0].decode(0, as: Int64.self) == 0)
      #expect(!session.isInTransaction)
      // Ordinary statements have plans, those that name something of the same name elsewhere too.
      for sql in [
        "select * from lair.plain where a = $1 and a between 1 and 2",
        "select evil, count(*) from mine group by evil",
        "insert into lair.plain values ($1)",
      ] { _ = try StatementPlanner(session).plan(sql) }
    }
  }

  /// What the caller has typed is his own affair, and so is what a superuser's function does.
  @Test func aSuperuserPlansHisOwn() async throws {
    try await withStranger { session, role in
      _ = try StatementPlanner(session, author: .caller).plan(
        "select * from lair.plain where a = lair.evil(1)")
      try session.simple(
        "create function own(int) returns int language plpgsql immutable as $$ begin return 1; end $$")
      _ = try StatementPlanner(session).plan("select * from lair.plain where a = own(1)")
      // In the session's own path a name is the stranger's.
      #expect(throws: StatementNotTrusted.self) {
        try StatementPlanner(session).plan(
          "select * from plain where a = evil(1)", searchPath: "lair, pg_catalog")
      }
      // Nothing that the path turns into somebody's is taken for the server's.
      try session.simple(
        "set role \(role); create view lair.pg_proc as select lair.evil(1) as oid; create function lair.lower(int) returns int language"
          + " plpgsql immutable as $$ begin return lair.step(); end $$; reset role")
      #expect(throws: StatementNotTrusted.self) {
        try StatementPlanner(session).plan(
          "select * from plain where a = lower(1)", searchPath: "lair, pg_catalog")
      }
      _ = try StatementPlanner(session).plan("select * from plain where a = 1", searchPath: "lair, public")
      let path = try session.query(Statement("select current_setting('search_path')", columns: [.text])())
      #expect(try path[0].decode(0, as: String.self) == "\"$user\", public")
    }
  }

  /// A cast is looked for by functions that name none.
  @Test func aStrangersCastStopsAll() async throws {
    try await withStranger { session, role in
      try session.simple(
        "set role \(role); create type lair.pair as (x int); create function lair.json(lair.pair) returns json language sql immutable"
          + " as $$ select '1'::json $$; create cast (lair.pair as json) with function lair.json(lair.pair); reset role"
      )
      #expect(throws: StatementNotTrusted.self) { try StatementPlanner(session).plan("select 1 + $1") }
    }
  }

  private func withStranger(_ body: (Session, _ role: String) throws -> Void) async throws {
    try await withDatabase { database in
      let role = "bob_\(database.name)"
      try await database.sql("create role \(role)")
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      try session.simple(Self.hostile.replacing("bob", with: role))
      try body(session, role)
      try await database.sql("drop owned by \(role) cascade; drop role \(role)")
    }
  }

  /// A statement whose parameters nobody can place ends after a bounded number of questions.
  @Test func asksTheServerABoundedNumberOfTimes() throws {
    var questions = 0
    let list = (1...60).map { "f($\($0))" }.joined(separator: " + ")
    let statement = try NormalizedText("select \(list)", serverVersion: 150_000)
    var search = ParameterSearch(statement, serverVersion: 150_000) { _, _ in
      questions += 1
      var error = ServerError(sqlState: "42883", message: "no")
      error.position = 8 + questions
      return .refused(error)
    }
    #expect(throws: PostgresError.self) { try search.run() }
    #expect(questions <= ParameterSearch.questionsMax)
  }
}
