import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

@Suite struct MigrateCommandTests {
  private static let migrations = ["--dir", Repository.path("migrations")]

  private func migrate(
    _ arguments: [String], _ database: TestDatabase, dir: [String] = migrations
  ) async throws -> ProgramResult {
    try await Ironforge.run(["migrate"] + arguments + dir + ["--database-url", database.url])
  }

  private func tables(_ database: TestDatabase) async throws -> [[String]] {
    try await database.sql(
      """
      select table_schema, table_name from information_schema.tables
      where table_schema = 'public' or (table_schema, table_name) = ('ironforge', 'schema_migrations')
      order by 1, 2
      """)
  }

  /// The tables of the wallet domain; those of IronForge's own bookkeeping besides the record are left to their owners.
  private static let walletTables = [
    ["ironforge", "schema_migrations"], ["public", "assets"], ["public", "currencies"],
    ["public", "hold_resolutions"], ["public", "transactions"], ["public", "transfers"], ["public", "users"],
    ["public", "wallets"],
  ]

  /// The repository's migration files, in their order.
  private static func files() throws -> [String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: Repository.path("migrations"))
    return names.filter { $0.hasSuffix(".sql") }.sorted()
  }

  /// The role of the tests is named `ironforge`, as that of the sandbox: "$user" in its search path is the
  /// schema of IronForge's bookkeeping, and the wallet tables must stand in `public` all the same.
  @Test func theRepositorysMigrationsApplyRevertAndApplyAgain() async throws {
    try await withDatabase { database in
      #expect(try await database.sql("select current_user") == [["ironforge"]])
      let pending = try await migrate(["status", "--json"], database)
      #expect(pending.exitCode == 10)
      let lines = pending.stdout.split(separator: "\n")
      let files = try Self.files()
      #expect(lines.count == files.count)
      #expect(lines.allSatisfy { $0.contains(#""state":"pending","applied_at":null"#) })
      #expect(lines.first?.hasPrefix(#"{"version":1,"name":"wallets","#) == true)

      let rehearsed = try await migrate(["up", "--dry-run"], database)
      #expect(rehearsed.exitCode == 0)
      #expect(rehearsed.stdout.contains("would apply"))
      #expect(try await tables(database).isEmpty)

      let first = try await migrate(["up", "--json"], database)
      #expect(first.exitCode == 0, "\(first.stderr)")
      let applied = first.stdout.split(separator: "\n").map(String.init)
      #expect(
        applied.first == #"{"version":1,"name":"wallets","action":"applied","file":"0001_wallets.sql"}"#)
      #expect(applied.compactMap { value("file", in: $0) } == files)
      #expect(try await tables(database) == Self.walletTables)
      #expect(try await migrate(["status"], database).exitCode == 0)
      #expect(try await migrate(["verify"], database).exitCode == 0)
      let again = try await migrate(["up"], database)
      #expect(again.exitCode == 0)
      #expect(again.stderr.contains("nothing is pending"))

      let reverted = try await migrate(
        ["down", "--steps", "\(files.count)", "--execute", "--confirm", database.name], database)
      #expect(reverted.exitCode == 0, "\(reverted.stderr)")
      let left = try await database.sql(
        "select relname from pg_class where relnamespace = 'ironforge'::regnamespace and relkind in ('r', 'v', 'S')"
      )
      #expect(left == [["schema_migrations"]])
      #expect(try await tables(database) == [["ironforge", "schema_migrations"]])
      #expect(
        try await database.sql(
          "select proname from pg_proc where pronamespace = 'ironforge'::regnamespace"
        ) == [])
      #expect(try await migrate(["up"], database).exitCode == 0)
      #expect(try await tables(database) == Self.walletTables)
    }
  }

  @Test func upGoesAsFarAsItIsTold() async throws {
    try await withDatabase { database in
      #expect(try await migrate(["up", "--to", "1"], database).exitCode == 0)
      #expect(try await database.sql("select version from ironforge.schema_migrations") == [["1"]])
      let unknown = try await migrate(["up", "--to", "99"], database)
      #expect(unknown.exitCode == 64)
      #expect(unknown.stderr.contains("there is no migration 99"))
    }
  }

  @Test func downDoesNothingWithoutExecuteAndTheDatabasesName() async throws {
    try await withDatabase(template: .migrated) { database in
      let plan = try await migrate(["down"], database)
      #expect(plan.exitCode == 0)
      #expect(plan.stdout.contains("would revert"))
      #expect(plan.stderr.contains("--execute --confirm \(database.name)"))
      for arguments in [
        ["--execute"], ["--execute", "--confirm", "postgres"], ["--confirm", "postgres"], ["--steps", "0"],
      ] {
        let refused = try await migrate(["down"] + arguments, database)
        #expect(refused.exitCode == 64, "\(arguments)")
        #expect(refused.stdout == "")
      }
      let tooMany = try await migrate(
        ["down", "--steps", "99", "--execute", "--confirm", database.name], database)
      #expect(tooMany.exitCode == 4)
      #expect(try await tables(database) == Self.walletTables)
    }
  }

  @Test func aFileThatWasChangedAfterItWasAppliedIsNamedAndNothingHappens() async throws {
    try await withDatabase { database in
      let directory = try TemporaryDirectory()
      let dir = ["--dir", directory.path]
      try directory.write(
        "-- migrate: up\ncreate table a (x int);\n-- migrate: down\ndrop table a;\n", to: "0001_a.sql")
      #expect(try await migrate(["up"], database, dir: dir).exitCode == 0)
      try directory.write(
        "-- migrate: up\ncreate table a (y int);\n-- migrate: down\ndrop table a;\n", to: "0001_a.sql")
      try directory.write("-- migrate: up\ncreate table b (x int);\n", to: "0002_b.sql")
      for verb in [
        ["up"], ["up", "--dry-run"], ["down", "--steps", "1", "--execute", "--confirm", database.name],
      ] {
        let result = try await migrate(verb, database, dir: dir)
        #expect(result.exitCode == 78, "\(verb)")
        #expect(result.stderr.contains("0001_a.sql was changed after it was applied"))
      }
      #expect(try await tables(database) == [["ironforge", "schema_migrations"], ["public", "a"]])
      let status = try await migrate(["status", "--json"], database, dir: dir)
      #expect(status.exitCode == 10)
      #expect(status.stdout.contains(#""state":"changed""#))
      let verified = try await migrate(["verify", "--json"], database, dir: dir)
      #expect(verified.exitCode == 10)
      #expect(verified.stdout.hasPrefix(#"{"kind":"changed","version":1,"subject":"0001_a.sql","#))
      #expect(verified.stdout.contains(#"{"kind":"pending","version":2,"#))
    }
  }

  @Test func aFileThatFailsIsNamedWithItsPlaceAndLeavesNothingBehind() async throws {
    try await withDatabase { database in
      let directory = try TemporaryDirectory()
      try directory.write(
        "-- migrate: up\ncreate table a (x int);\ncreate table b (\n  x nosuchtype);\n", to: "0001_a.sql")
      let result = try await migrate(["up"], database, dir: ["--dir", directory.path])
      #expect(result.exitCode == 65)
      #expect(result.stderr.contains("0001_a.sql:4:5: "))
      #expect(result.stderr.contains("nosuchtype"))
      #expect(try await tables(database) == [["ironforge", "schema_migrations"]])
    }
  }

  @Test func anotherRunHoldsTheLock() async throws {
    try await withDatabase { database in
      let holder = try Session(connecting: ConnectionString(database.url))
      try holder.simple("select pg_advisory_lock(1768320359, 1918989413)")
      let refused = try await migrate(["up", "--json"], database)
      #expect(refused.exitCode == 75)
      #expect(refused.stderr.contains(#""code":"migration_lock_busy""#))
      let waiting = try await Ironforge.start(
        ["migrate", "up", "--lock-wait", "60", "--database-url", database.url] + Self.migrations)
      try await waitForTry(database)
      #expect(try await tables(database).isEmpty)
      holder.close()
      #expect(try await waiting.finish().exitCode == 0)
      #expect(try await tables(database) == Self.walletTables)
    }
  }

  @Test func aSignalEndsTheWaitForTheLock() async throws {
    try await withDatabase { database in
      let holder = try Session(connecting: ConnectionString(database.url))
      defer { holder.close() }
      try holder.simple("select pg_advisory_lock(1768320359, 1918989413)")
      let waiting = try await Ironforge.start(
        ["migrate", "up", "--lock-wait", "600", "--database-url", database.url] + Self.migrations)
      try await waitForTry(database)
      try waiting.signal(SIGTERM)
      #expect(try await waiting.finish().exitCode == 143)
      #expect(try await tables(database).isEmpty)
    }
  }

  /// Until somebody besides this test and the holder of the lock has asked for it.
  private func waitForTry(_ database: TestDatabase) async throws {
    try await waitUntil(
      database,
      """
      select exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and query ~ 'pg_(try_advisory_lock|locks)')
      """
    )
  }

  private func waitUntil(_ database: TestDatabase, _ condition: String) async throws {
    for _ in 0..<600 {
      if try await database.sql(condition) == [["t"]] { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw TestFailure("It never came true: \(condition)")
  }

  @Test func controlCLeavesAStateFromWhichUpCarriesOn() async throws {
    try await withDatabase { database in
      let directory = try TemporaryDirectory()
      let dir = ["--dir", directory.path]
      func write(seconds: Int) throws {
        try directory.write(
          """
          -- migrate: up
          -- migrate: no-transaction
          create table a (x int);
          select pg_sleep(\(seconds));
          create table b (x int);
          """, to: "0001_a.sql")
      }
      try write(seconds: 600)
      let running = try await Ironforge.start(["migrate", "up", "--database-url", database.url] + dir)
      try await waitUntil(
        database,
        """
        select exists (select from pg_stat_activity
          where datname = current_database() and query like 'select pg_sleep(600)%')
        """
      )
      try running.signal(SIGINT)
      let result = try await running.finish()
      #expect(result.exitCode == 130)
      #expect(result.stderr.contains("stopped by SIGINT"))
      let status = try await migrate(["status", "--json"], database, dir: dir)
      #expect(status.exitCode == 10)
      #expect(status.stdout.contains(#""state":"running""#))
      try write(seconds: 0)
      let resumed = try await migrate(["up"], database, dir: dir)
      #expect(resumed.exitCode == 0, "\(resumed.stderr)")
      #expect(
        try await tables(database) == [
          ["ironforge", "schema_migrations"], ["public", "a"], ["public", "b"],
        ])
    }
  }

  @Test func newWritesTheNextNumberAndPrintsThePath() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("-- migrate: up\n", to: "0007_first.sql")
    let result = try await Ironforge.run(["migrate", "new", "Add wallet-labels", "--dir", directory.path])
    #expect(result.exitCode == 0)
    #expect(result.stdout == directory.file("0008_add_wallet_labels.sql") + "\n")
    #expect(access(directory.file("0008_add_wallet_labels.sql"), R_OK) == 0)
    let json = try await Ironforge.run(["migrate", "new", "x", "--dir", directory.path, "--json"])
    #expect(json.stdout == "{\"path\":\"\(directory.file("0009_x.sql"))\"}\n")
    #expect(try await Ironforge.run(["migrate", "new", "a/b", "--dir", directory.path]).exitCode == 64)
    #expect(try await Ironforge.run(["migrate", "new", "x", "--dir", directory.file("no")]).exitCode == 78)
  }
}
