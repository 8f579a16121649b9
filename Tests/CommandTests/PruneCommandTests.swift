import FoundationEssentials
import Postgres
import Primitives
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct PruneCommandTests {
  private static let orders = DatabaseTemplate("prune_orders") { database in
    try await database.sql(
      """
      create table orders (id int primary key, customer int, placed date);
      insert into orders select n, n % 100, date '2020-01-01' + n % 1000 from generate_series(1, 5000) n;
      create index orders_customer on orders (customer);
      create index orders_customer_placed on orders (customer, placed);
      analyze;
      """)
  }

  private func run(
    _ arguments: [String], _ url: String, env: [String: String?] = [:], cwd: String? = nil
  ) async throws -> ProgramResult {
    try await Ironforge.run(["index"] + arguments + ["--database-url", url], env: env, cwd: cwd)
  }

  private func withOrders(_ body: (TestDatabase, TemporaryDirectory) async throws -> Void) async throws {
    try await withDatabase(template: Self.orders) { database in
      try await database.sql("select pg_stat_reset()")
      try await body(database, try TemporaryDirectory("prune"))
    }
  }

  @Test func showsAPlanAndChangesNothing() async throws {
    try await withOrders { database, directory in
      let result = try await run(["prune", "--min-age", "0s", "--json"], database.url, cwd: directory.path)
      #expect(result.exitCode == 0, "\(result)")
      let plan = try JSON(parsing: Array(result.stdout.utf8))
      let keys = plan.members.map(\.key)
      #expect(keys.prefix(2) == ["plan", "executed"])
      #expect(plan["executed"].boolean == false)
      let item = try #require(plan["plan"].elements.first)
      #expect(item["index"].text == "orders_customer")
      #expect(item["ddl"].text == "DROP INDEX CONCURRENTLY public.orders_customer;")
      #expect(
        item["undo_ddl"].text
          == "CREATE INDEX CONCURRENTLY orders_customer ON public.orders USING btree (customer);")
      #expect(item["proof"]["kind"].text == "redundant")
      #expect(item["proof"]["covering_index"].text == "orders_customer_placed")
      #expect(item["worse"] == .array([]))
      #expect(result.stderr.contains("--execute --confirm \(database.name)"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
      #expect(
        try await database.sql("select count(*) from pg_class where relname = 'orders_customer'") == [["1"]])
      let text = try await run(["prune", "--min-age", "0s"], database.url, cwd: directory.path)
      #expect(text.stdout.hasPrefix("drop: redundant orders_customer on public.orders  "), "\(text)")
      #expect(text.stdout.contains("\n1 index to drop, "))
      let csv = try await run(["prune", "--min-age", "0s", "-o", "csv"], database.url)
      #expect(
        csv.stdout.hasPrefix(
          "schema,table,index,kind,size_bytes,method,worse,held_back,outcome,ddl,undo_ddl\r\n"))
      // A month has not gone by.
      let young = try await run(["prune"], database.url)
      #expect(young.exitCode == 0 && young.stdout.hasPrefix("Nothing to drop."), "\(young)")
    }
  }

  @Test func aStatementThatNeedsTheIndexHoldsItBack() async throws {
    try await withOrders { database, directory in
      // Without the narrow index the date is compared for every customer; with the wide one the plan is as good.
      try await database.sql(
        """
        create extension pg_stat_statements;
        drop index orders_customer_placed;
        create index orders_placed on orders (placed);
        create index orders_placed_wide on orders (placed, customer, id, (customer * 2), (id % 7), (id::text || repeat('x', 200)));
        select count(*) from orders where placed > date '2020-06-01';
        select count(*) from orders where placed > date '2020-06-01';
        analyze;
        """)
      let arguments = ["prune", "--min-age", "0s", "--only", "redundant", "--json"]
      let held = try await run(arguments, database.url)
      let item = try #require(try JSON(parsing: Array(held.stdout.utf8))["plan"].elements.first)
      #expect(item["index"].text == "orders_placed" && item["held_back"].text == "worse", "\(held)")
      let worse = try #require(item["worse"].elements.first)
      #expect(worse["text"].text?.contains("from orders where placed >") == true)
      #expect((worse["cost_after"].real ?? 0) > (worse["cost_before"].real ?? 0))
      let text = try await run(["prune", "--min-age", "0s", "--only", "redundant"], database.url)
      #expect(
        text.stdout.contains("held back: redundant orders_placed")
          && text.stdout.contains("    -- DROP INDEX"))
      let kept = try await run(
        arguments + ["--execute", "--confirm", database.name], database.url, cwd: directory.path)
      #expect(kept.exitCode == 0 && kept.stdout.contains(#""dropped":0"#), "\(kept)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
      let dropped = try await run(
        arguments + ["--execute", "--confirm", database.name, "--accept-worse"], database.url,
        cwd: directory.path)
      #expect(dropped.exitCode == 0 && dropped.stdout.contains(#""dropped":1"#), "\(dropped)")
    }
  }

  @Test func theDefaultFileIsOfTheDatabaseAndTheDay() async throws {
    try await withOrders { database, directory in
      let arguments = ["prune", "--min-age", "0s", "--execute", "--confirm", database.name, "--quiet"]
      let result = try await run(arguments, database.url, cwd: directory.path)
      #expect(result.exitCode == 0 && result.stdout == "" && result.stderr == "", "\(result)")
      let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      #expect(files.count == 1 && files[0].hasPrefix("prune-test_") && files[0].hasSuffix(".sql"), "\(files)")
      let file = directory.file(files[0])
      let only = try await run(["restore", file, "--only", "nobody"], database.url)
      #expect(only.exitCode == 64 && only.stderr.contains("it has public.orders_customer"), "\(only)")
      let plan = try await run(["restore", file, "--json"], database.url)
      #expect(
        plan.stdout.hasPrefix(#"{"plan":[{"index":"orders_customer""#)
          && plan.stdout.contains(#""executed":false"#))
      let restored = try await run(["restore", file, "--only", "orders_customer", "--execute"], database.url)
      #expect(
        restored.exitCode == 0 && restored.stdout.hasSuffix("1 of 1 index of the file is there.\n"),
        "\(restored)")
      try await database.sql("drop table orders")
      let gone = try await run(["restore", file, "--execute"], database.url)
      #expect(
        gone.exitCode == 3 && gone.stdout.contains("there is no table public.orders any more"), "\(gone)")
      var bytes = try contents(of: file)
      bytes.removeLast(10)
      try Data(bytes).write(to: URL(filePath: file))
      let cut = try await run(["restore", file], database.url)
      #expect(cut.exitCode == 65 && cut.stderr.contains("\(file):7: "), "\(cut)")
    }
  }

  /// The file of a run before midnight has another name; what it tells of is finished all the same.
  @Test func halfDroppedIndexesOfOtherDaysAreFinished() async throws {
    try await withOrders { database, directory in
      let execute = ["prune", "--min-age", "0s", "--execute", "--confirm", database.name]
      #expect(try await run(execute, database.url, cwd: directory.path).exitCode == 0)
      let name = try #require(try FileManager.default.contentsOfDirectory(atPath: directory.path).first)
      let old = name.dropLast(14) + "2020-01-01.sql"
      try FileManager.default.moveItem(atPath: directory.file(name), toPath: directory.file(String(old)))
      try Data("nonsense".utf8).write(to: URL(filePath: directory.file(name.dropLast(14) + "2019-01-01.sql")))
      try await database.sql(
        """
        create index orders_customer on orders using btree (customer);
        update pg_index set indisvalid = false where indexrelid = 'orders_customer'::regclass
        """)
      let elsewhere = try await run(
        ["prune", "--min-age", "0s", "--only", "unused"], database.url, cwd: directory.path)
      #expect(!elsewhere.stdout.contains("half-dropped"), "\(elsewhere)")
      let named = try await run(
        ["prune", "--min-age", "0s", "--undo", directory.file("other.sql")], database.url, cwd: directory.path
      )
      #expect(!named.stdout.contains("half-dropped"), "\(named)")
      let finished = try await run(execute, database.url, cwd: directory.path)
      #expect(
        finished.exitCode == 0 && finished.stdout.contains("dropped: half-dropped orders_customer"),
        "\(finished)")
      #expect(finished.stderr.contains("2019-01-01.sql"), "\(finished)")
      // Its own file tells of it, with the kind that it had.
      let restored = try await run(["restore", directory.file(name), "--execute"], database.url)
      #expect(restored.exitCode == 0 && restored.stderr.contains("--baseline"), "\(restored)")
    }
  }

  @Test func anotherDatabaseIsNotRestoredIntoByMistake() async throws {
    try await withOrders { database, directory in
      let execute = [
        "prune", "--min-age", "0s", "--execute", "--confirm", database.name, "--undo",
        directory.file("u.sql"),
      ]
      #expect(try await run(execute, database.url).exitCode == 0)
      try await withDatabase(template: Self.orders) { other in
        try await other.sql("drop index orders_customer")
        let restore = ["restore", directory.file("u.sql")]
        let plan = try await run(restore, other.url)
        #expect(plan.exitCode == 0 && plan.stderr.contains("this is \(other.name)"), "\(plan)")
        let refused = try await run(restore + ["--execute", "--json"], other.url)
        #expect(refused.exitCode == 64 && refused.stderr.contains("undo_of_another_database"), "\(refused)")
        let wrong = try await run(restore + ["--execute", "--confirm", database.name, "--json"], other.url)
        #expect(wrong.exitCode == 64 && wrong.stderr.contains("confirmation_mismatch"), "\(wrong)")
        let count = "select count(*) from pg_class where relname = 'orders_customer'"
        #expect(try await other.sql(count) == [["0"]])
        let done = try await run(restore + ["--execute", "--confirm", other.name], other.url)
        #expect(done.exitCode == 0, "\(done)")
        #expect(try await other.sql(count) == [["1"]])
      }
    }
  }

  @Test func whatTheBaselineAcceptsStays() async throws {
    try await withOrders { database, directory in
      let plan = try await run(["prune", "--min-age", "0s", "--json"], database.url)
      let id = try #require(
        try JSON(parsing: Array(plan.stdout.utf8))["plan"].elements.first?["proof"]["findings"].elements.last?
          .text)
      let file = directory.file("accepted.csv")
      func prune(until: String, _ more: [String] = []) async throws -> ProgramResult {
        try Data("id,reason,until\r\n\(id),Ada reads it,\(until)\r\n".utf8).write(to: URL(filePath: file))
        return try await run(["prune", "--min-age", "0s", "--baseline", file] + more, database.url)
      }
      let kept = try await prune(until: "2100-01-01")
      #expect(kept.exitCode == 0 && kept.stdout.hasPrefix("Nothing to drop."), "\(kept)")
      #expect(kept.stdout.contains("1 index left out"), "\(kept)")
      // One accepted finding is enough, also where another kind is asked for.
      let other = try await prune(until: "2100-01-01", ["--only", "redundant", "--json"])
      #expect(other.stdout.contains(#""plan":[]"#) && other.stdout.contains(#""accepted":1"#), "\(other)")
      let expired = try await prune(until: "2020-01-01")
      #expect(expired.stdout.contains("drop: redundant orders_customer"), "\(expired)")
      let broken = try await run(["prune", "--baseline", "/nonexistent"], database.url)
      #expect(broken.exitCode == 65, "\(broken)")
    }
  }

  @Test func wrongUsage() async throws {
    try await withOrders { database, _ in
      for (arguments, message) in [
        (["--execute"], "--confirm DATABASE_NAME"),
        (["--execute", "--confirm", "wallet"], "--confirm says wallet"),
        (["--confirm", "wallet"], "--confirm says wallet"),
        (["--only", "invalid"], "'unused', 'redundant'"), (["--only", "none"], "'unused', 'redundant'"),
        (["--max-scans", "-1"], "max-scans"), (["--min-age", "a month"], "min-age"),
        (["--undo", ""], "--undo must name a file"), (["--table", "nothing"], "there is no table nothing"),
      ] {
        let result = try await run(["prune"] + arguments, database.url)
        #expect(result.exitCode == 64 && result.stderr.contains(message), "\(arguments): \(result)")
      }
      let missing = try await run(["restore", "/nonexistent"], database.url)
      #expect(missing.exitCode == 65, "\(missing)")
    }
  }

  /// Who owns an index is known when the plan is made: what is another's is held back, and says whose it is.
  @Test func whatIsAnothersIsHeldBack() async throws {
    try await withOrders { database, directory in
      let (role, owner) = ("watcher_\(database.name)", "owner_\(database.name)")
      try await database.sql(
        """
        create role \(role) login; grant pg_monitor to \(role);
        create role \(owner); alter table orders owner to \(owner)
        """)
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      let plan = try await run(["prune", "--min-age", "0s", "--json"], url)
      let items = try JSON(parsing: Array(plan.stdout.utf8))["plan"].elements
      #expect(plan.exitCode == 0 && items.map { $0["held_back"].text } == ["not_owner"], "\(plan)")
      #expect(items.map { $0["owner"].text } == [owner])
      let line = "\n\nNothing to drop; 1 held back: \(role) does not own it, but \(owner) does.\n"
      let execute = [
        "prune", "--min-age", "0s", "--execute", "--confirm", database.name, "--undo",
        directory.file("u.sql"),
      ]
      for arguments in [["prune", "--min-age", "0s"], execute] {
        let text = try await run(arguments, url)
        #expect(text.exitCode == 0 && text.stdout.contains(line), "\(text)")
        #expect(text.stdout.contains("held back: \(owner) owns it;"), "\(text)")
        #expect(!text.stdout.contains("Undo:"), "\(text)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
      // A member of the owner has the owner's rights.
      try await database.sql("grant \(owner) to \(role); grant usage, create on schema public to \(owner)")
      let done = try await run(execute, url)
      #expect(done.exitCode == 0 && done.stdout.contains("Dropped 1 of 1 index"), "\(done)")
      let restored = try await run(["restore", directory.file("u.sql"), "--execute"], url)
      #expect(restored.exitCode == 0, "\(restored)")
      try await database.sql("drop table orders; drop owned by \(owner); drop role \(role), \(owner)")
    }
  }

  /// The table changes hands between the plan and the drop.
  @Test func aRightThatIsLostMeanwhileIsExplained() async throws {
    try await withOrders { database, directory in
      let role = "loser_\(database.name)"
      try await database.sql(
        """
        create role \(role) login; grant pg_monitor to \(role); grant usage, create on schema public to \(role);
        alter table orders owner to \(role); grant select on orders to public
        """)
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      // The drop waits for a reader; behind it the next attempt finds another owner.
      let reader = try Session(connecting: ConnectionString(database.url))
      try reader.simple("begin; select count(*) from orders")
      let running = try await Ironforge.start(
        [
          "index", "prune", "--min-age", "0s", "--execute", "--confirm", database.name, "--undo",
          directory.file("u.sql"), "--database-url", url,
        ], env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"])
      let deadline = Deadline.after(.seconds(30))
      while try await database.sql("select count(*) from pg_index where not indisvalid") != [["1"]] {
        guard !deadline.hasPassed else { throw TestFailure("the drop never began") }
        try await Task.sleep(for: .milliseconds(20))
      }
      // What the catalog says of owners takes no lock on the table that the reader has.
      try await database.sql(
        "update pg_class set relowner = 'ironforge'::regrole where relname in ('orders', 'orders_customer')")
      let result = try await running.finish()
      reader.close()
      #expect(result.exitCode == 77 && result.stderr.contains("must be owner of index"), "\(result)")
      #expect(result.stderr.contains("run as \(role), who owned it when the plan was made"), "\(result)")
      #expect(!result.stderr.contains("grant it"), "\(result)")
      #expect(!result.stdout.contains("Run the same command again"), "\(result)")
      try await database.sql("drop table orders; drop owned by \(role); drop role \(role)")
    }
  }

  @Test func behindAPoolerThePlanOnlyIsMade() async throws {
    try await withOrders { database, directory in
      try await withPooler(database) { url in
        let plan = try await run(["prune", "--min-age", "0s", "--json"], url)
        #expect(plan.exitCode == 0 && plan.stdout.contains(#""index":"orders_customer""#), "\(plan)")
        let refused = try await run(
          [
            "prune", "--min-age", "0s", "--execute", "--confirm", database.name, "--undo",
            directory.file("u.sql"),
          ],
          url)
        #expect(refused.exitCode == 78 && refused.stderr.contains("pooler in transaction mode"), "\(refused)")
      }
    }
  }

  @Test func aStandbyIsNotPruned() async throws {
    try await withPrivatePostgres { server in
      try await withStandby(of: server) { standby in
        let url = standby.url(database: "ironforge")
        let plan = try await run(["prune", "--min-age", "0s"], url)
        #expect(plan.exitCode == 0 && plan.stdout.hasPrefix("Nothing to drop."), "\(plan)")
        let refused = try await run(["prune", "--execute", "--confirm", "ironforge"], url)
        #expect(refused.exitCode == 78 && refused.stderr.contains("this server is a standby"), "\(refused)")
      }
    }
  }
}
