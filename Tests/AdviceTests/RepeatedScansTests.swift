import Indexes
import Plans
import Postgres
import TestSupport
import Testing
import Workload

@testable import Advice

/// What the planner leaves out where a join repeats a scan.
struct RepeatedScansTests {
  /// 11,259 pages of 600,572 rows, in which each of 1000 suppliers has 601; found by an index in no order.
  private static let lineitem: RepeatedScans = {
    var scans = RepeatedScans()
    scans.costs.randomPage = 1.1
    scans.costs.rowInMemory = .infinity
    scans.heaps["lineitem"] = .init(pages: 11_259, rows: 600_572)
    scans.indexes["lineitem_suppkey"] = .init(columns: [("l_suppkey", 0.001)], correlation: 0)
    return scans
  }()

  private static let scan = """
    {"Node Type": "Index Scan", "Parent Relationship": "Inner", "Relation Name": "lineitem",
     "Index Name": "lineitem_suppkey", "Startup Cost": 0.42, "Total Cost": 26.90, "Plan Rows": 185, "Plan Width": 24,
     "Index Cond": "(l_suppkey = supplier.s_suppkey)", "Filter": "(l_shipdate > '1995-01-01'::date)"}
    """

  private static func loop(rows: Int, join: String = "Inner", _ inner: String = scan) -> String {
    """
    {"Node Type": "Nested Loop", "Parent Relationship": "Outer", "Join Type": "\(join)", "Startup Cost": 1.82,
     "Total Cost": 2337.08, "Plan Rows": 14783, "Plan Width": 46, "Plans": [
      {"Node Type": "Hash Join", "Parent Relationship": "Outer", "Startup Cost": 1.40, "Total Cost": 37.47,
       "Plan Rows": \(rows), "Plan Width": 30}, \(inner)]}
    """
  }

  private func surcharge(_ node: String, _ scans: RepeatedScans = lineitem) throws -> Double {
    scans.surcharge(of: try Plan(parsingJSON: Array("[{\"Plan\": \(node)}]".utf8)).root)
  }

  /// Query 7 of TPC-H: 80 times 601 rows are on all pages of the table, which the planner spread over 1000 scans.
  @Test func countsThePagesOfTheScansThatRun() throws {
    let pages = 11_259.0 / 80 * 1.1
    let expected = (pages + 600.572 * 0.0175 - 26.90) * 80
    #expect(abs(try surcharge(Self.loop(rows: 80)) - expected) < 0.01, "\(expected)")
    // As many scans as the planner took: nothing but rounding is left.
    #expect(try surcharge(Self.loop(rows: 1000)) < 1)
  }

  /// What is in memory costs its rows and no more; finding them in a tree that HypoPG says has no height costs, too.
  @Test func rowsFromMemoryAndTheWayToThem() throws {
    var scans = Self.lineitem
    scans.costs.rowInMemory = 0.1
    let expected = (600.572 * (0.1 + 0.0175) - 26.90) * 80
    #expect(abs(try surcharge(Self.loop(rows: 80), scans) - expected) < 0.01)
    let root = try Plan(parsingJSON: Array("[{\"Plan\": \(Self.loop(rows: 80))}]".utf8)).root
    let hypothetical = scans.surcharge(of: root) { name in
      scans.indexes[name].map { RepeatedScans.Keys(columns: $0.columns, correlation: 0, height: 2) }
    }
    // Three pages of 50 operators for each of 80 scans.
    #expect(abs(hypothetical - expected - 80 * 3 * 50 * 0.0025) < 0.01)
  }

  @Test func aScanInTheOrderOfTheTableReadsNeighbours() throws {
    var scans = Self.lineitem
    scans.indexes["lineitem_suppkey"]?.correlation = 1
    // 12 pages hold the 601 rows of a supplier.
    #expect(try surcharge(Self.loop(rows: 80), scans) < 1)
    scans.indexes["lineitem_suppkey"]?.correlation = nil
    #expect(try surcharge(Self.loop(rows: 80), scans) == 0)
  }

