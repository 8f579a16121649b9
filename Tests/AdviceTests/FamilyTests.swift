import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Advice

/// Tables whose rows stand in other tables: partitions of partitions, and heirs.
@Suite(
  .timeLimit(.minutes(3)), .enabled("the server does not offer HypoPG") { try await serverOffers("hypopg") })
struct FamilyTests {
  private static let tables = DatabaseTemplate("advice_families") { database in
    try await database.sql(
      """
      create extension hypopg;
      create schema "Old Parts";
      create table events (id int, tenant int, at date not null, "Kind" text) partition by range (at);
      create table events_1 partition of events for values from ('2025-01-01') to ('2025-02-01');
      create table "Old Parts"."Ev 2" partition of events for values from ('2025-02-01') to ('2025-03-01');
      create table events_3 partition of events for values from ('2025-03-01') to ('2025-04-01')
        partition by hash (tenant);
      create table events_3a partition of events_3 for values with (modulus 2, remainder 0);
      create table events_3b partition of events_3 for values with (modulus 2, remainder 1);
      create table events_1_tenant_idx (a int);
      insert into events select n, n % 3000, date '2025-01-01' + n % 89, 'k' || n from generate_series(1, 120000) n;
      create table notes (id int, tenant int, text text);
      create table old_notes (gone int, extra int) inherits (notes);
      alter table old_notes drop column gone;
      create table older_notes (more int) inherits (old_notes);
      insert into notes select n, n % 3000, repeat('x', 40) from generate_series(1, 30000) n;
      insert into old_notes select n, n % 3000, repeat('x', 40), 1 from generate_series(1, 30000) n;
      insert into older_notes select n, n % 3000, repeat('x', 40), 1, 2 from generate_series(1, 30000) n;
      vacuum analyze;
      """)
  }

  private func advise(_ sql: String, _ database: TestDatabase) async throws -> Advice {
    try await blocking { [url = database.url] in
      let session = try Session(connecting: ConnectionString(url))
      defer { session.close() }
      let statements = WorkloadFile.merged(try WorkloadFile.split(Array(sql.utf8)))
      return try Advisor(session, Advisor.Request()).advise(statements)
    }
  }

