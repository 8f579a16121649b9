import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Pruning

@Suite(.timeLimit(.minutes(3))) struct WhatIfTests {
  @Test(arguments: [
    ("1.4.0", true), ("1.4", true), ("1.10.2", true), ("2.0beta", true), ("1.3.1", false), ("1.3", false),
    ("0.9", false), ("", false), ("nonsense", false),
  ])
  func hypopgHidesFrom14On(version: String, canHide: Bool) {
    let facts = ServerFacts(hypopgVersion: version, hypopgSchema: "ext")
    #expect(facts.whatIfMethod == (canHide ? .hypopg(schema: "ext") : nil))
  }

  @Test func theWayIsChosenByWhatThereIs() {
    func method(_ facts: ServerFacts) -> WhatIfMethod? { facts.whatIfMethod }
    #expect(method(ServerFacts(isSuperuser: true)) == .catalogFlag)
    #expect(method(ServerFacts()) == nil)
    #expect(method(ServerFacts(isSuperuser: true, isStandby: true)) == nil)
    let new = (version: "1.4.1", schema: "public")
    #expect(
      method(ServerFacts(isStandby: true, hypopgVersion: new.version, hypopgSchema: new.schema))
        == .hypopg(schema: "public"))
    #expect(
      method(ServerFacts(isSuperuser: true, hypopgVersion: "1.3.1", hypopgSchema: "public")) == .catalogFlag)
    // What HypoPG hides stays with a connection that a pooler lends to others.
    #expect(method(ServerFacts(isPooled: true, hypopgVersion: new.version, hypopgSchema: new.schema)) == nil)
    #expect(
      method(
        ServerFacts(
          isSuperuser: true, isPooled: true, hypopgVersion: new.version, hypopgSchema: new.schema))
        == .catalogFlag)
  }

  @Test func namesWhatGetsDearerAndLeavesNothing() async throws {
    try await withDatabase(template: shop) { database in
      // A flag that is off and a row that was written anew both show; what was rolled back leaves its mark in xmax.
      let state = """
        select i.*, i.xmin, c.xmin, c.relfilenode from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.oid >= 16384 order by c.oid
        """
      let before = try await database.sql(state)
      let plan = try await database.plan([
        #"select * from "Sales"."Orders" where placed = $1"#,
        #"select * from "Sales"."Orders" where customer = 7"#,
        #"select count(*) from "Sales"."Orders" where customer = $1"#,
        "select 1", "select * from nowhere", #"update "Sales"."Orders" set note = $1 where id = $2"#,
      ])
      #expect(
        Set(plan.lines) == ["orders_placed worse 0", "Orders by customer drop"], "\(plan.lines)")
      let methods = plan.items.map(\.proof.method)
      #expect(methods == [.catalogFlag, .catalogFlag])
      #expect(plan.statementsPlanned == 5)
      #expect(plan.unexplained.map(\.id) == ["4"])
      #expect(plan.items.map(\.proof.statementsPlanned) == [4, 4])
      let worse = try #require(plan.items.flatMap(\.proof.worse).first)
      #expect(worse.costAfter > worse.costBefore * 2 && worse.calls == 7)
      let accepted = try await database.plan([#"select * from "Sales"."Orders" where placed = $1"#]) {
        $0.acceptsWorse = true
      }
      #expect(accepted.dropped.count == 2)
      #expect(try await database.sql(state) == before)
    }
  }

  /// Each could do the other's work for this statement; without both it must read the table.
  @Test func judgesEachWithoutThoseBeforeIt() async throws {
    try await withDatabase(template: shop) { database in
      try await database.sql(
        #"""
        drop index "Sales"."Orders by customer", "Sales".orders_placed;
        create index placed_id on "Sales"."Orders" (placed, id desc);
        create index placed_note on "Sales"."Orders" (placed, note);
        """#)
      let plan = try await database.plan([#"select * from "Sales"."Orders" where placed = $1"#]) {
        $0.kinds = [.unused]
        $0.tables = .init(table: "Orders")
      }
      let held = plan.items.filter { $0.heldBack == .worse }.map(\.restoration.index.name)
      let free = plan.dropped.map(\.restoration.index.name)
      // The last of those that find a date stays, and only that.
      #expect(held.count == 1 && held[0].contains("placed"), "\(plan.lines)")
      #expect(Set(held + free) == ["placed_id", "placed_note", "orders_customer_placed"], "\(plan.lines)")
    }
  }

  /// The app finds its tables by its own path. A plan that fails for want of it proves nothing, of a covered index neither.
  @Test func aStatementThatCannotBePlannedProvesNothing() async throws {
    try await withDatabase(template: shop) { database in
      try await database.sql(#"create view "Sales".by_day as select * from "Sales"."Orders""#)
      let others = #"select count(*) from "Sales"."Orders" where id = $1"#
      func gaps(_ statement: String, path: String? = nil) async throws -> (
        codes: Set<String>, lines: Set<String>
      ) {
        let plan = try await database.onSession { session in
          let known = [
            ObservedStatement(id: "0", text: others, calls: 1),
            ObservedStatement(id: "1", text: statement, calls: 1, searchPath: path),
          ]
          return try Pruner(PruneRequest(), ServerFacts(session), audit: audited).plan(
            on: session, statements: known)
        }
        return (Set(plan.items.compactMap(\.proof.gap?.code)), Set(plan.lines))
      }
      for sql in [
        #"select * from "Orders" where placed = $1"#, "select * from by_day where placed = $1",
        #"select * from "Sales"."Orders" o join gone on gone.id = o.id"#, #"selct "Orders""#,
      ] {
        let found = try await gaps(sql)
        #expect(found.codes == ["statement_unexplained"], "\(sql)")
        #expect(found.lines == ["Orders by customer unproven", "orders_placed unproven"], "\(sql)")
      }
      let planned = try await gaps(#"select * from "Orders" where placed = $1"#, path: #""Sales", public"#)
      #expect(planned.codes.isEmpty)
      #expect(planned.lines == ["Orders by customer drop", "orders_placed worse 1"])
      let elsewhere = try await gaps("select * from elsewhere where orders = 1")
      #expect(elsewhere.codes.isEmpty)
      #expect(elsewhere.lines == ["Orders by customer drop", "orders_placed drop"])
    }
  }

  /// No statement on a table: the counters of its unused index stand alone.
  @Test func aTableWithoutStatementsIsUnproven() async throws {
    try await withDatabase(template: shop) { database in
      let plan = try await database.plan(["select count(*) from pg_class"])
      #expect(Set(plan.lines) == ["Orders by customer drop", "orders_placed unproven"])
      #expect(Set(plan.items.compactMap(\.proof.gap?.code)) == ["no_statement_planned"])
      // Every table has INSERTs, and they ask no index of it.
      let written = try await database.plan([
        #"insert into "Sales"."Orders" values (-1, 1, '2020-01-01', '')"#
      ])
      #expect(Set(written.items.compactMap(\.proof.gap?.code)) == ["no_statement_planned"])
      let read = try await database.plan([#"delete from "Sales"."Orders" where id = $1"#])
      #expect(Set(read.items.compactMap(\.proof.gap?.code)) == [])
    }
  }

  /// An index is hidden along with those before it only where a statement could read both: what a plan writes into pg_index grows with
  /// the number of indexes, not with its square.
  @Test func hidesNoMoreThanTheStatementsCanRead() async throws {
    try await withDatabase { database in
      let count = 12
      for number in 1...count {
        try await database.sql(
          "create table t\(number) (a int, b int); create index on t\(number) (a); create index on t\(number) (a, b);"
            + " insert into t\(number) select n, n from generate_series(1, 100) n; analyze t\(number)")
      }
      let updates = "select n_tup_upd from pg_stat_all_tables where relname = 'pg_index'"
      func written() async throws -> Int {
        try await Task.sleep(for: .milliseconds(1200))
        return Int(try await database.sql(updates)[0][0]) ?? -1
      }
      let before = try await written()
      let plan = try await database.plan((1...count).map { "select * from t\($0) where a = $1" }) {
        $0.kinds = [.redundant]
      }
      #expect(plan.items.count == count)
      let after = try await written()
      #expect(after - before == count)
    }
  }

  @Test func withoutTheRightsItSaysSo() async throws {
    try await withDatabase(template: shop) { database in
      let role = "watcher_\(database.name)"
      try await database.sql(
        """
        create role \(role) login; grant pg_monitor to \(role); alter table "Sales"."Orders" owner to \(role)
        """)
      let plan = try await database.plan([#"select * from "Sales"."Orders" where placed = $1"#], role: role)
      #expect(Set(plan.lines) == ["Orders by customer drop", "orders_placed unproven"])
      #expect(Set(plan.items.compactMap(\.proof.gap?.code)) == ["cannot_hide"])
      let accepted = try await database.plan([], role: role) { $0.acceptsUnproven = true }
      #expect(accepted.dropped.count == 2)
      try await database.sql(
        #"alter table "Sales"."Orders" owner to ironforge; drop owned by \#(role); drop role \#(role)"#)
    }
  }

  @Test func withoutStatementsNothingIsProven() async throws {
    try await withDatabase(template: shop) { database in
      let none = try await database.plan([])
      #expect(Set(none.items.compactMap(\.proof.gap?.code)) == ["no_statements"])
      let bad = try await database.plan(["select * from nowhere", "vacuum"])
      #expect(Set(bad.items.compactMap(\.proof.gap?.code)) == ["no_plans"])
      #expect(bad.unexplained.count == 2)
    }
  }

  @Test func aPartitionedIndexIsHidAsATreeAndHeldBack() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table p (a int, b int) partition by range (a);
        create table p1 partition of p for values from (0) to (10000);
        create table p2 partition of p for values from (10000) to (20000);
        insert into p select n, n from generate_series(0, 19999) n;
        create index on p (b);
        create index on p (b, a);
        analyze;
        """)
      let plan = try await database.plan(["select * from p where b = $1"]) { $0.acceptsWorse = true }
      #expect(plan.lines.allSatisfy { $0.contains("not_concurrent") } && !plan.items.isEmpty, "\(plan.lines)")
      #expect(plan.items.allSatisfy { $0.proof.statementsPlanned == 1 })
    }
  }

  /// While the plan is made another session sees the index, uses it and writes through it.
  @Test func aLockedCatalogRowIsNoHang() async throws {
    try await withDatabase(template: shop) { database in
      let url = database.url
      let plan = try await blocking {
        let holder = try Session(connecting: ConnectionString(url))
        defer { holder.close() }
        let session = try Session(
          connecting: ConnectionString(url), options: SessionOptions(lockTimeout: .milliseconds(200)))
        defer { session.close() }
        try holder.simple("begin; update pg_index set indisvalid = indisvalid")
        let statement = ObservedStatement(
          id: "1", text: #"select * from "Sales"."Orders" where placed = $1"#, calls: 1)
        return try Pruner(PruneRequest(), ServerFacts(session), audit: audited).plan(
          on: session, statements: [statement])
      }
      #expect(Set(plan.items.compactMap(\.proof.gap?.code)) == ["what_if_failed"])
      #expect(Set(plan.lines) == ["Orders by customer drop", "orders_placed unproven"])
    }
  }
}