  @Test func countsOnlyRepetitionsThatThePlanTells() throws {
    let inner = try surcharge(Self.loop(rows: 80))
    #expect(try surcharge(Self.loop(rows: 80, join: "Left")) == inner)
    #expect(try surcharge(Self.loop(rows: 80, join: "Semi")) == 0)
    #expect(try surcharge(Self.loop(rows: 80, join: "Anti")) == 0)
    let kept = { (type: String) in
      Self.loop(
        rows: 80,
        """
        {"Node Type": "\(type)", "Parent Relationship": "Inner", "Startup Cost": 0.42, "Total Cost": 27, "Plan Rows": 185,
         "Plan Width": 24, "Plans": [\(Self.scan.replacing("\"Inner\"", with: "\"Outer\""))]}
        """)
    }
    #expect(try surcharge(kept("Memoize")) == 0)
    #expect(try surcharge(kept("Materialize")) == 0)
    #expect(try surcharge(kept("Subquery Scan")) == inner)
    let once = Self.scan.replacing("\"Parent Relationship\": \"Inner\", ", with: "")
    #expect(try surcharge(once) == 0)
  }

  @Test func aLimitReadsItsPart() throws {
    let limit = """
      {"Node Type": "Limit", "Startup Cost": 1.82, "Total Cost": 233.708, "Plan Rows": 1478, "Plan Width": 46,
       "Plans": [\(Self.loop(rows: 80))]}
      """
    #expect(abs(try surcharge(limit) - surcharge(Self.loop(rows: 80)) / 10) < 1e-6)
  }

  /// Where a constant or an operator stands, statistics of the column do not say how many rows are found.
  @Test(arguments: [
    "(l_suppkey = 7)", "(l_suppkey = '7'::bigint)", "(l_suppkey = ANY ('{1,2}'::bigint[]))",
    "(l_suppkey = $1)",
    "(l_suppkey > supplier.s_suppkey)",
    "((l_suppkey = supplier.s_suppkey) AND (l_shipdate = '1995-01-01'::date))",
    "(other = supplier.s_suppkey)",
  ])
  func otherConditionsFindAtLeastWhatIsKept(_ condition: String) throws {
    let scan = Self.scan.replacing("(l_suppkey = supplier.s_suppkey)", with: condition)
    let pages = RepeatedScans.pagesRead(185 * 80, of: 11_259, cache: 1e9) / 80 * 1.1
    let expected = (pages + 185 * 0.0175 - 26.90) * 80
    #expect(abs(try surcharge(Self.loop(rows: 80, scan)) - expected) < 0.01)
  }

  @Test(arguments: [
    "(l_suppkey = supplier.s_suppkey)", "(l_suppkey = \"S\".key)", "(l_suppkey = (s.key)::bigint)",
  ])
  func whatIsJoinedHasTheRowsOfAValue(_ condition: String) throws {
    let scan = Self.scan.replacing(
      "(l_suppkey = supplier.s_suppkey)", with: condition.replacing("\"", with: "\\\""))
    #expect(try surcharge(Self.loop(rows: 80, scan)) == surcharge(Self.loop(rows: 80)))
  }

  @Test func pagesOfATableThatDoesNotFitAreReadAgain() {
    // 100 pages, room for all, and for half of them.
    #expect(RepeatedScans.pagesRead(1e9, of: 100, cache: 200) == 100)
    let (half, more) = (
      RepeatedScans.pagesRead(1000, of: 100, cache: 50), RepeatedScans.pagesRead(2000, of: 100, cache: 50)
    )
    #expect(half > 100)
    // From there on every second row has to be read.
    #expect(abs(more - half - 500) < 1e-9)
  }
}

/// The same against a real planner.
@Suite(
  .timeLimit(.minutes(3)), .enabled("the server does not offer HypoPG") { try await serverOffers("hypopg") })
