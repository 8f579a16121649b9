import Postgres
import Primitives
import TestSupport
import Testing

@testable import Indexes

@Suite(.timeLimit(.minutes(3))) struct CatalogReaderTests {
  private func index(_ name: String, _ catalog: Catalog) throws -> Index {
    try #require(catalog.indexes.values.first { $0.name.name == name })
  }

  @Test func readsWhatAnIndexIs() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (a int, b text, c int[], d boolean, e int4range);
        create index everything on t (a desc, lower(b), b collate "C" text_pattern_ops nulls first) include (d)
          with (fillfactor = 70) where a > 5;
        create index signatures on t using gin (c);
        create unique index nulls on t (a) nulls not distinct;
        alter table t add constraint apart exclude using gist (e with &&) deferrable;
        alter index everything alter column 2 set statistics 77;
        comment on index everything is 'all of it';
        """)
      let catalog = try await readCatalog(database.url)
      let everything = try index("everything", catalog)
      #expect(everything.keys.map(\.column) == [1, nil, 2])
      #expect(everything.keys.map(\.expression) == [nil, "lower(b)", nil])
      #expect(everything.keys.map(\.isDescending) == [true, false, false])
      #expect(everything.keys.map(\.hasNullsFirst) == [true, false, true])
      #expect(Set(everything.keys.map(\.operatorClass)).count == 3)
      #expect(Set(everything.keys.map(\.collation)).count == 3)
      #expect(everything.included == [4])
      #expect(everything.predicate == "(a > 5)")
      #expect(everything.storage == ["fillfactor=70"])
      #expect(everything.statisticsTargets == [2: 77])
      #expect(everything.comment == "all of it")
      #expect(everything.tablespace == nil)
      #expect(everything.sizeBytes == 8192)
      #expect(
        everything.definition.hasPrefix("CREATE INDEX everything ON public.t USING btree (a DESC, lower(b)"))
      #expect(try index("signatures", catalog).method == "gin")
      #expect(try index("nulls", catalog).hasNullsNotDistinct)
      let apart = try index("apart", catalog)
      #expect(apart.constraint?.kind == .exclusion)
      #expect(apart.constraint?.isDeferrable == true)
      #expect(!apart.isImmediate)
      let table = try #require(catalog.tables.values.first)
      #expect(table.columns.mapValues(\.name) == [1: "a", 2: "b", 3: "c", 4: "d", 5: "e"])
      #expect(table.columns[4]?.isBoolean == true)
    }
  }

  @Test func readsOperatorClassParameters() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (v tsvector);
        create index short on t using gist (v tsvector_ops (siglen = 10));
        create index long on t using gist (v tsvector_ops (siglen = 500));
        """)
      let catalog = try await readCatalog(database.url)
      #expect(try index("short", catalog).keys.map(\.options) == ["{siglen=10}"])
      #expect(Audit(catalog.trusted).report().findings.filter { $0.kind == .duplicate } == [])
    }
  }

  @Test func countsUsageAndChanges() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table parent (id int primary key);
        create table t (id int primary key, parent int references parent (id), flag boolean);
        insert into parent select generate_series(1, 10);
        insert into t select n, n % 10 + 1, n % 3 = 0 from generate_series(1, 1000) n;
        update t set flag = not flag where id <= 100;
        delete from t where id > 990;
        create index t_flag on t (flag);
        analyze t;
        set enable_seqscan = off;
        select count(*) from t where id = 5;
        select count(*) from t where id = 6;
        select pg_stat_force_next_flush();
        """)
      let catalog = try await readCatalog(database.url)
      let table = try #require(catalog.tables.values.first { $0.name.name == "t" })
      #expect(table.counters.inserted == 1000)
      #expect(table.counters.updated == 100)
      #expect(table.counters.deleted == 10)
      #expect(table.counters.lastAnalyze != nil)
      #expect(table.rows == 990)
      #expect(table.columns[3]?.distinctValues == 2)
      #expect(table.columns[1]?.distinctValues == nil)
      #expect(try index("t_pkey", catalog).usage.scans >= 2)
      #expect(try index("t_flag", catalog).usage.scans == 0)
      let key = try #require(catalog.foreignKeys.first)
      #expect(key.columns == [2])
      #expect(catalog.foreignKeys.count == 1)
      #expect(key.parentName.description == "public.parent")
    }
  }

  /// As the server would: key words, capitals and the like in quotes, and nothing else.
  @Test func quotesNamesWhereTheyNeedIt() async throws {
    try await withDatabase { database in
      let names = [
        "t", "par", "select", "order", "between", "left", "name", "public", "users_idx", "Mixed", "a b",
        "a\"b", "\"", "1a",
        "a$b", "\u{e9}", "_", "x.y",
      ]
      let made = names.map { name in
        let quoted = "\"" + name.replacing("\"", with: "\"\"") + "\""
        let schema = name == "public" ? "" : "create schema \(quoted);"
        return """
          \(schema) create table \(quoted).\(quoted) (id int primary key);
          create index "i \(name.replacing("\"", with: "\"\""))" on \(quoted).\(quoted) (id);
          create table \(quoted).child (\(quoted) int references \(quoted).\(quoted)) partition by list (\(quoted));
          create table \(quoted).child_1 partition of \(quoted).child for values in (1);
          """
      }
      try await database.sql(made.joined(separator: "\n"))
      let catalog = try await readCatalog(database.url)
      for relation in catalog.tables.values.map(\.name) + catalog.indexes.values.map(\.name) {
        let literals = [relation.schema, relation.name].map { "'" + $0 + "'" }
        let server = try await database.sql(
          "select quote_ident(\(literals[0])) || '.', quote_ident(\(literals[1]))")
        #expect(server == [[relation.quotedSchema, relation.quotedName]])
      }
      var thresholds = Thresholds()
      (thresholds.foreignKeyTableBytes, thresholds.foreignKeyParentBytes) = (-1, -1)
      let ddl = Audit(catalog, thresholds: thresholds).report().findings.compactMap {
        $0.kind == .missingForeignKeyIndex ? $0.ddl : nil
      }
      #expect(ddl.count == names.count)
      #expect(
        ddl.contains(
          """
          CREATE INDEX child_par_idx ON ONLY par.child (par);
          CREATE INDEX CONCURRENTLY child_1_par_idx ON par.child_1 (par);
          ALTER INDEX par.child_par_idx ATTACH PARTITION par.child_1_par_idx;
          """))
      let mixed = #"ALTER INDEX "Mixed"."child_Mixed_idx" ATTACH PARTITION "Mixed"."child_1_Mixed_idx";"#
      #expect(ddl.contains { $0.hasSuffix(mixed) })
      #expect(
        ddl.contains { $0.hasPrefix(#"CREATE INDEX child_order_idx ON ONLY "order".child ("order");"#) })
      for statements in ddl {
        for statement in statements.split(separator: "\n") { try await database.sql(String(statement)) }
      }
      let after = Audit(try await readCatalog(database.url), thresholds: thresholds).report().findings
      #expect(after.filter { $0.kind == .missingForeignKeyIndex || $0.kind == .invalid } == [])
    }
  }

  /// A partition's own index becomes a part of the new one, and goes with it when that is taken back.
  @Test func takingBackTheIndexOfAForeignKeyLeavesWhatWasThere() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table parent (id int primary key);
        create table child (k int, parent int references parent) partition by list (k);
        create table child_1 partition of child for values in (1) partition by list (k);
        create table child_1_1 partition of child_1 for values in (1);
        create table child_2 partition of child for values in (2);
        create table child_3 partition of child default;
        create index "The old" on child_2 (parent) with (fillfactor = 70);
        comment on index "The old" is 'it''s old';
        create index deep on child_1 (parent);
        """)
      let before = try await readCatalog(database.url)
      var thresholds = Thresholds()
      (thresholds.foreignKeyTableBytes, thresholds.foreignKeyParentBytes) = (-1, -1)
      let finding = try #require(
        Audit(before, thresholds: thresholds).report().findings.first { $0.verdict == .create })
      // A line each: CONCURRENTLY refuses to stand in one message with others.
      for text in [try #require(finding.ddl), try #require(finding.undoDDL)] {
        for statement in text.split(separator: "\n") { try await database.sql(String(statement)) }
      }
      let after = try await readCatalog(database.url)
      #expect(after.indexes.values.allSatisfy { $0.isWhole })
      func seen(_ catalog: Catalog) -> [String] {
        catalog.sortedIndexes.map { index in
          let parent = index.parent.flatMap { catalog.indexes[$0]?.name.name } ?? "-"
          return "\(index.definition) \(parent) \(index.comment ?? "-")"
        }
      }
      #expect(seen(after) == seen(before))
      #expect(seen(before).count == 4)
    }
  }

  /// 01/03/2020 is the first of March here and the third of January elsewhere; whoever runs the DDL may be elsewhere.
  @Test func definitionsDoNotDependOnSettings() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (a int, d date, at timestamptz, i interval, f float8);
        create index dated on t (a) where d > '2020-03-01' and at > '2020-01-02 03:04:05+02' and i < '1 mon 2 days'
          and f > '0.12345678901234567';
        alter database "\(database.name)" set datestyle = 'SQL, DMY';
        alter database "\(database.name)" set timezone = 'Europe/Berlin';
        alter database "\(database.name)" set intervalstyle = 'iso_8601';
        alter database "\(database.name)" set extra_float_digits = -5;
        alter database "\(database.name)" set quote_all_identifiers = on;
        """)
      let definition = try index("dated", try await readCatalog(database.url)).definition
      #expect(definition.hasPrefix("CREATE INDEX dated ON public.t USING btree (a) WHERE "))
      #expect(definition.contains("'2020-03-01'::date"))
      #expect(definition.contains("'2020-01-02 01:04:05+00'::timestamp with time zone"))
      #expect(definition.contains("'1 mon 2 days'::interval"))
      #expect(definition.contains("'0.12345678901234566'"))
    }
  }

  @Test func leavesOutWhatIsNobodysToAudit() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table mine (a int);
        create index mine_a on mine (a);
        create schema held;
        create table held.t (a int);
        create index held_a on held.t (a);
        -- As CREATE EXTENSION would note it.
        insert into pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
        select 'pg_class'::regclass, 'held.t'::regclass, 0, 'pg_extension'::regclass, oid, 0, 'e' from pg_extension
        limit 1;
        """)
      let session = try Session(connecting: ConnectionString(database.url))
      try session.simple("create temporary table t (a int); create index temporary_a on t (a)")
      let catalog = try CatalogReader(session).read()
      #expect(catalog.indexes.values.map(\.name.name) == ["mine_a"])
      #expect(!session.isInTransaction)
      session.close()
    }
  }

  @Test func doesNotWaitForALockedTable() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table free (a int);
        create index free_a on free (a);
        create table held (a text);
        create index held_a on held (lower(a)) where a is not null;
        """)
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("begin; lock table held in access exclusive mode")
      let catalog = try await readCatalog(database.url)
      holder.close()
      #expect(catalog.indexes.values.map(\.name.name) == ["free_a"])
      #expect(catalog.facts.tablesLocked == ["public.held"])
    }
  }

  /// The scans of a locked partition, and what its index is for, are not known.
  @Test func aLockedPartitionLeavesItsTreeToBeReviewed() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table p (a int, b int) partition by range (a);
        create table p1 partition of p for values from (0) to (10);
        create table p2 partition of p for values from (10) to (20);
        create index p_a on p (a);
        create index p_a_b on p (a, b);
        """)
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("begin; lock table p2 in access exclusive mode")
      func verdicts() async throws -> [String] {
        Audit(try await readCatalog(database.url).trusted).report().findings
          .filter { $0.kind == .redundant && $0.verdict != .keep }.map {
            "\($0.verdict) \($0.index ?? ""): \($0.reasons.map(\.code))"
          }
      }
      let locked = try await verdicts()
      holder.close()
      #expect(locked == [#"review p_a: ["covered_by", "tree_incomplete"]"#])
      #expect(try await verdicts() == [#"drop p_a: ["covered_by"]"#])
    }
  }

  /// An index of the whole table would lock out the writers of every partition; one of a partition that is locked is not known.
  @Test func whileAPartitionIsLockedNoIndexForAForeignKeyIsToBeMade() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table parent (id int primary key); insert into parent values (1);
        create table p (a int, par int references parent) partition by range (a);
        create table p1 partition of p for values from (0) to (10);
        create table p2 partition of p for values from (10) to (30) partition by range (a);
        create table p20 partition of p2 for values from (10) to (20);
        create table p21 partition of p2 for values from (20) to (30);
        create index on p21 (par);
        insert into p select n % 30, 1 from generate_series(1, 2000) n;
        update parent set id = 1;
        select pg_stat_force_next_flush();
        """)
      func finding() async throws -> Finding {
        var thresholds = Thresholds()
        thresholds.foreignKeyTableBytes = 0
        let report = Audit(try await readCatalog(database.url), thresholds: thresholds).report()
        return try #require(report.findings.first { $0.kind == .missingForeignKeyIndex })
      }
      let holder = try Session(connecting: ConnectionString(database.url))
      // Two levels down, and the one that has an index.
      try holder.simple("begin; lock table p21 in access exclusive mode")
      let locked = try await finding()
      #expect(locked.verdict == .review)
      #expect(locked.reasons.map(\.code) == ["foreign_key_unindexed", "tree_incomplete"])
      #expect(locked.ddl == nil && locked.undoDDL == nil)
      holder.close()
      let open = try await finding()
      #expect(open.verdict == .create && open.ddl?.contains("p20_par_idx") == true, "\(open)")
    }
  }

  /// A server of its own: a tablespace, commit times, and statistics that a crash wipes out.
  @Test func knowsAgesPlacesAndCrashes() async throws {
    try await withPrivatePostgres { server in
      try await server.sql("alter system set track_commit_timestamp = on")
      try await server.restart(mode: .fast)
      try await server.sql(
        """
        set allow_in_place_tablespaces = on;
        create tablespace "Fast disk" location '';
        """)
      try await server.sql(
        """
        create table t (a int, b int);
        create index placed on t (a) tablespace "Fast disk" where b > 0;
        create index plain on t (a, b) where b > 0;
        select pg_stat_reset();
        """)
      let catalog = try await readCatalog(server.url)
      let placed = try index("placed", catalog)
      #expect(placed.tablespace == "\"Fast disk\"")
      let madeAt = try #require(placed.madeAt)
      let age = catalog.facts.now - madeAt
      #expect(age > .zero && age < .seconds(60))
      #expect(catalog.facts.since != nil)
      let finding = Audit(catalog.trusted).report().findings.first { $0.kind == .redundant }
      try await server.sql(try #require(finding?.ddl))
      try await server.sql(try #require(finding?.undoDDL))
      #expect(try index("placed", try await readCatalog(server.url)).tablespace == "\"Fast disk\"")
      let young = Audit(catalog).report()
      #expect(young.trust.doubts.map(\.code) == ["statistics_young"])
      #expect(young.findings.allSatisfy { $0.verdict != .drop })

      try await server.restart(mode: .immediate)
      let crashed = try await readCatalog(server.url)
      // The database's own stats_reset is NULL now.
      let reset = try await server.sql(
        "select stats_reset is null from pg_stat_database where datname = 'ironforge'")
      #expect(reset == [["t"]])
      let since = try #require(crashed.facts.since)
      #expect(since > catalog.facts.now && since < crashed.facts.now)
      #expect(Audit(crashed).report().trust.doubts.map(\.code) == ["statistics_young"])
    }
  }

  @Test func knowsWhatIsBuiltOrDroppedNow() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (a int); create index t_a on t (a)")
      let commands = [
        "create index concurrently t_new on t (a)", "reindex index concurrently t_a",
        "drop index concurrently t_a",
      ]
      for command in commands {
        // It waits for this reader, first half done.
        let reader = try Session(connecting: ConnectionString(database.url))
        try reader.simple("begin isolation level repeatable read; select count(*) from t")
        async let work: [[String]] = database.sql(command)
        let deadline = Deadline.after(.seconds(30))
        var verdicts: Set<String> = []
        while verdicts.isEmpty, !deadline.hasPassed {
          let findings = Audit(try await readCatalog(database.url)).report().findings.filter {
            $0.kind == .invalid
          }
          verdicts = Set(findings.map { "\($0.verdict) \($0.reasons.map(\.code))" })
        }
        reader.close()
        _ = try await work
        #expect(verdicts == ["keep [\"in_work\"]"], "\(command)")
      }
      let left = try await readCatalog(database.url).indexes.values.map(\.name.name)
      #expect(left == ["t_new"])
    }
  }

  /// What CREATE and REINDEX leave behind, made as they make it.
  @Test func findsWhatInterruptedBuildsLeft() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (a int);
        insert into t values (1), (1);
        create table p (a int) partition by range (a);
        create table p1 partition of p for values from (0) to (10);
        create index p_a on only p (a);
        """)
      await #expect(throws: TestFailure.self) {
        try await database.sql("create unique index concurrently t_unique on t (a)")
      }
      let findings = Audit(try await readCatalog(database.url)).report().findings
        .filter { $0.kind == .invalid }.map { "\($0.verdict) \($0.index ?? "")" }
      #expect(findings == ["rebuild t_unique", "keep p_a"])
      try await database.sql("drop index t_unique; create index t_a on t (a)")
      // A reader of the old index holds the new one up until its lock time-out.
      let reader = try Session(connecting: ConnectionString(database.url))
      try reader.simple("begin isolation level repeatable read; select count(*) from t")
      await #expect(throws: TestFailure.self) {
        try await database.sql(
          "set lock_timeout = 200; set statement_timeout = 2000; reindex index concurrently t_a")
      }
      reader.close()
      let leftovers = Audit(try await readCatalog(database.url).trusted).report().findings
        .filter { $0.kind == .invalid && $0.verdict == .drop }
      #expect(leftovers.map(\.index) == ["t_a_ccnew"])
      for finding in leftovers { try await database.sql(try #require(finding.ddl)) }
      let after = try await readCatalog(database.url).indexes.values.map(\.name.name)
      #expect(Set(after) == ["t_a", "p_a"])
    }
  }
}
