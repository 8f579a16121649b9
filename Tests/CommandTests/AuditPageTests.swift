import FoundationEssentials
import Postgres
import Primitives
import TestSupport
import Testing

/// `index audit --html` and `--exact`.
@Suite(.timeLimit(.minutes(3))) struct AuditPageTests {
  private static let shop = DatabaseTemplate("audit_page") { database in
    try await database.sql(
      """
      create table "<b>orders</b>" (id int primary key, "<script>alert(1)</script>" int, placed date);
      create index "<script>alert('x')</script>" on "<b>orders</b>" ("<script>alert(1)</script>");
      create index "orders & ""co"" x" on "<b>orders</b>" ("<script>alert(1)</script>", placed);
      create table items (id int, sku text);
      create index items_sku on items (sku);
      create index items_sku_2 on items (sku);
      insert into items select n, n::text from generate_series(1, 5000) n;
      analyze;
      """)
  }

  private func run(_ arguments: [String], _ database: TestDatabase) async throws -> ProgramResult {
    try await Ironforge.run(["index", "audit", "--database-url", database.url] + arguments)
  }

  @Test func thePageHoldsTheFindingsAndNothingFromElsewhere() async throws {
    try await withDatabase(template: Self.shop) { database in
      let directory = try TemporaryDirectory("page")
      let path = directory.file("audit.html")
      let result = try await run(["--html", path, "--json", "--verbose", "--fail-on", "none"], database)
      #expect(result.exitCode == 0, "\(result)")
      let page = try String(contentsOfFile: path, encoding: .utf8)
      #expect(page.hasPrefix("<!doctype html>"))
      #expect(page.hasSuffix("</html>\n"))
      // Names are text, wherever they stand.
      #expect(!page.contains("<script"))
      #expect(!page.contains("<b>orders"))
      #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"))
      #expect(page.contains("orders &amp; &quot;co&quot; x"))
      for outside in ["http://", "https://", "src=", "@import", "url("] {
        #expect(!page.contains(outside), "\(outside)")
      }
      // Everything that the report says is on it.
      let findings = try JSON(parsing: Array(result.stdout.utf8))["findings"].elements
      #expect(findings.count > 4)
      for finding in findings {
        let id = try #require(finding["id"].text)
        #expect(page.contains(id), "\(finding)")
      }
      let duplicate = try #require(findings.first { $0["kind"].text == "duplicate" })
      for key in ["ddl", "undo_ddl"] { #expect(page.contains("<pre>\(duplicate[key].text ?? "?")</pre>")) }
      #expect(page.contains("Usage proves nothing yet"))
      #expect(page.contains(database.name))
      for tag in ["section", "article", "details", "table", "div", "ul", "pre"] {
        let open = page.split(separator: "<\(tag)", omittingEmptySubsequences: false).count
        let closed = page.split(separator: "</\(tag)>", omittingEmptySubsequences: false).count
        #expect(open == closed, "\(tag)")
      }
    }
  }

  @Test func thePageIsAboutWhatWasAskedFor() async throws {
    try await withDatabase(template: Self.shop) { database in
      let directory = try TemporaryDirectory("page")
      let path = directory.file("audit.html")
      let result = try await run(["--html", path, "--table", "items", "--only", "duplicate"], database)
      // The page changes nothing about how a run ends.
      #expect(result.exitCode == 10, "\(result)")
      let page = try String(contentsOfFile: path, encoding: .utf8)
      #expect(page.contains("items_sku"))
      #expect(!page.contains("orders"))
      #expect(page.contains("<b>2</b><span>indexes on 1 table<"))
      let nothing = try await run(["--html", path, "--only", "invalid"], database)
      #expect(nothing.exitCode == 0, "\(nothing)")
      #expect(try String(contentsOfFile: path, encoding: .utf8).contains("Nothing was found."))
    }
  }

  @Test func aPageThatCannotBeWrittenIsSaidAtOnce() async throws {
    try await withDatabase(template: Self.shop) { database in
      let result = try await run(["--html", "/nonexistent/audit.html", "--json"], database)
      #expect(result.exitCode == 1, "\(result)")
      #expect(result.stderr.contains("output_failed"), "\(result)")
      #expect(result.stdout == "")
    }
  }

  @Test func exactReadsIndexes() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (id int) with (autovacuum_enabled = off);
        insert into t select generate_series(1, 800000);
        create index t_id on t (id);
        delete from t where id % 20 <> 0;
        """)
      try await database.sql("vacuum analyze t")
      let arguments = ["--only", "bloated", "--json", "--verbose"]
      let estimated = try await run(arguments, database)
      func finding(_ result: ProgramResult) throws -> JSON {
        try #require(try JSON(parsing: Array(result.stdout.utf8))["findings"].elements.first)
      }
      #expect(estimated.exitCode == 10, "\(estimated)")
      #expect(try finding(estimated)["evidence"]["source"].text == "estimate")
      let missing = try await run(arguments + ["--exact"], database)
      #expect(missing.exitCode == 78, "\(missing)")
      #expect(missing.stderr.contains("pgstattuple_missing"))
      try await database.sql("create extension pgstattuple")
      let read = try await run(arguments + ["--exact"], database)
      #expect(try finding(read)["evidence"]["source"].text == "pgstatindex", "\(read)")
      #expect(try finding(read)["verdict"].text == "rebuild")
      let capped = try await run(arguments + ["--exact", "--exact-max", "1MB"], database)
      #expect(capped.stderr.contains("not read, because"), "\(capped)")
      #expect(try finding(capped)["evidence"]["source"].text == "estimate")
      try await database.sql("reindex table t")
      #expect(try await run(["--only", "bloated"], database).exitCode == 0)
    }
  }
}
