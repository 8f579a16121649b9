import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Advice

@Suite(
  .timeLimit(.minutes(3)), .enabled("the server does not offer HypoPG") { try await serverOffers("hypopg") })
struct AdvisorTests {
  private static let shop = DatabaseTemplate("advice_shop") { database in
    try await database.sql(
      """
      create extension hypopg;
      create table customers (id int primary key, email text not null, city text not null, note text);
      create table orders (
        id int primary key, customer_id int not null, status text not null, placed timestamptz not null,
        total numeric(12, 2) not null, shipped timestamptz, note text);
      insert into customers
        select n, 'User' || n || '@example.com', 'city ' || n % 50, repeat('x', 60) from generate_series(1, 20000) n;
      insert into orders
        select n, (n * 7919) % 20000 + 1, case when n % 100 = 0 then 'open' else 'done' end,
          timestamptz '2025-01-01' + n * interval '1 minute', n % 1000, case when n % 3 = 0 then now() end,
          repeat('y', 60)
        from generate_series(1, 100000) n;
      create view open_orders as select id, customer_id, placed, total from orders where status = 'open';
      vacuum analyze;
      """)
  }

  /// What `index advise` says of a text of statements: its DDL, without `CREATE INDEX CONCURRENTLY ON public.`
  private func advise(
    _ sql: String, limits: ChoiceLimits = ChoiceLimits(), setUp: String = ""
  ) async throws -> (ddl: [String], advice: Advice) {
    try await withDatabase(template: Self.shop) { database in
      if !setUp.isEmpty { try await database.sql(setUp) }
      let advice = try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        let statements = WorkloadFile.merged(try WorkloadFile.split(Array(sql.utf8)))
        return try Advisor(session, Advisor.Request(limits: limits)).advise(statements)
      }
      let start = "CREATE INDEX CONCURRENTLY ON public."
      return (advice.indexes.map { String($0.ddl.dropFirst(start.count)) }.sorted(), advice)
    }
  }

  @Test func findsCompositePartialExpressionAndCoveringIndexes() async throws {
    let composite = try await advise(
      "select * from orders where customer_id = $1 and status = $2 order by placed desc limit 5")
    #expect(composite.ddl.count == 1)
    #expect(composite.ddl.first?.hasPrefix("orders (customer_id") == true, "\(composite.ddl)")
    let partial = try await advise(
      "select id, placed, note from orders where status = 'open' order by placed limit 1000",
      limits: ChoiceLimits(bytes: 200_000))
    #expect(partial.ddl == ["orders (placed) WHERE status = 'open';"])
    let expression = try await advise("select * from customers where lower(email) = 'user5@example.com'")
    #expect(expression.ddl == ["customers ((lower(email)));"])
    let covering = try await advise(
      "select sum(total) from orders where placed between '2025-01-05' and '2025-01-25'")
    #expect(covering.ddl == ["orders (placed) INCLUDE (total);"])
    let view = try await advise("select * from open_orders where customer_id = 77")
    #expect(view.ddl.count == 1)
    #expect(view.ddl.first?.hasPrefix("orders (customer_id") == true, "\(view.ddl)")
  }

  /// A rare value wants an index that a common one does not, whichever comes first in the file.
  @Test func constantsOfAStatementAreWeighed() async throws {
    let (common, rare) = (
      "select * from orders where status = 'done';", "select * from orders where status = 'open';"
    )
    let often = String(repeating: rare, count: 50)
    for text in [common + often, often + common] {
      let found = try await advise(text)
      #expect(found.ddl.map { $0.contains("status") } == [true], "\(found.ddl)")
    }
  }

  @Test func listsOfRowsAndBeginningsOfExpressionsAreFound() async throws {
    let rows = try await advise(
      "select * from orders where (customer_id, total) in ((7920, 1), (15839, 2), (5, 700))")
    #expect(rows.ddl.first?.hasPrefix("orders (customer_id") == true && rows.ddl.count == 1, "\(rows.ddl)")
    let beginning = try await advise("select * from customers where lower(email) like 'user77%'")
    #expect(beginning.ddl == ["customers ((lower(email)) text_pattern_ops);"])
  }

  /// A scan backwards gives the other direction: one index serves both statements.
  @Test func directionsThatOneIndexServesAreOne() async throws {
    let found = try await advise(
      """
      select * from orders where customer_id = 7 order by placed desc limit 3;
      select id, total from orders where customer_id = 9 and placed > '2025-02-01' order by placed;
      """, setUp: "update orders set customer_id = id % 200; vacuum full orders; vacuum analyze orders")
    #expect(
      found.ddl.count == 1 && found.ddl.first?.hasSuffix("INCLUDE (id, total);") == true, "\(found.ddl)")
  }

  @Test(arguments: [
    "declare c cursor for select * from customers where city = 'city 7' and email = 'a'",
    "create table found as select * from customers where city = 'city 7' and email = 'a'",
    "copy (select * from customers where city = 'city 7' and email = 'a') to stdout",
    "prepare p (text) as select * from customers where city = 'city 7' and email = $1",
  ])
  func queriesInsideOfOtherStatementsCount(_ sql: String) async throws {
    let found = try await advise(sql)
    #expect(found.ddl == ["customers (email);"])
    #expect(found.advice.unexplained.isEmpty)
  }

  /// With LIMIT and a common value the order alone does, for this value.
  @Test func whatIsLookedForComesBeforeTheOrder() async throws {
    let found = try await advise("select * from orders where status = 'done' order by placed desc limit 10")
    #expect(found.ddl == ["orders (status, placed DESC);"])
  }

  /// What was written in the time of the statements counts, a load of the table does not: it is over.
  @Test func writesCountInTheTimeOfTheStatements() async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.sql(
        """
        insert into orders select n + 100000, n % 20000 + 1, 'done', now(), 1 from generate_series(1, 100000) n;
        select pg_stat_force_next_flush()
        """)
      func advised(rows: Int64, calls: Int64) async throws -> Int {
        try await blocking { [url = database.url] in
          let session = try Session(connecting: ConnectionString(url))
          defer { session.close() }
          var query = WorkloadStatement(id: "1", text: "select * from orders where customer_id = $1")
          query.milliseconds = 500
          query.calls = 50
          var write = WorkloadStatement(
            id: "2",
            text: "insert into orders (id, customer_id, status, placed, total) values ($1, $2, $3, $4, $5)")
          (write.milliseconds, write.rows, write.calls) = (400, rows, calls)
          return try Advisor(session, Advisor.Request()).advise([query, write]).indexes.count
        }
      }
      let (loaded, few, many) = (
        try await advised(rows: 100_000, calls: 1), try await advised(rows: 1000, calls: 1000),
        try await advised(rows: 100_000, calls: 100_000)
      )
      #expect(loaded == 1)
      #expect(few == 1)
      #expect(many == 0)
    }
  }

  @Test func sayWhatEachIndexBringsAndWhatItTakes() async throws {
    let found = try await advise(
      "select * from orders where customer_id = 5; select * from orders where customer_id = 9;")
    let index = try #require(found.advice.indexes.first)
    #expect(index.columns == ["customer_id"])
    #expect(index.table.description == "public.orders")
    #expect(index.queries == ["1"])
    let query = try #require(found.advice.queries.first)
    #expect(query.calls == 2)
    #expect(query.costAfter < query.costBefore / 10)
    #expect(abs(index.costSaved - 2 * (query.costBefore - query.costAfter)) < 1)
    // 100,000 entries of 20,000 values: near what PostgreSQL makes of it.
    #expect((600_000...1_400_000).contains(index.sizeBytes))
  }

  @Test func respectsWhatIsThere() async throws {
    let sql = "select id from orders where customer_id = $1 order by placed desc limit 5"
    let there = try await advise(sql, setUp: "create index on orders (customer_id, placed)")
    #expect(there.ddl == [])
    let key = try await advise("select * from orders where id = $1")
    #expect(key.ddl == [])
    let invalid = try await advise(
      sql,
      setUp: """
        create index broken on orders (customer_id, placed);
        update pg_index set indisvalid = false where indexrelid = 'broken'::regclass
        """)
    #expect(invalid.ddl.count == 1)
  }

  @Test func keepsTheBudget() async throws {
    let sql = """
      select * from orders where customer_id = 5; select * from orders where placed = now();
      select * from customers where email = 'a'; select * from customers where city = 'city 5';
      """
    let all = try await advise(sql)
    #expect(all.ddl.count == 4)
    let two = try await advise(sql, limits: ChoiceLimits(indexes: 2))
    #expect(two.ddl.count == 2)
    let small = try await advise(sql, limits: ChoiceLimits(bytes: 1_500_000))
    let bytes = small.advice.indexes.reduce(0) { $0 + $1.sizeBytes }
    #expect(bytes > 0 && bytes <= 1_500_000)
  }

  @Test func namesWhatItCannotTakeIntoAccountAndLosesNothingElse() async throws {
    let found = try await advise(
      """
      selct 1; select * from nowhere; vacuum; \\d orders
      ; select * from orders where customer_id = 5; select 1/0 from orders where no_column = 2;
      select * from orders where status = 'it''s; not the end' and total > 'x'
      """)
    #expect(found.ddl == ["orders (customer_id);"])
    #expect(found.advice.unexplained.map(\.id) == ["1", "2", "3", "4", "6", "7"])
    let reasons = found.advice.unexplained.map(\.reason).joined(separator: "\n")
    #expect(reasons.contains("selct"))
    #expect(reasons.contains("nowhere"))
    #expect(reasons.contains("it is no query"))
  }

  @Test func leavesNothingBehind() async throws {
    try await withDatabase(template: Self.shop) { database in
      let left = try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        let statement = WorkloadStatement(id: "1", text: "select * from orders where customer_id = 5")
        let advice = try Advisor(session, Advisor.Request()).advise([statement])
        let count = Statement(
          "select count(*) from hypopg_list_indexes where $1", parameters: [.bool], columns: [.int8])
        return (advice.indexes.count, try session.query(count(true))[0].decode(0, as: Int64.self))
      }
      #expect(left.0 == 1)
      #expect(left.1 == 0)
    }
  }

  @Test func saysThatHypoPGIsMissing() async throws {
    try await withDatabase { database in
      let code = try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        do {
          _ = try Advisor(session, Advisor.Request()).advise([])
          return "none"
        } catch let failure as any Failure {
          return "\(failure.code) \(failure.kind) \(failure.hint ?? "")"
        }
      }
      #expect(code == "hypopg_missing configuration run once in this database: CREATE EXTENSION hypopg")
    }
  }

  @Test func sizesAreNearWhatPostgresMakes() async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.sql(
        """
        create index a on orders (customer_id); create index b on orders (status);
        create index c on orders (placed) include (total); create index d on orders (customer_id, placed);
        create index e on customers (city); create index f on customers (email)
        """)
      let rows = try await database.sql(
        "select relname, pg_relation_size(oid) from pg_class where relname ~ '^[a-f]$' order by 1")
      let schema = try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        return try SchemaReader(session).read(names: ["orders", "customers"])
      }
      let (orders, customers) = (
        try #require(schema.relation(schema: nil, name: "orders")),
        try #require(schema.relation(schema: nil, name: "customers"))
      )
      let drafts: [(SchemaTable, [Int16], [Int16])] = [
        (orders, [2], []), (orders, [3], []), (orders, [4], [5]), (orders, [2, 4], []), (customers, [3], []),
        (customers, [2], []),
      ]
      for (draft, row) in zip(drafts, rows) {
        var candidate = Candidate(table: draft.0.oid, keys: draft.1.map { CandidateKey(.column($0)) })
        candidate.included = draft.2
        let ratio = Double(IndexSize.bytes(candidate, in: draft.0)) / (Double(row[1]) ?? 0)
        #expect((0.9...1.1).contains(ratio), "\(row) \(ratio)")
      }
    }
  }
}
