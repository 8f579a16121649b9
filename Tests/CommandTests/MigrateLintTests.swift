import FoundationEssentials
import Primitives
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct MigrateLintTests {
  private func withDirectory(_ files: [String: String], _ body: (String) async throws -> Void) async throws {
    let directory = try TemporaryDirectory("lint")
    for (name, text) in files {
      try text.write(toFile: directory.file(name), atomically: true, encoding: .utf8)
    }
    try await body(directory.path)
  }

  private static let first = """
    -- migrate: up
    create table t (id bigint primary key, a varchar(10));
    create index t_a on t (a);
    -- migrate: down
    drop table t;

    """
  private static let second = """
    -- migrate: up
    alter table t
      alter column a type varchar(20),
      alter column a set not null;

    """

  @Test func namesWhatHurtsWithTheSaferWay() async throws {
    try await withDirectory(["0001_t.sql": Self.first, "0002_u.sql": Self.second]) { path in
      let result = try await Ironforge.run(["migrate", "lint", "--all", "--dir", path])
      #expect(result.exitCode == 10)
      #expect(
        result.stdout.hasPrefix("0002_u.sql:2: set_not_null  [ACCESS EXCLUSIVE: blocks reads and writes]\n"))
      #expect(result.stdout.contains("  instead: add constraint … check (column is not null) not valid"))
      #expect(result.stdout.split(separator: "\n").count == 3)
      let json = try await Ironforge.run(["migrate", "lint", "0002_u.sql", "--json"], cwd: path)
      #expect(json.exitCode == 10)
      let found = try json.stdout.split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
      // By itself it does not know what the column was.
      #expect(found.compactMap { $0["rule"].text } == ["set_not_null", "column_type_change"])
      #expect(found.first?["lock"].text == "ACCESS EXCLUSIVE")
      let clean = try await Ironforge.run(["migrate", "lint", "0001_t.sql"], cwd: path)
      #expect(clean.exitCode == 0)
      #expect(clean.stdout.isEmpty)
      #expect(clean.stderr.contains("nothing that hurts"))
    }
  }

  @Test func withoutFilesItReadsWhatIsPending() async throws {
    try await withDatabase { database in
      try await withDirectory(["0001_t.sql": Self.second.replacing("alter table t", with: "alter table v")]) {
        path in
        let lint = ["migrate", "lint", "--dir", path, "--database-url", database.url]
        try await database.sql("create table v (a varchar(5))")
        #expect(try await Ironforge.run(lint).exitCode == 10)
        let up = ["migrate", "up", "--dir", path, "--database-url", database.url]
        #expect(try await Ironforge.run(up).exitCode == 0)
        let after = try await Ironforge.run(lint)
        #expect(after.exitCode == 0)
        #expect(after.stderr.contains("nothing is pending"))
      }
    }
  }

  @Test func refusesWhatIsNoSQL() async throws {
    try await withDirectory(["a.sql": "select 1;\nselct 2;\n", "b.sql": "-- lint: allow x because y\n"]) {
      path in
      let syntax = try await Ironforge.run(["migrate", "lint", "a.sql"], cwd: path)
      #expect(syntax.exitCode == 65)
      #expect(syntax.stderr.contains("a.sql:2: syntax error"))
      let rule = try await Ironforge.run(["migrate", "lint", "b.sql"], cwd: path)
      #expect(rule.exitCode == 65)
      #expect(rule.stderr.contains("b.sql:1:"))
      #expect(try await Ironforge.run(["migrate", "lint", "absent.sql"], cwd: path).exitCode == 78)
      #expect(try await Ironforge.run(["migrate", "lint", "a.sql", "--all"], cwd: path).exitCode == 64)
    }
  }
}
