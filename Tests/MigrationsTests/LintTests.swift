import FoundationEssentials
import TestSupport
import Testing

@testable import Migrations

struct LintTests {
  private static let directory = Repository.path("Tests/MigrationsTests/Lint")
  private static let corpus: [String] =
    (try? FileManager.default.contentsOfDirectory(atPath: directory).sorted()) ?? []

  private func lint(_ sql: String, as name: String = "test.sql") throws -> [LintFinding] {
    var linter = MigrationLinter()
    return try linter.lint(file: name, content: Array(sql.utf8))
  }

  private func rules(_ sql: String) throws -> [String] {
    try lint(sql).map(\.rule.rawValue).sorted()
  }

  /// Each file says in its first line what is to be found in it.
  @Test(arguments: corpus) func findsWhatTheFileExpects(name: String) throws {
    let text = try String(contentsOfFile: "\(Self.directory)/\(name)", encoding: .utf8)
    let first = try #require(text.split(separator: "\n").first)
    let expected = first.dropFirst("-- expect: ".count).split(separator: ", ").map(String.init)
    let found = try Set(rules(text)).sorted()
    #expect(found == (expected == ["nothing"] ? [] : expected.sorted()))
  }

  @Test func theCorpusIsThereAndNamesEveryRule() throws {
    #expect(Self.corpus.count >= 60)
    var expected: Set<String> = [LintRule.unusedAllowance.rawValue]
    for name in Self.corpus {
      let text = try String(contentsOfFile: "\(Self.directory)/\(name)", encoding: .utf8)
      let first = text.prefix { $0 != "\n" }.dropFirst("-- expect: ".count)
      expected.formUnion(first.split(separator: ", ").map(String.init))
    }
    let untested = LintRule.allCases.map(\.rawValue).filter { !expected.contains($0) }
    #expect(untested == [])
  }

  @Test func namesTheLineAndTheTable() throws {
    let found = try lint(
      "select 1;\n\nalter table sales.\"Orders\"\n  add column a int,\n  add column b bigserial;\n")
    #expect(found.map(\.line) == [5])
    #expect(found.map(\.object) == ["sales.Orders"])
  }

