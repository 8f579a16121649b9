import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

/// `job run rebuild-bloated` on indexes that are bloated.
@Suite(.timeLimit(.minutes(4))) struct RebuildJobTests {
  /// Two tables of which one row in twelve is left, with indexes of some megabytes.
  private static let bloated = DatabaseTemplate("bloated") { database in
    try await DatabaseTemplate.migrated.build(database)
    try await database.sql(
      """
      create table public.orders (id int, "Note" text) with (autovacuum_enabled = off);
      create table public.items (id int) with (autovacuum_enabled = off);
      insert into public.orders select n, 'note ' || n from generate_series(1, 100000) n;
      insert into public.items select n from generate_series(1, 100000) n;
      create index "Orders Id" on public.orders (id);
      create index orders_note on public.orders ("Note");
      create index items_id on public.items (id);
      delete from public.orders where id % 12 <> 0;
      delete from public.items where id % 12 <> 0;
      create table public.dense (id int);
      insert into public.dense select n from generate_series(1, 100000) n;
      create index dense_id on public.dense (id);
      """)
    try await database.sql("vacuum analyze public.orders, public.items, public.dense")
  }

  private static let names = ["Orders Id", "items_id", "orders_note"]

  private func job(
    _ database: TestDatabase, _ more: [String] = [], env: [String: String] = [:]
  ) async throws -> ProgramResult {
    try await start(database, more, env: env).finish(timeout: .seconds(90))
  }

  private func start(
    _ database: TestDatabase, _ more: [String] = [], env: [String: String] = [:]
  ) async throws -> RunningProgram {
    var environment = env.mapValues { Optional($0) }
    environment["IRONFORGE_DATABASE_URL"] = database.url
    return try await Ironforge.start(
      ["job", "run", "rebuild-bloated", "--schema", "public", "--min-waste", "1MB"] + more, env: environment)
  }

  private func sizes(_ database: TestDatabase) async throws -> [String: Int] {
    let rows = try await database.sql(
      """
      select c.relname, pg_relation_size(c.oid) from pg_class c join pg_index i on i.indexrelid = c.oid
      where c.relnamespace = 'public'::regnamespace and i.indrelid::regclass::text in ('orders', 'items', 'dense')
      """)
    return Dictionary(rows.map { ($0[0], Int($0[1]) ?? 0) }, uniquingKeysWith: { first, _ in first })
  }

  private func invalid(_ database: TestDatabase) async throws -> [[String]] {
    try await database.sql(
      "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid order by 1"
    )
  }

  private func member(_ key: String, _ text: String) throws -> JSON {
    try JSON(parsing: Array(text.utf8))[key]
  }

  @Test func rebuildsWhatIsBloatedAndNothingElse() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let before = try await sizes(database)
      let plan = try await job(database, ["--dry-run"])
      #expect(plan.exitCode == 0, "\(plan)")
      #expect(plan.stdout.contains("reindex index concurrently public.Orders Id  -- "), "\(plan)")
      #expect(!plan.stdout.contains("dense_id"))
      #expect(try await sizes(database) == before)
      let result = try await job(database, ["--json"])
      #expect(result.exitCode == 0, "\(result)")
      let rebuilt = try member("rebuilt", result.stdout).elements.compactMap { $0["index"].text }
      #expect(rebuilt == Self.names)
      let after = try await sizes(database)
      for name in Self.names { #expect((after[name] ?? .max) * 2 < before[name] ?? 0, "\(name)") }
      #expect(after["dense_id"] == before["dense_id"])
      let sum = Self.names.reduce(0) { $0 + (after[$1] ?? 0) }
      #expect(try member("bytes_after", result.stdout).integer == sum)
      let again = try await job(database, ["--json"])
      #expect(again.exitCode == 0, "\(again)")
      #expect(try member("total", again.stdout).integer == 0)
    }
  }

  @Test func thePlanIsForPeople() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let plan = try await job(database, ["--dry-run"])
      #expect(
        plan.stdout.hasPrefix(
          "min_waste    1.0 MB\nschema       public\nindexes      3, one at a time\n\nreindex index "),
        "\(plan)")
      // Whatever reads JSON computes with it.
      let json = try await job(database, ["--dry-run", "--json"])
      #expect(try member("options", json.stdout)["min_waste"].text == "1048576", "\(json)")
    }
  }

  /// An index that cannot be had is listed, the others are rebuilt, nothing is left behind, and a later run rebuilds it.
  @Test func passesOverWhatAReaderBlocks() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let reader = try Session(connecting: ConnectionString(database.url))
      try reader.simple("begin; select count(*) from items")
      // Old enough to be waited for before anything is built.
      try await Task.sleep(for: .seconds(3))
      let result = try await job(database, ["--json", "--wait", "1s"])
      #expect(result.exitCode == 3, "\(result)")
      let failed = try member("failed", result.stdout).elements
      #expect(failed.map { $0["key"]["index_name"].text } == ["items_id"])
      #expect(failed.map { $0["code"].text } == ["blocked"])
      #expect(failed.first?["message"].text?.contains("process \(reader.backendPID)") == true)
      #expect(try member("affected", result.stdout).integer == 2)
      #expect(try await invalid(database) == [])
      reader.close()
      let later = try await job(database, ["--json"])
      #expect(later.exitCode == 0, "\(later)")
      #expect(try member("rebuilt", later.stdout).elements.map { $0["index"].text } == ["items_id"])
    }
  }

  /// A reader that comes while the index is built: its lock time-out is survived, and what it left is dropped.
  @Test func triesAgainAfterALockTimeout() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let reader = try Session(connecting: ConnectionString(database.url))
      let running = try await start(database, ["--json", "--wait", "1s"])
      let deadline = Deadline.after(.seconds(60))
      // Always younger than what is waited for, so that REINDEX itself runs into it.
      while try await database.sql(Self.isWaiting) != [["t"]] {
        guard !deadline.hasPassed else { throw TestFailure("REINDEX does not wait for the reader") }
        try reader.simple("commit; begin; select count(*) from items")
        let renewal = Deadline.after(.seconds(1))
        while !renewal.hasPassed, try await database.sql(Self.isWaiting) != [["t"]] {
          try await Task.sleep(for: .milliseconds(20))
        }
      }
      try await wait("select not (\(Self.isWaiting))", database)
      // The reader is there still: it was the wait that ended, and what was replaced could not be dropped.
      #expect(try await invalid(database) == [["items_id_ccold"]])
      reader.close()
      let result = try await running.finish(timeout: .seconds(90))
      #expect(result.exitCode == 0, "\(result)")
      let later = try await job(database, ["--json"])
      #expect(later.exitCode == 0, "\(later)")
      #expect(try await invalid(database) == [])
      let after = try await sizes(database)
      #expect((after["items_id"] ?? .max) < 400_000)
    }
  }

  /// `kill -9` at every place of a chunk: the same command completes the work, does nothing twice, and leaves nothing behind.
  @Test(arguments: [
    "job-claimed:2", "index-rebuilt:2", "job-worked:1", "job-commit-sent:2", "job-committed:1",
  ])
  func aKilledRunIsCompleted(point: String) async throws {
    try await withDatabase(template: Self.bloated) { database in
      let killed = try await job(database, ["--json"], env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      let finished = try await job(database, ["--json", "--lock-wait", "20"])
      #expect(finished.exitCode == 0, "\(finished)")
      #expect(finished.stderr.contains("continuing run"), "\(finished)")
      let after = try await sizes(database)
      for name in Self.names { #expect((after[name] ?? .max) < 1_000_000, "\(name) \(after)") }
      #expect(try await invalid(database) == [])
    }
  }

  /// The process dies while the server is at work, and later the server's process, too: what REINDEX left is cleared away.
  @Test func whatAKilledRebuildLeftIsDropped() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let reader = try Session(connecting: ConnectionString(database.url))
      try reader.simple("begin isolation level repeatable read; select count(*) from dense")
      let running = try await start(database, ["--json", "--wait", "30s"])
      try await wait(Self.isHeldUp, database)
      running.kill()
      _ = try await running.finish()
      try await database.sql(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query like 'reindex%' and pid <> pg_backend_pid()
        """)
      reader.close()
      try await wait(
        "select count(*) = 0 from pg_stat_progress_create_index where datname = current_database()", database)
      #expect(try await invalid(database) == [["Orders Id_ccnew"]])
      let plan = try await job(database, ["--dry-run"])
      #expect(plan.stdout.contains("drop index concurrently public.Orders Id_ccnew"), "\(plan)")
      let finished = try await job(database, ["--json", "--lock-wait", "20"])
      #expect(finished.exitCode == 0, "\(finished)")
      #expect(try await invalid(database) == [])
      #expect((try await sizes(database)["Orders Id"] ?? .max) < 400_000)
      // A leftover whose index is not bloated any more is found, too.
      try await database.sql("create index leaf_ccold on orders (id)")
      try await database.sql(
        "update pg_index set indisvalid = false where indexrelid = 'leaf_ccold'::regclass")
      let last = try await job(database, ["--json"])
      #expect(last.exitCode == 0, "\(last)")
      #expect(try member("rebuilt", last.stdout).elements.map { $0["leftover"].boolean } == [true])
      #expect(try await invalid(database) == [])
    }
  }

  @Test func aSignalStopsInOrderAndLeavesNothing() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let reader = try Session(connecting: ConnectionString(database.url))
      try reader.simple("begin isolation level repeatable read; select count(*) from orders")
      let running = try await start(database, ["--json", "--wait", "60s"])
      try await wait(Self.isHeldUp, database)
      try running.signal(SIGTERM)
      let stopped = try await running.finish(timeout: .seconds(60))
      #expect(stopped.exitCode == 143, "\(stopped)")
      #expect(stopped.stderr.contains("keeps its place"), "\(stopped)")
      reader.close()
      let finished = try await job(database, ["--json"])
      #expect(finished.exitCode == 0, "\(finished)")
      #expect(try await invalid(database) == [])
    }
  }

  @Test func aRoleThatOwnsNothingIsToldSo() async throws {
    try await withDatabase(template: Self.bloated) { database in
      let role = "rebuilder_\(database.name)"
      try await database.sql(
        """
        create role \(role) login;
        grant pg_monitor to \(role);
        grant usage on schema ironforge to \(role);
        grant all on all tables in schema ironforge to \(role);
        grant select on all tables in schema public to \(role);
        alter table public.items owner to \(role)
        """)
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      let plan = try await job(database, ["--dry-run", "--database-url", url])
      #expect(plan.stdout.contains("\n-- not public.orders_note: ironforge owns it: only that"), "\(plan)")
      #expect(plan.stdout.contains("\nreindex index concurrently public.items_id  -- "), "\(plan)")
      let result = try await job(database, ["--json", "--database-url", url])
      #expect(result.exitCode == 3, "\(result)")
      let failed = try member("failed", result.stdout).elements
      #expect(failed.map { $0["code"].text } == ["not_allowed", "not_allowed"])
      #expect(try member("rebuilt", result.stdout).elements.map { $0["index"].text } == ["items_id"])
      try await database.sql(
        "reassign owned by \(role) to ironforge; drop owned by \(role); drop role \(role)")
    }
  }

  @Test func aPoolerIsRefused() async throws {
    try await withDatabase(template: Self.bloated) { database in
      try await withPooler(database) { url in
        let result = try await job(database, ["--json", "--database-url", url])
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.stderr.contains("pooler_unsuitable"))
      }
    }
  }

  /// REINDEX of one index waits for a lock.
  private static let isWaiting = """
    select count(*) > 0 from pg_stat_activity
    where datname = current_database() and query like 'reindex%items_id%' and wait_event_type = 'Lock'
    """

  /// REINDEX has built the new index, and waits for a transaction that does not see it.
  private static let isHeldUp = """
    select count(*) > 0 from pg_stat_progress_create_index
    where phase = 'waiting for old snapshots' and datname = current_database()
    """

  private func wait(_ condition: String, _ database: TestDatabase) async throws {
    let deadline = Deadline.after(.seconds(30))
    while try await database.sql(condition) != [["t"]] {
      guard !deadline.hasPassed else { throw TestFailure("never true: \(condition)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
