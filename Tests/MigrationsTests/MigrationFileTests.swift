import Primitives
import TestSupport
import Testing

@testable import Migrations

struct MigrationFileTests {
  private func file(_ text: String, name: String = "0001_first.sql") throws -> MigrationFile {
    try MigrationFile(fileName: name, content: Array(text.utf8))
  }

  @Test func sectionsAndDirectives() throws {
    let file = try file(
      """
      -- what it is for
      -- migrate: up
      create table a (x int); create table b (x int)
      --  migrate:   down
      -- migrate: no-transaction
      drop index concurrently i;
      """, name: "0042_two_tables.sql")
    #expect(file.version == 42)
    #expect(file.name == "two_tables")
    #expect(file.up.statements.map(\.text) == ["create table a (x int)", "create table b (x int)"])
    #expect(file.up.isTransactional)
    #expect(file.down?.statements.map(\.line) == [6])
    #expect(file.down?.isTransactional == false)
  }

  @Test func aDirectiveInsideAStringIsText() throws {
    let file = try file("-- migrate: up\nselect $$\n-- migrate: down\n$$;")
    #expect(file.down == nil)
    #expect(file.up.statements.count == 1)
  }

  @Test(arguments: [
    ("", 1), ("select 1;\n-- migrate: up\n", 1), ("-- migrate: up\n-- migrate: up\n", 2),
    ("-- migrate: down\n", 1), ("-- migrate: up\n\n-- migrate: sideways\n", 3),
    ("-- migrate: up\nselect 1;\n-- migrate: no-transaction\n", 3), ("-- migrate: no-transaction\n", 1),
    ("-- migrate: up\nselect 1;\nselect 'x", 3), ("-- migrate: up\nbegin;\n", 2),
    ("-- migrate: up\n\ncommit;", 3),
    ("-- migrate: up\nRollback;", 2), ("-- migrate: up\nstart transaction", 2),
    ("-- migrate: up\ncreate index concurrently i on t (x);", 2),
    ("-- migrate: up\n-- migrate: no-transaction\ncreate index concurrently on t (x);", 3),
    ("-- migrate: up\nselect (1\n-- migrate: down\n)", 3), ("-- migrate: up\nselect 1\u{0};", 2),
  ])
  func malformedTextIsRefusedWithItsLine(text: String, line: Int) throws {
    let error = #expect(throws: MigrationError.self) { try file(text) }
    guard case .malformed(let name, let found, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(name == "0001_first.sql")
    #expect(found == line)
    #expect(error?.kind == .malformedInput)
  }

  @Test func textThatIsNoUTF8IsRefused() throws {
    #expect(throws: MigrationError.self) {
      try MigrationFile(fileName: "0001_a.sql", content: Array("-- migrate: up\n".utf8) + [0xFF, 0xFE])
    }
  }

  @Test func whatIsHarmlessIsAccepted() throws {
    let file = try file(
      """
      -- migrate: up
      savepoint s; rollback to s; rollback transaction to savepoint s;
      refresh materialized view concurrently v;
      """)
    #expect(file.up.statements.count == 4)
  }

  @Test func lineEndsAndByteOrderMarkDoNotMatter() throws {
    let text = "-- migrate: up\nselect 'a\nb';\n-- migrate: down\nselect 2;\n"
    let windows = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    let plain = try file(text)
    #expect(try file(windows) == plain)
    #expect(try file("\u{FEFF}" + windows) == plain)
  }

  @Test func theChecksumCoversWhatIsAppliedOnly() throws {
    let first = try file("-- migrate: up\nselect 1;\n-- migrate: down\nselect 2;")
    let mendedDown = try file("-- migrate: up\nselect 1;\n-- migrate: down\nselect 3;")
    let changedUp = try file("-- migrate: up\nselect 10;\n-- migrate: down\nselect 2;")
    #expect(first.checksum == mendedDown.checksum)
    #expect(first.checksum != changedUp.checksum)
  }

  @Test func kindsOfStatements() throws {
    let file = try file(
      """
      -- migrate: up
      -- migrate: no-transaction
      create unique index concurrently if not exists "Odd;Name" on only s."T" (x);
      CREATE INDEX CONCURRENTLY plain ON t USING btree (x);
      drop index concurrently if exists plain;
      reindex index concurrently plain;
      vacuum t;
      """)
    #expect(
      file.up.statements.map(\.kind) == [
        .createIndexConcurrently(index: "Odd;Name", table: ["s", "T"]),
        .createIndexConcurrently(index: "plain", table: ["t"]), .dropIndexConcurrently, .otherConcurrently,
        .other,
      ])
  }

  @Test func directories() throws {
    let directory = try TemporaryDirectory("migrations")
    let migrations = MigrationDirectory(path: directory.path)
    #expect(try migrations.files().isEmpty)
    #expect(try migrations.new("First-one here") == "0001_first_one_here.sql")
    #expect(try migrations.new("second") == "0002_second.sql")
    try directory.write("not SQL", to: "README.md")
    #expect(try migrations.files().map(\.version) == [1, 2])
    #expect(try migrations.files()[0].down?.statements.isEmpty == true)
    for name in ["", "ü", "a/b", "../x", String(repeating: "x", count: 81)] {
      #expect(throws: MigrationError.self, "\(name)") { try migrations.new(name) }
    }
    try directory.write("-- migrate: up\n", to: "2_again.sql")
    let duplicate = #expect(throws: MigrationError.self) { try migrations.files() }
    #expect(duplicate?.code == "migration_duplicate")
  }

  @Test(arguments: [
    "first.sql", "0001.sql", "0001_.sql", "0000_x.sql", "0001_Big.sql", "1234567890123456789_x.sql",
  ])
  func aNameOfAnotherShapeIsAnError(name: String) throws {
    let directory = try TemporaryDirectory("migrations")
    try directory.write("-- migrate: up\n", to: name)
    let error = #expect(throws: MigrationError.self) { try MigrationDirectory(path: directory.path).files() }
    #expect(error?.kind == .malformedInput)
  }

  @Test func aMissingDirectoryIsNamed() {
    let error = #expect(throws: MigrationError.self) {
      try MigrationDirectory(path: "/nowhere/at/all").files()
    }
    #expect(error?.kind == .configuration)
    #expect(error?.message.contains("/nowhere/at/all") == true)
  }
}
