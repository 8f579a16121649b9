import Postgres
import Primitives
import TestSupport
import Testing

@testable import Migrations

/// A database and the files that are applied to it. Each call opens a session of its own, as a command does.
struct Project: Sendable {
  let database: TestDatabase

  func files(_ texts: [(String, String)]) throws -> [MigrationFile] {
    try texts.map { try MigrationFile(fileName: $0.0, content: Array($0.1.utf8)) }
  }

  func session() throws -> Session { try Session(connecting: try ConnectionString(database.url)) }

  /// Runs `body` with a migrator on a thread of its own.
  @discardableResult
  func run<R: Sendable>(
    _ texts: [(String, String)], _ options: MigrationOptions = MigrationOptions(),
    onEvent: @escaping @Sendable (MigrationEvent) -> Void = { _ in },
    _ body: @escaping @Sendable (Migrator) throws -> R
  ) async throws -> R {
    let files = try files(texts)
    return try await blocking {
      try body(Migrator(session: try session(), files: files, options: options, onEvent: onEvent))
    }
  }
}

func withProject<R: Sendable>(_ body: (Project) async throws -> R) async throws -> R {
  try await withDatabase { try await body(Project(database: $0)) }
}

let twoTables = [
  ("0001_a.sql", "-- migrate: up\ncreate table a (x int);\n-- migrate: down\ndrop table a;\n"),
  ("0002_b.sql", "-- migrate: up\ncreate table b (x int);\n-- migrate: down\ndrop table b;\n"),
]

