import Postgres
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Migrations

@Suite(.timeLimit(.minutes(2)))
struct MigratorConcurrencyTests {
  @Test func twoAtOnceApplyEverythingOnce() async throws {
    try await withProject { project async throws in
      let texts = (1...8).map { number in
        ("000\(number)_t.sql", "-- migrate: up\ncreate table t\(number) (); select pg_sleep(0.02);")
      }
      let patient = MigrationOptions(lockWait: .seconds(30))
      let counts = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<4 { group.addTask { try await project.run(texts, patient) { try $0.up().count } } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(counts.sorted() == [0, 0, 0, 8])
    }
  }

  @Test func aLockHeldElsewhereMeansBusyAndNamesTheHolder() async throws {
    try await withProject { project async throws in
      let holder = try project.session()
      _ = try Migrator.lock.acquire(on: holder, wait: .zero)
      let start = monotonicNanoseconds()
      let options = MigrationOptions(lockWait: .milliseconds(300))
      let error = await #expect(throws: MigrationError.self) {
        try await project.run(twoTables, options) { try $0.up() }
      }
      #expect(error?.kind == .busy)
      #expect(error?.isRetryable == true)
      #expect(error?.message.contains("process \(holder.backendPID)") == true)
      let waited = monotonicNanoseconds() - start
      #expect(waited >= 300_000_000 && waited < 10_000_000_000)
      holder.close()
      #expect(
        try await project.run(twoTables, MigrationOptions(lockWait: .seconds(5))) { try $0.up().count } == 2)
    }
  }

  @Test func aTableLockIsWaitedForInShortAttempts() async throws {
    try await withProject { project async throws in
      try await project.run([twoTables[0]]) { try $0.up() }
      let texts = [twoTables[0], ("0002_alter.sql", "-- migrate: up\nalter table a add column y int;")]
      let options = MigrationOptions(lockTimeout: .milliseconds(100), attemptsMax: 20)
      let reader = try project.session()
      try reader.simple("begin; select * from a")
      let retries = Atomic<Int>(0)
      let released = Task {
        while retries.load(ordering: .relaxed) < 2 { try await Task.sleep(for: .milliseconds(20)) }
        try await project.database.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and state = 'idle in transaction' and datname = current_database()"
        )
      }
      try await project.run(
        texts, options,
        onEvent: { event in
          if case .retrying = event { retries.add(1, ordering: .relaxed) }
        }, { try $0.up() })
      try await released.value
      #expect(retries.load(ordering: .relaxed) >= 2)
      reader.close()
    }
  }

  @Test func attemptsAreBounded() async throws {
    try await withProject { project async throws in
      try await project.run([twoTables[0]]) { try $0.up() }
      let texts = [twoTables[0], ("0002_alter.sql", "-- migrate: up\nalter table a add column y int;")]
      let reader = try project.session()
      try reader.simple("begin; select * from a")
      let options = MigrationOptions(lockTimeout: .milliseconds(50), attemptsMax: 2)
      let error = await #expect(throws: MigrationError.self) {
        try await project.run(texts, options) { try $0.up() }
      }
      #expect(error?.code == "migration_failed")
      #expect(error?.kind == .busy)
      reader.close()
    }
  }

  @Test func aSessionKilledInTheMiddleLeavesNothingAndTheNextRunSucceeds() async throws {
    try await withProject { project async throws in
      let texts = [
        twoTables[0], ("0002_slow.sql", "-- migrate: up\ncreate table c (); select pg_sleep(60);"),
      ]
      let up = Task { try await project.run(texts) { try $0.up() } }
      try await terminate(project.database, where: "query like '%pg_sleep(60)%'")
      let error = await #expect(throws: (any Error).self) { try await up.value }
      #expect((error as? any Failure)?.kind == .unreachable)
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .pending])
      let mended = [twoTables[0], ("0002_slow.sql", "-- migrate: up\ncreate table c ();")]
      #expect(try await project.run(mended) { try $0.up().count } == 1)
    }
  }

  @Test func withoutTransactionProgressIsKept() async throws {
    try await withProject { project async throws in
      let text = """
        -- migrate: up
        -- migrate: no-transaction
        create table once ();
        insert into once default values;
        select 1 / (select count(*) - 1 from once);
        """
      let texts = [("0001_steps.sql", text)]
      await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.running])
      #expect(try await project.run(texts) { try $0.verify().map(\.kind) } == [.unfinished])
      let other = [("0001_steps.sql", text.replacing("create table once", with: "create table other"))]
      let changed = await #expect(throws: MigrationError.self) {
        try await project.run(other) { try $0.up() }
      }
      #expect(changed?.code == "migration_changed")
      // What was not done yet may be mended.
      let mended = [("0001_steps.sql", text.replacing(" - 1 from", with: " from"))]
      try await project.run(mended) { try $0.up() }
      #expect(try await project.database.sql("select count(*) from once") == [["1"]])
      #expect(try await project.run(mended) { try $0.verify() }.isEmpty)
    }
  }

  static let concurrentIndex = """
    -- migrate: up
    -- migrate: no-transaction
    create index concurrently "Odd""Name" on a (x);
    -- migrate: down
    -- migrate: no-transaction
    drop index concurrently "Odd""Name";
    """

  @Test func anInterruptedIndexBuildIsRepaired() async throws {
    try await withProject { project async throws in
      let texts = [twoTables[0], ("0002_index.sql", Self.concurrentIndex)]
      try await project.run([twoTables[0]]) { try $0.up() }
      // An old transaction makes the build wait in its middle.
      let old = try project.session()
      try old.simple("begin isolation level repeatable read; insert into a values (1)")
      let up = Task { try await project.run(texts) { try $0.up() } }
      try await terminate(
        project.database, where: "query like 'create index concurrently%' and wait_event_type = 'Lock'")
      await #expect(throws: (any Error).self) { try await up.value }
      old.close()
      #expect(try await project.run(texts) { try $0.verify().map(\.kind) } == [.unfinished, .invalidIndex])
      let dropped = Atomic<Int>(0)
      try await project.run(
        texts, MigrationOptions(lockWait: .seconds(5)),
        onEvent: { event in
          if case .droppedInvalidIndex = event { dropped.add(1, ordering: .relaxed) }
        }, { try $0.up() })
      #expect(dropped.load(ordering: .relaxed) == 1)
      #expect(try await project.run(texts) { try $0.verify() }.isEmpty)
      try await project.run(texts) { try $0.down(steps: 1) }
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .pending])
    }
  }

  @Test func anIndexThatWasBuiltButNotRecordedCountsAsDone() async throws {
    try await withProject { project async throws in
      let texts = [twoTables[0], ("0002_index.sql", Self.concurrentIndex)]
      try await project.run([twoTables[0]]) { try $0.up() }
      let checksum = try project.files(texts)[1].checksum
      // The state that a death between the statement and its record leaves behind.
      try await project.database.sql(
        """
        create index "Odd""Name" on a (x);
        insert into ironforge.schema_migrations (version, name, checksum, state)
        values (2, 'index', '\(checksum)', 'running')
        """)
      try await project.run(texts) { try $0.up() }
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .applied])
      try await project.database.sql(
        "update ironforge.schema_migrations set state = 'reverting' where version = 2; drop index \"Odd\"\"Name\""
      )
      let error = await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      #expect(error?.code == "migration_unfinished")
      try await project.run(texts) { try $0.down(steps: 1) }
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .pending])
    }
  }

  @Test func waitersDoNotBlockAConcurrentBuild() async throws {
    try await withProject { project async throws in
      let texts = [twoTables[0], ("0002_index.sql", Self.concurrentIndex)]
      let patient = MigrationOptions(lockWait: .seconds(60))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { try await project.run(texts, patient) { _ = try $0.up() } } }
        try await group.waitForAll()
      }
      #expect(try await project.run(texts) { try $0.verify() }.isEmpty)
    }
  }

  /// Waits until a backend of the database is where `condition` says, and ends it.
  private func terminate(_ database: TestDatabase, where condition: String) async throws {
    let deadline = Deadline.after(.seconds(30))
    while !deadline.hasPassed {
      let ended = try await database.sql(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and \(condition)
        """)
      if !ended.isEmpty { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("no backend came to: \(condition)")
  }
}