struct PlannerLoopTests {
  /// 1000 suppliers, 40 of them in each nation; 300 lines each, in no order.
  private static let shop = DatabaseTemplate("repeated_scans") { database in
    try await database.sql(
      """
      create extension hypopg;
      create table nations (id int primary key, name text not null);
      create table suppliers (id int primary key, nation_id int not null, note text);
      create table chosen (id int primary key);
      create table lines (id int primary key, supplier_id int not null, price int not null, note text);
      insert into nations select n, 'nation ' || n from generate_series(0, 24) n;
      insert into suppliers select n, n % 25, repeat('x', 80) from generate_series(0, 999) n;
      insert into chosen select 25 * n + 7 from generate_series(0, 39) n;
      insert into lines select n, n * 7919::bigint % 1000, n % 100, repeat('y', 80) from generate_series(1, 300000) n;
      vacuum analyze;
      """)
  }

  private static let query = """
    select sum(l.price) from nations n join suppliers s on s.nation_id = n.id join lines l on l.supplier_id = s.id
    where n.name = 'nation 7'
    """

  /// With the surcharge a join with the suppliers of a nation costs what the planner says of one with a table that has just
  /// those suppliers.
  @Test func theSurchargeIsWhatThePlannerLeavesOut() async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.sql("create index on lines (supplier_id)")
      try await database.settings([
        "enable_hashjoin = off", "enable_mergejoin = off", "enable_memoize = off", "enable_bitmapscan = off",
        "enable_seqscan = off", "max_parallel_workers_per_gather = 0",
      ])
      try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        let planner = StatementPlanner(session, author: .caller)
        let names: Set<String> = ["nations", "suppliers", "lines", "chosen"]
        var scans = try RepeatedScans(
          session, try SchemaReader(session).read(names: names), try CatalogReader(session).read())
        scans.costs.rowInMemory = .infinity
        func plan(_ sql: String) throws -> (cost: Double, surcharge: Double) {
          let join = try #require(
            try planner.plan(sql).root.all.first {
              $0.type == "Nested Loop" && $0.children[1].relation == "lines"
            })
          return (join.children[1].totalCost * join.children[0].rowsEstimated, scans.surcharge(of: join))
        }
        let filtered = try plan(Self.query)
        let plain = try plan("select sum(l.price) from chosen c join lines l on l.supplier_id = c.id")
        #expect(filtered.cost < plain.cost / 4)
        #expect(plain.surcharge < plain.cost / 20)
        #expect((0.95...1.05).contains((filtered.cost + filtered.surcharge) / plain.cost))
      }
    }
  }

  /// The planner takes 120 scans for 300 rows each to read an eighth of the pages; they read all, many of them over and over.
  @Test func anIndexThatOnlySeemsToHelpIsNotAdvised() async throws {
    try await withDatabase(template: Self.shop) { database in
      try await database.settings(["random_page_cost = 4", "max_parallel_workers_per_gather = 0"])
      let sql = Self.query.replacing("= 'nation 7'", with: "in ('nation 7', 'nation 8', 'nation 9')")
      func planned() async throws -> Double {
        try await blocking { [url = database.url] in
          let session = try Session(connecting: ConnectionString(url))
          defer { session.close() }
          return try StatementPlanner(session, author: .caller).plan(sql).root.totalCost
        }
      }
      let before = try await planned()
      let advice = try await blocking { [url = database.url] in
        let session = try Session(connecting: ConnectionString(url))
        defer { session.close() }
        // No room for an index that has the price, too.
        let request = Advisor.Request(limits: ChoiceLimits(bytes: 4_000_000))
        let statements = WorkloadFile.merged(try WorkloadFile.split(Array(sql.utf8)))
        return try Advisor(session, request).advise(statements)
      }
      #expect(advice.indexes.filter { $0.table.name == "lines" }.map(\.ddl) == [])
      try await database.sql("create index on lines (supplier_id)")
      #expect(try await planned() < before / 2)
    }
  }
}

extension TestDatabase {
  /// For sessions to come.
  fileprivate func settings(_ list: [String]) async throws {
    for setting in list { try await sql("alter database \"\(name)\" set \(setting)") }
  }
}