  /// The statements run as they stand, leave a valid index of the whole tree, and what was promised comes true.
  @Test func anIndexOfAPartitionedTableIsBuiltPartByPart() async throws {
    try await withDatabase(template: Self.tables) { database in
      let sql = "select * from events where tenant = 77"
      let index = try #require(try await advise(sql, database).indexes.first)
      let lines = index.ddl.split(separator: "\n").map(String.init)
      #expect(
        lines == [
          "CREATE INDEX events_tenant_idx ON ONLY public.events (tenant);",
          #"CREATE INDEX CONCURRENTLY "Ev 2_tenant_idx" ON "Old Parts"."Ev 2" (tenant);"#,
          #"ALTER INDEX public.events_tenant_idx ATTACH PARTITION "Old Parts"."Ev 2_tenant_idx";"#,
          "CREATE INDEX CONCURRENTLY events_1_tenant_idx1 ON public.events_1 (tenant);",
          "ALTER INDEX public.events_tenant_idx ATTACH PARTITION public.events_1_tenant_idx1;",
          "CREATE INDEX events_3_tenant_idx ON ONLY public.events_3 (tenant);",
          "ALTER INDEX public.events_tenant_idx ATTACH PARTITION public.events_3_tenant_idx;",
          "CREATE INDEX CONCURRENTLY events_3a_tenant_idx ON public.events_3a (tenant);",
          "ALTER INDEX public.events_3_tenant_idx ATTACH PARTITION public.events_3a_tenant_idx;",
          "CREATE INDEX CONCURRENTLY events_3b_tenant_idx ON public.events_3b (tenant);",
          "ALTER INDEX public.events_3_tenant_idx ATTACH PARTITION public.events_3b_tenant_idx;",
        ])
      for line in lines { try await database.sql(line) }
      let built = try await database.sql(
        """
        select bool_and(i.indisvalid), sum(pg_relation_size(t.relid)), count(*)
        from pg_partition_tree('events_tenant_idx') t join pg_index i on i.indexrelid = t.relid
        """)
      #expect(built.first?.first == "t" && built.first?.last == "6")
      let size = try #require(built.first.flatMap { Double($0[1]) })
      #expect((0.7...1.4).contains(Double(index.sizeBytes) / size), "\(index.sizeBytes) for \(size)")
      let plan = try await database.sql("explain \(sql)").joined().joined(separator: "\n")
      #expect(!plan.contains("Seq Scan"), "\(plan)")
      let again = try await advise(sql, database)
      #expect(again.indexes.isEmpty)
    }
  }

  /// A partition that has such an index brings it. Nothing can be attached below a foreign table: there the parent's comes last.
  @Test(arguments: [false, true])
  func whatIsThereAlreadyIsAttached(hasForeign: Bool) async throws {
    try await withDatabase(template: Self.tables) { database in
      try await database.sql("create index mine on events_1 (tenant)")
      if hasForeign {
        try await database.sql(
          """
          create extension file_fdw;
          create server files foreign data wrapper file_fdw;
          create foreign table events_0 partition of events for values from ('2024-01-01') to ('2025-01-01')
            server files options (filename '/dev/null', format 'csv')
          """)
      }
      let sql = "select * from events where tenant = 77"
      let index = try #require(
        try await advise(sql, database).indexes.first { $0.table.name == "events" })
      let lines = index.ddl.split(separator: "\n").map(String.init)
      #expect(lines.allSatisfy { !$0.contains("ON public.events_1 ") }, "\(lines)")
      let parent =
        "CREATE INDEX events_tenant_idx ON \(hasForeign ? "" : "ONLY ")public.events (tenant);"
      #expect((hasForeign ? lines.last : lines.first) == parent)
      for line in lines { try await database.sql(line) }
      let built = try await database.sql(
        """
        select bool_and(i.indisvalid), count(*), count(*) filter (where t.relid = 'mine'::regclass)
        from pg_partition_tree('events_tenant_idx') t join pg_index i on i.indexrelid = t.relid
        """)
      #expect(built == [["t", "6", "1"]])
      let indexes = try await database.sql(
        "select count(*) from pg_indexes where tablename like any ('{event%,Ev%}')")
      #expect(indexes == [["6"]])
    }
  }

  /// INSERT writes the table that it names, and ONLY reads it: heirs are neither read nor written.
  @Test func heirsAreMeantByWhatReadsThem() async throws {
    try await withDatabase(template: Self.tables) { database in
      let only = try await advise("select * from only notes where tenant = 77", database)
      #expect(only.indexes.map(\.table.name) == ["notes"])
      // Each of many rows that are put into the parent costs an index of the parent, and none of an heir.
      let insert = "insert into notes select n, n, 'x' from generate_series(1, 100000) n"
      let both = try await advise("select * from notes where tenant = 77; \(insert)", database)
      #expect(both.indexes.map(\.table.name).sorted() == ["old_notes", "older_notes"])
    }
  }

  /// An index of a parent has its own rows only: each heir gets one, by its own column numbers, and of its own size.
  @Test func heirsHaveIndexesOfTheirOwn() async throws {
    try await withDatabase(template: Self.tables) { database in
      let advice = try await advise("select * from notes where tenant = 77", database)
      #expect(advice.indexes.map(\.table.name).sorted() == ["notes", "old_notes", "older_notes"])
      #expect(advice.indexes.allSatisfy { $0.columns == ["tenant"] })
      let own = try #require(advice.indexes.first { $0.table.name == "notes" })
      #expect((150_000...400_000).contains(own.sizeBytes), "\(own.sizeBytes)")
      let query = try #require(advice.queries.first)
      #expect(query.costAfter < query.costBefore / 5)
    }
  }
}
