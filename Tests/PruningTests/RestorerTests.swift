import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Pruning

@Suite(.timeLimit(.minutes(3))) struct RestorerTests {
  /// What the catalog says of the indexes of a database, object identifiers aside.
  private static let properties = #"""
    select n.nspname, c.relname, pg_get_indexdef(c.oid), s.spcname, obj_description(c.oid, 'pg_class'), i.indisclustered,
      i.indisvalid and i.indisready and i.indislive, c.reloptions,
      array(select a.attstattarget::int from pg_attribute a where a.attrelid = c.oid order by a.attnum),
      array(select a.attoptions::text from pg_attribute a where a.attrelid = c.oid order by a.attnum),
      pg_get_userbyid(c.relowner)
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_tablespace s on s.oid = c.reltablespace
    where n.nspname not like 'pg\_%'
    order by 1, 2
    """#

  private func restorations(_ database: TestDatabase) async throws -> [IndexRestoration] {
    try await database.onSession { session in
      let catalog = try CatalogReader(session).read()
      return catalog.sortedIndexes.filter { $0.constraint == nil }.map { catalog.restoration(of: $0) }
    }
  }

  /// Outcomes by name, each with the reason where it was refused.
  private func restore(
    _ restorations: [IndexRestoration], _ database: TestDatabase, lockTimeout: Duration = .seconds(1)
  ) async throws -> [String] {
    try await database.onSession { session in
      let restorer = Restorer(session, lockTimeout: lockTimeout, shouldStop: { false }, onWait: { _, _ in })
      return restorations.map { restoration in
        switch restorer.restore(restoration) {
        case .refused(let reason): "refused \(reason.code)"
        case .failed(let failure, let isLeftover): "failed \(failure.code) \(isLeftover)"
        case let outcome: outcome.name
        }
      }
    }
  }

  private func actions(_ restorations: [IndexRestoration], _ database: TestDatabase) async throws -> [String]
  {
    try await database.onSession { session in
      let restorer = Restorer(session, lockTimeout: .seconds(1), shouldStop: { false }, onWait: { _, _ in })
      return try restorations.map { restoration in
        switch try restorer.action(for: restoration) {
        case .refused(let reason): "refused \(reason.code)"
        case .complete(let statements): "complete \(statements.count)"
        case let action: action.name
        }
      }
    }
  }

  private static let collection = DatabaseTemplate("pruning_collection") { database in
    try await database.sql(
      #"""
      create schema "My ""Schema""";
      create table "My ""Schema"""."T'able" (a int, "B b" text, c int[], d tsvector);
      insert into "My ""Schema"""."T'able" select n, 'x' || n, array[n], to_tsvector('x' || n) from generate_series(1, 300) n;
      create index "I'ndex \ ""1""" on "My ""Schema"""."T'able" (a desc nulls last, lower("B b"), (a % 7))
        include ("B b") with (fillfactor = 70) where a > 5 and "B b" <> E'line\n-- index {';
      create unique index uniq on "My ""Schema"""."T'able" ("B b" collate "C" text_pattern_ops, a) nulls not distinct;
      create index gin on "My ""Schema"""."T'able" using gin (c);
      create index gist on "My ""Schema"""."T'able" using gist (d tsvector_ops (siglen = 100));
      create index brin on "My ""Schema"""."T'able" using brin (a) with (pages_per_range = 7);
      create index hash on "My ""Schema"""."T'able" using hash ("B b");
      create materialized view m as select a from "My ""Schema"""."T'able";
      create index on m (a);
      set search_path = "My ""Schema""";
      alter index "I'ndex \ ""1""" alter column 2 set statistics 77;
      alter index "I'ndex \ ""1""" alter column 3 set statistics 0;
      comment on index "I'ndex \ ""1""" is E'it''s\n\\ "odd"';
      alter table "T'able" cluster on uniq;
      analyze "T'able";
      """#)
  }

  @Test func everyPropertyComesBack() async throws {
    try await withDatabase(template: Self.collection) { database in
      // Tablespaces belong to the server; an in-place one needs no directory.
      let space = "fast_\(database.name)"
      try await database.sql(
        #"""
        set allow_in_place_tablespaces = on;
        create tablespace \#(space) location '';
        alter index "My ""Schema"""."I'ndex \ ""1""" set tablespace \#(space);
        alter index "My ""Schema""".gin set tablespace \#(space);
        """#)
      let before = try await database.sql(Self.properties)
      #expect(before.count == 7)
      let all = try await restorations(database)
      #expect(all.count == 7)
      for restoration in all { try await database.sql("drop index \(restoration.index.quoted)") }
      // By way of the file.
      let file = UndoFile(
        system: "1", database: "x",
        entries: all.map { UndoFile.Entry($0, kind: "unused", notedAt: "") })
      let read = try UndoFile(parsing: file.bytes, name: "undo.sql").entries.map(\.restoration)
      #expect(read == all)
      #expect(try await actions(read, database) == Array(repeating: "create", count: 7))
      #expect(try await restore(read, database) == Array(repeating: "restored", count: 7))
      #expect(try await database.sql(Self.properties) == before)
      #expect(try await restore(read, database) == Array(repeating: "present", count: 7))
      // As psql would do it.
      for restoration in all { try await database.sql("drop index \(restoration.index.quoted)") }
      try await database.sql(String(decoding: file.bytes, as: UTF8.self))
      #expect(try await database.sql(Self.properties) == before)
      for restoration in all { try await database.sql("drop index \(restoration.index.quoted)") }
      try await database.sql("drop tablespace \(space)")
    }
  }

  @Test func whatACreationLeavesOutIsCompleted() async throws {
    try await withDatabase(template: Self.collection) { database in
      let before = try await database.sql(Self.properties)
      let all = try await restorations(database)
      for restoration in all {
        try await database.sql("drop index \(restoration.index.quoted)")
        try await database.sql(restoration.creation)
      }
      let actions = try await actions(all, database)
      #expect(Set(actions) == ["present", "complete 4", "complete 1"])
      _ = try await restore(all, database)
      #expect(try await database.sql(Self.properties) == before)
      // What somebody has set since then stays.
      try await database.sql(#"comment on index "My ""Schema""".uniq is 'new'"#)
      #expect(Set(try await restore(all, database)) == ["present"])
    }
  }

  /// What the planner knows of an expression goes with the index; CREATE INDEX does not bring it back.
  @Test func statisticsOfExpressionsComeBack() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t as select n % 10 as a from generate_series(1, 5000) n;
        create index parity on t ((a % 2)); create index plain on t (a); create table none (a int);
        create index nothing on none ((a % 2));
        analyze
        """)
      let all = try await restorations(database)
      let estimate = "explain (format json) select * from t where a % 2 = 1"
      let before = try await database.sql(estimate)
      try await database.sql("drop index parity; drop index plain; drop index nothing")
      #expect(try await database.sql(estimate) != before)
      #expect(try await restore(all, database) == ["restored", "restored", "restored"])
      let rows = "select count(*) from pg_stats where tablename = 'parity'"
      #expect(try await database.sql(rows) == [["1"]])
      #expect(try await restore(all, database) == ["present", "present", "present"])
    }
  }

  /// An index that goes with an extension would outlive it; one whose name is a key word would not be found.
  @Test func goesWithTheSameExtensionsAgain() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create extension citext; create extension "uuid-ossp";
        create table t (a int, b citext);
        create index "order" on t (a);
        alter index "order" depends on extension citext;
        alter index "order" depends on extension "uuid-ossp";
        alter table t cluster on "order";
        """)
      let dependencies = """
        select e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid
        where d.objid = '"order"'::regclass and d.deptype = 'x' order by 1
        """
      let all = try await restorations(database)
      #expect(all.map(\.extensions) == [["\"uuid-ossp\"", "citext"]])
      try await database.sql("drop index \"order\"")
      let file = UndoFile(
        system: "7", database: "d", entries: all.map { UndoFile.Entry($0, kind: "unused", notedAt: "") })
      let text = String(decoding: file.bytes, as: UTF8.self)
      #expect(text.contains("\nALTER INDEX public.\"order\" DEPENDS ON EXTENSION citext;\n"))
      #expect(text.contains("\nALTER TABLE public.t CLUSTER ON \"order\";\n"))
      let read = try UndoFile(parsing: file.bytes, name: "undo.sql").entries.map(\.restoration)
      #expect(try await restore(read, database) == ["restored"])
      #expect(try await database.sql(dependencies) == [["citext"], ["uuid-ossp"]])
      #expect(try await restorations(database) == all)
      try await database.sql("alter index \"order\" no depends on extension citext")
      #expect(try await actions(read, database) == ["complete 1"])
      #expect(try await restore(read, database) == ["restored"])
      #expect(try await actions(read, database) == ["present"])
      // With the extension the index goes, and is not to be without it.
      try await database.sql("drop extension \"uuid-ossp\"")
      #expect(try await restorations(database).isEmpty)
      #expect(try await restore(read, database) == ["refused extension_missing"])
    }
  }

  @Test func leftoversAreRepaired() async throws {
    try await withDatabase(template: Self.collection) { database in
      let before = try await database.sql(Self.properties)
      let all = try await restorations(database)
      // A DROP that was cancelled in its first wait, one in its last, and a CREATE that failed.
      try await database.sql("update pg_index set indisvalid = false where indexrelid = 'm_a_idx'::regclass")
      try await database.sql(
        #"""
        update pg_index set indisvalid = false, indisready = false, indislive = false
        where indexrelid = '"My ""Schema""".brin'::regclass
        """#)
      try await database.sql(
        #"""
        update pg_index set indisvalid = false, indisready = false where indexrelid = '"My ""Schema""".uniq'::regclass
        """#)
      let actions = try await actions(all, database)
      #expect(actions.count { $0 == "rebuild" } == 3 && actions.count { $0 == "present" } == 4)
      let outcomes = try await restore(all, database)
      #expect(outcomes.count { $0 == "restored" } == 3)
      #expect(try await database.sql(Self.properties) == before)
    }
  }

  @Test func refusesWhatCannotBe() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table a (x int); create index a_x on a (x);
        create table b (x int); create index b_x on b (x);
        create table c (x int); create index c_x on c (x);
        create schema s; create table s.d (x int); create index d_x on s.d (x);
        """)
      let all = try await restorations(database)
      #expect(all.map(\.index.name) == ["a_x", "b_x", "c_x", "d_x"])
      try await database.sql(
        "drop table a; drop index b_x; create table b_x (); drop index c_x; create index c_x on c (x desc);")
      try await database.sql("alter schema s rename to r")
      let expected = [
        "refused table_missing", "refused name_taken", "refused name_taken", "refused schema_missing",
      ]
      #expect(try await restore(all, database) == expected)
      #expect(try await actions(all, database) == expected)
    }
  }

  /// A file that somebody made up, in the form of ours.
  @Test func definitionsOfSomethingElseAreRefused() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (x int); create table victim (x int)")
      let name = RelationName(schema: "public", name: "i", quoted: "public.i")
      let table = RelationName(schema: "public", name: "t", quoted: "public.t")
      func index(
        _ definition: String, _ index: RelationName = name, space: String? = nil, extensions: [String] = []
      ) -> IndexRestoration {
        IndexRestoration(
          index: index, table: table, definition: definition, tablespace: space, extensions: extensions)
      }
      let outcomes = try await restore(
        [
          index("CREATE INDEX i ON public.victim USING btree (x)"),
          index("CREATE INDEX j ON public.t USING btree (x)"),
          index("CREATE INDEX i ON public.t; drop table victim"),
          index(
            "CREATE INDEX i ON public.t USING btree (x)",
            RelationName(schema: "public", name: "i", quoted: "public.i; drop table victim")),
          index(
            "CREATE INDEX i ON public.t USING btree (x)", extensions: ["plpgsql; drop table victim"]),
          index("CREATE INDEX i ON public.t USING btree (x); drop table victim"),
          index("CREATE INDEX i ON public.t USING btree (x)", space: "pg_default; drop table victim"),
        ], database)
      #expect(
        outcomes.prefix(5) == [
          "refused names_differ", "refused names_differ", "refused names_differ", "refused names_differ",
          "refused extension_missing",
        ])
      // Nothing runs concurrently beside another statement.
      #expect(outcomes.suffix(2) == ["failed database_error false", "failed database_error false"])
      #expect(try await database.sql("select to_regclass('victim'), to_regclass('i')") == [["victim", ""]])
    }
  }

  @Test func aUniqueIndexThatCannotBeLeavesNothing() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (x int); create unique index u on t (x)")
      let all = try await restorations(database)
      try await database.sql("drop index u; insert into t values (1), (1)")
      #expect(try await restore(all, database) == ["failed database_error false"])
      #expect(try await database.sql("select count(*) from pg_class where relname = 'u'") == [["0"]])
    }
  }
}