  /// What pg_dump writes, and people: psql's own commands and the rows behind COPY are no SQL.
  @Test func whatPsqlKeepsToItselfIsPassedOver() throws {
    let found = try lint(
      #"""
      \restrict abc'def
      \set ON_ERROR_STOP on
      COPY public.notes (id, text) FROM stdin;
      1\tit's; drop table x;
      2\t"$$ /*
      \.
      select format('drop table %I', 'x') \gexec
      select 1 \; select 2;
      create index on "a\b" (c);
      copy x from stdin with (format csv); -- data
      ',(
      \.
      drop table z; \echo it's done
      copy y from '/tmp/stdin';
      drop table w;
      copy q from stdin;
      the end of the file
      """#)
    #expect(found.map(\.line) == [9, 13, 15], "\(found)")
    #expect(found.map(\.object) == ["public.a\\b", "public.z", "public.w"])
    // In a migration a backslash is an error of the server's.
    #expect(throws: MigrationError.self) { try lint("-- migrate: up\n\\echo x\n") }
  }

  @Test func aSectionIsATransactionUnlessItSaysOtherwise() throws {
    let two = "alter table a add column x int;\nalter table b add column x int;\n"
    #expect(try rules("-- migrate: up\n\(two)") == ["several_exclusive_locks"])
    #expect(try rules("-- migrate: up\n-- migrate: no-transaction\n\(two)") == [])
    #expect(try rules(two) == [])
  }

  /// A revert loses what the up section made; its locks hurt all the same.
  @Test func aRevertMayLoseDataAndMayNotLock() throws {
    let found = try rules(
      """
      -- migrate: up
      alter table t add column a text;
      -- migrate: down
      alter table t drop column a;
      create index i on t (b);
      """)
    #expect(found == ["index_not_concurrent"])
  }

  /// What gives a large partitioned table an index without locking anybody out.
  @Test func anIndexOfTheParentAloneBuildsNothing() throws {
    #expect(
      try rules("-- migrate: up\ncreate index i on only t (a);\nalter index i attach partition j;") == [])
    #expect(try rules("-- migrate: up\ncreate index i on t (a);") == ["index_not_concurrent"])
  }

  @Test func remembersTypesFromFileToFile() throws {
    var linter = MigrationLinter()
    func lint(_ sql: String) throws -> [String] {
      try linter.lint(file: "x.sql", content: Array(sql.utf8)).map(\.rule.rawValue)
    }
    #expect(try lint("create table t (id bigint primary key, a varchar(10), n numeric(10,2));") == [])
    #expect(try lint("alter table t alter a type varchar(20), alter n type numeric(12,2);") == [])
    #expect(try lint("alter table t alter a type varchar(15);") == ["column_type_change"])
    #expect(
      try lint("alter table t alter a type text, alter n type numeric(14,3);") == ["column_type_change"])
    #expect(try lint("alter table t alter a type text;") == [])
    #expect(try lint("alter table t alter a type text collate \"C\";") == ["column_type_change"])
  }

  @Test func aCommentAllowsWithAReason() throws {
    let allowed = "-- lint: allow rename, drop_column because nobody uses it\n"
    #expect(try rules("\(allowed)alter table t rename a to b;") == ["unused_allowance"])
    let one = "-- lint: allow rename because nobody uses it\n"
    #expect(try rules("\(one)alter table t rename a to b;") == [])
    #expect(try rules("alter table t rename a to b; \(one)") == [])
    #expect(try rules("alter table t\n\(one)rename a to b;") == [])
    #expect(try rules("\(one)alter table t rename a to b;\nalter table t rename c to d;") == ["rename"])
    #expect(try rules("alter table t rename a to b;\n\(one)") == ["rename", "unused_allowance"])
    #expect(try rules("select '\(one)';\nalter table t rename a to b;") == ["rename"])
  }

  @Test(arguments: [
    ("-- lint: allow frobnicate because I say so\nselect 1;", 1),
    ("select 1;\n-- lint: allow rename\nselect 2;", 2), ("-- lint: allow because reasons\n", 1),
    ("-- lint: allow rename because\n", 1), ("\n\n-- lint: rename\n", 3), ("select 1;\n\nselct 2;", 3),
    ("select 1;\nselect\n  from from;", 3), ("select 'open", 1),
    ("-- migrate: up\n-- migrate: sideways\n", 2),
    ("select 1;\n/* open", 2),
  ])
  func refusesWithTheLine(sql: String, line: Int) {
    let error = #expect(throws: MigrationError.self) { try lint(sql) }
    guard case .malformed(let file, let named, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(file == "test.sql")
    #expect(named == line)
    #expect(error?.code == "migration_malformed")
  }

  /// Whatever is cut off, a linter ends with findings or a line.
  /// As `migrate up` takes them.
  @Test func takesAByteOrderMarkAndNamesTheLineThatIsNoText() throws {
    var linter = MigrationLinter()
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = Array("-- migrate: up\r\ncreate index i on t (a);\r\n".utf8)
    let findings = try linter.lint(file: "0001_i.sql", content: mark + text)
    #expect(findings.map(\.line) == [2])
    let error = #expect(throws: MigrationError.self) {
      try linter.lint(
        file: "script.sql", content: Array("select 1;\nselect '".utf8) + [0xFF] + Array("';".utf8))
    }
    #expect(error?.message.contains("line 2") == true || "\(error as Any)".contains("2"), "\(error as Any)")
  }

  @Test func outlivesTruncatedText() throws {
    let whole = Array(
      "-- migrate: up\nalter table t add column a int default f(1) not null; -- lint: allow rename because x\n"
        .utf8)
    for length in 0...whole.count {
      var linter = MigrationLinter()
      do {
        _ = try linter.lint(file: "t.sql", content: Array(whole.prefix(length)))
      } catch is MigrationError {}
    }
  }
}