@Suite(.timeLimit(.minutes(2)))
struct MigratorTests {
  @Test func upThenDownThenUp() async throws {
    try await withProject { project async throws in
      let versions = try await project.run(twoTables) { try $0.up().map(\.version) }
      #expect(versions == [1, 2])
      #expect(try await project.run(twoTables) { try $0.up().count } == 0)
      let status = try await project.run(twoTables) { try $0.status() }
      #expect(status.map(\.state) == [.applied, .applied])
      #expect(status.allSatisfy { $0.appliedAt != nil && $0.durationMilliseconds != nil })
      #expect(try await project.run(twoTables) { try $0.verify() }.isEmpty)
      #expect(try await project.run(twoTables) { try $0.down(steps: 2).map(\.version) } == [2, 1])
      #expect(try await project.run(twoTables) { try $0.status().map(\.state) } == [.pending, .pending])
      #expect(try await project.run(twoTables) { try $0.up(to: 1).map(\.version) } == [1])
      #expect(try await project.run(twoTables) { try $0.plan().map(\.version) } == [2])
      await #expect(throws: MigrationError.self) { try await project.run(twoTables) { try $0.up(to: 7) } }
      await #expect(throws: MigrationError.self) {
        try await project.run(twoTables) { try $0.down(steps: 2) }
      }
    }
  }

  @Test func whatOnlyReadsWritesNothing() async throws {
    try await withProject { project async throws in
      let statements = try await project.run(twoTables) { migrator in
        _ = try migrator.status()
        _ = try migrator.plan()
        _ = try migrator.verify()
        _ = try migrator.planDown(steps: 0)
        return try migrator.verify().map(\.kind)
      }
      #expect(statements == [.pending, .pending])
      #expect(try await project.run([]) { try $0.up().count } == 0)
      let schemas = try await project.database.sql(
        "select count(*) from pg_namespace where nspname = 'ironforge'")
      #expect(schemas == [["0"]])
    }
  }

  @Test func everyStatementFitsTheSchema() async throws {
    try await withProject { project async throws in
      try await project.run(twoTables) { migrator in
        try migrator.up()
        for statement in MigrationStatements.all {
          let described = try migrator.session.describe(statement.sql)
          #expect(described.columns == statement.columns.map(\.oid), "\(statement.sql)")
          #expect(described.parameters == statement.parameters.map(\.oid), "\(statement.sql)")
        }
      }
    }
  }

  @Test func aFailureIsPlacedAndLeavesNothingBehind() async throws {
    try await withProject { project async throws in
      let texts = [
        twoTables[0],
        ("0002_bad.sql", "-- migrate: up\r\ncreate table c (x int);\r\nselect 'ü',\r\n  missing from c;\r\n"),
      ]
      let error = await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      guard case .failed(let file, let line, let column, let cause) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(file == "0002_bad.sql")
      #expect((line, column) == (4, 3))
      #expect(cause.sqlState == "42703")
      #expect(error?.kind == .malformedInput)
      #expect(
        error?.message.hasPrefix("0002_bad.sql:4:3: PostgreSQL: column \"missing\" does not exist") == true)
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .pending])
      #expect(try await project.database.sql("select to_regclass('c') is null") == [["t"]])
    }
  }

  @Test func deferredConstraintsFailWithAPlace() async throws {
    try await withProject { project async throws in
      let texts = [
        (
          "0001_deferred.sql",
          """
          -- migrate: up
          create table p (id int primary key);
          create table q (p int references p deferrable initially deferred);
          insert into q values (1);
          """
        )
      ]
      let error = await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      guard case .failed(_, let line, _, let cause) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(line == 4)
      #expect(cause.sqlState == "23503")
    }
  }

  @Test func dollarQuotesAndSettingsStayInTheirMigration() async throws {
    try await withProject { project async throws in
      let texts = [
        (
          "0001_function.sql",
          """
          -- migrate: up
          set search_path = '';
          create function public.f() returns text language plpgsql as $body$
          begin
            -- migrate: down is only text here; and so is this
            return 'a;b';
          end $body$;
          """
        ),
        ("0002_table.sql", "-- migrate: up\ncreate table here (x text default f());\n"),
      ]
      try await project.run(texts) { try $0.up() }
      let found = try await project.database.sql("select f(), to_regclass('public.here') is not null")
      #expect(found == [["a;b", "t"]])
    }
  }

  @Test func aChangedFileIsRefused() async throws {
    try await withProject { project async throws in
      try await project.run([twoTables[0]]) { try $0.up() }
      let texts = [("0001_a.sql", "-- migrate: up\ncreate table a (x bigint);\n"), twoTables[1]]
      let error = await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      #expect(error?.code == "migration_changed")
      #expect(error?.kind == .configuration)
      let checksums = try project.files([twoTables[0], texts[0]]).map(\.checksum)
      #expect(checksums.allSatisfy { error?.message.contains($0) == true })
      #expect(error?.message.contains("0001_a.sql") == true)
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.changed, .pending])
      #expect(try await project.run(texts) { try $0.verify().map(\.kind) } == [.changed, .pending])
      await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.down(steps: 1) } }
    }
  }

  @Test func missingAndOutOfOrderFiles() async throws {
    try await withProject { project async throws in
      try await project.run([twoTables[1]]) { try $0.up() }
      let outOfOrder = await #expect(throws: MigrationError.self) {
        try await project.run(twoTables) { try $0.up() }
      }
      #expect(outOfOrder?.code == "migration_out_of_order")
      #expect(try await project.run(twoTables) { try $0.verify().map(\.kind) } == [.outOfOrder])
      let missing = await #expect(throws: MigrationError.self) {
        try await project.run([twoTables[0]]) { try $0.up() }
      }
      #expect(missing?.code == "migration_out_of_order" || missing?.code == "migration_file_missing")
      #expect(try await project.run([]) { try $0.verify().map(\.kind) } == [.missingFile])
      #expect(try await project.run([]) { try $0.status().map(\.state) } == [.missingFile])
    }
  }

  @Test func withoutADownSectionNothingIsReverted() async throws {
    try await withProject { project async throws in
      let texts = [twoTables[0], ("0002_c.sql", "-- migrate: up\ncreate table c ();")]
      try await project.run(texts) { try $0.up() }
      let error = await #expect(throws: MigrationError.self) {
        try await project.run(texts) { try $0.down(steps: 2) }
      }
      #expect(error?.code == "migration_irreversible")
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .applied])
    }
  }

  @Test func copyFromStandardInputIsRefusedAndDoesNotHang() async throws {
    try await withProject { project async throws in
      let texts = [twoTables[0], ("0002_copy.sql", "-- migrate: up\ncopy a from stdin;")]
      await #expect(throws: MigrationError.self) { try await project.run(texts) { try $0.up() } }
      #expect(try await project.run(texts) { try $0.status().map(\.state) } == [.applied, .pending])
    }
  }

  @Test func migrationsMayTakeOnAnotherRole() async throws {
    try await withProject { project async throws in
      let role = "migrator_\(project.database.name)"
      try await project.database.sql("create role \(role)")
      let texts = [("0001_role.sql", "-- migrate: up\nset role \(role);"), twoTables[1]]
      try await project.run(texts) { try $0.up() }
      #expect(
        try await project.database.sql("select tableowner from pg_tables where tablename = 'b'") == [
          ["ironforge"]
        ])
      try await project.database.sql("drop role \(role)")
    }
  }
}
