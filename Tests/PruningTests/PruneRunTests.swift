import FoundationEssentials
import Glibc
import Indexes
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Pruning

/// The built command against databases that resist.
@Suite(.timeLimit(.minutes(4))) struct PruneRunTests {
  /// Three indexes that a wider one makes superfluous.
  private static let covered = DatabaseTemplate("pruning_covered") { database in
    try await database.sql(
      #"""
      create schema "Odd ""S""";
      create table "Odd ""S""".t (a int, b int, c int, d int);
      insert into "Odd ""S""".t select n, n, n, n from generate_series(1, 1000) n;
      create index "A one" on "Odd ""S""".t (a);
      create index two on "Odd ""S""".t (a, b);
      create index three on "Odd ""S""".t (a, b, c);
      create index wide on "Odd ""S""".t (a, b, c, d);
      comment on index "Odd ""S""".two is 'second';
      analyze;
      """#)
  }

  /// A database with a directory for the undo file.
  private struct Scene: Sendable {
    let database: TestDatabase
    let directory: TemporaryDirectory
    var undo: String { directory.file("undo.sql") }

    func arguments(_ more: [String] = []) -> [String] {
      [
        "index", "prune", "--min-age", "0s", "--undo", undo, "--execute", "--confirm", database.name,
        "--json",
        "--database-url", database.url,
      ] + more
    }

    func prune(_ more: [String] = [], env: [String: String?] = [:]) async throws -> ProgramResult {
      try await Ironforge.run(arguments(more), env: env.merging(Scene.brief) { own, _ in own })
    }

    static let brief: [String: String?] = ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"]

    /// For a drop that is to wait until something is done to it.
    static let patient: [String: String?] = ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "60"]

    /// Waits until a drop waits for a reader; its half-dropped index has a mark then.
    func waitUntilADropWaits() async throws {
      try await wait {
        let waiting = try await database.sql(
          """
          select count(*) from pg_stat_activity
          where datname = current_database() and query ilike 'drop index%' and wait_event_type = 'Lock'
          """)
        let isBegun = try await indexes().contains { $0.hasSuffix("!") }
        return isBegun && waiting == [["1"]]
      }
    }

    /// Begins a drop that waits for the reader that it returns: in its first wait, in which writes still maintain the index, or
    /// in its second one, in which they do not any more.
    func startWaitingDrop(isDead: Bool) async throws -> (run: RunningProgram, reader: Session) {
      let first = try reader()
      let running = try await Ironforge.start(arguments(), env: Scene.patient)
      try await waitUntilADropWaits()
      guard isDead else { return (running, first) }
      // Only those who are there when a wait begins are waited for.
      let second = try reader()
      first.close()
      try await wait {
        try await database.sql("select count(*) from pg_index where not indisvalid and not indisready") == [
          ["1"]
        ]
      }
      return (running, second)
    }

    /// The same command again does the rest, and what was dropped can be made again.
    func finishAndRestore() async throws {
      #expect(try await indexes().contains { $0.hasSuffix("!") })
      #expect(Set(try noted()) == ["A one", "two", "three"])
      let rest = try await prune()
      #expect(rest.exitCode == 0, "\(rest)")
      #expect(try await indexes() == ["wide"])
      #expect(Set(try noted()) == ["A one", "two", "three"])
      let restored = try await Ironforge.run([
        "index", "restore", undo, "--execute", "--database-url", database.url,
      ])
      #expect(restored.exitCode == 0, "\(restored)")
      #expect(try await indexes() == ["A one", "three", "two", "wide"])
    }

    /// Names of the indexes, with a mark behind those that no query uses.
    func indexes() async throws -> [String] {
      try await database.sql(
        #"""
        select c.relname || case when i.indisvalid then '' else '!' end
        from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = '"Odd ""S""".t'::regclass order by 1
        """#
      ).map { $0[0] }
    }

    func noted() throws -> [String] {
      try UndoFile(parsing: try contents(of: undo), name: "undo").entries.map(\.restoration.index.name)
    }

    /// A session that reads the table and does not end.
    func reader() throws -> Session {
      let session = try Session(connecting: ConnectionString(database.url))
      try session.simple(#"begin; select count(*) from "Odd ""S""".t"#)
      return session
    }

    func wait(until condition: () async throws -> Bool) async throws {
      let deadline = Deadline.after(.seconds(30))
      while !(try await condition()) {
        guard !deadline.hasPassed else { throw TestFailure("it never came to that") }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  private func withScene(_ body: (Scene) async throws -> Void) async throws {
    try await withDatabase(template: Self.covered) { database in
      try await database.sql("select pg_stat_reset()")
      try await body(Scene(database: database, directory: try TemporaryDirectory("prune")))
    }
  }

  private func outcomes(_ result: ProgramResult) throws -> [String] {
    try JSON(parsing: Array(result.stdout.utf8))["plan"].elements.map { $0["outcome"].text ?? "null" }
  }

  @Test func dropsWithAnUndoFileThatRestores() async throws {
    try await withScene { scene in
      let result = try await scene.prune()
      #expect(result.exitCode == 0, "\(result)")
      #expect(try outcomes(result) == ["dropped", "dropped", "dropped"])
      #expect(try await scene.indexes() == ["wide"])
      #expect(Set(try scene.noted()) == ["A one", "two", "three"])
      let nothing = try await scene.prune()
      #expect(nothing.exitCode == 0 && nothing.stdout.contains(#""plan":[],"executed":true"#), "\(nothing)")
      let restored = try await Ironforge.run(
        ["index", "restore", scene.undo, "--execute", "--database-url", scene.database.url])
      #expect(restored.exitCode == 0, "\(restored)")
      #expect(try await scene.indexes() == ["A one", "three", "two", "wide"])
      #expect(
        try await scene.database.sql(#"select obj_description('"Odd ""S""".two'::regclass)"#) == [["second"]])
    }
  }

  /// Between two drops, and before the first: the same command does the rest, and the file still tells of all.
  @Test(arguments: ["prune-undo-written:1", "prune-dropped:1", "prune-dropped:2"])
  func aKilledRunIsFinishedByTheNext(point: String) async throws {
    try await withScene { scene in
      let killed = try await scene.prune(env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "debug builds know \(point): \(killed)")
      #expect(Set(try scene.noted()) == ["A one", "two", "three"])
      let rest = try await scene.prune()
      #expect(rest.exitCode == 0, "\(rest)")
      #expect(try await scene.indexes() == ["wide"])
      #expect(Set(try scene.noted()) == ["A one", "two", "three"])
    }
  }

  @Test func waitsForAReaderWhoLeaves() async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let running = try await Ironforge.start(scene.arguments(), env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      try await Task.sleep(for: .seconds(2))
      reader.close()
      let result = try await running.finish()
      #expect(result.exitCode == 0, "\(result)")
      #expect(result.stderr.contains("holds a lock; trying again in"), "\(result.stderr)")
      #expect(try await scene.indexes() == ["wide"])
    }
  }

  /// The reader stays: the run ends by itself, says who it was and what is half done. Later the next run finishes it.
  @Test func aReaderWhoStaysIsNamedAndTheRestIsFinishedLater() async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let blocked = try await scene.prune(["--only", "redundant", "--table", #"Odd "S".t"#])
      #expect(blocked.exitCode == 3, "\(blocked)")
      #expect(try outcomes(blocked) == ["blocked", "blocked", "blocked"])
      #expect(blocked.stdout.contains("process \(reader.backendPID) (ironforge), in a transaction since "))
      // Behind one that is stuck the others of its table are not even begun.
      #expect(try await scene.indexes() == ["A one", "three!", "two", "wide"])
      let plan = try await Ironforge.run([
        "index", "prune", "--min-age", "0s", "--undo", scene.undo, "--database-url", scene.database.url,
      ])
      #expect(plan.stdout.contains("drop: half-dropped "), "\(plan)")
      reader.close()
      let rest = try await scene.prune()
      #expect(rest.exitCode == 0, "\(rest)")
      #expect(try await scene.indexes() == ["wide"])
      #expect(Set(try scene.noted()) == ["A one", "two", "three"])
    }
  }

  @Test func aRestorationThatIsKilledOrStoppedIsCompleted() async throws {
    try await withScene { scene in
      #expect(try await scene.prune().exitCode == 0)
      let command = ["index", "restore", scene.undo, "--execute", "--database-url", scene.database.url]
      // Whoever has an old snapshot keeps a build from its end, whatever he reads.
      let reader = try Session(connecting: ConnectionString(scene.database.url))
      try reader.simple("begin isolation level repeatable read; select count(*) from pg_class")
      let stopped = try await Ironforge.start(command, env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      try stopped.signal(SIGINT)
      let result = try await stopped.finish()
      #expect(result.exitCode == 130, "\(result)")
      #expect(try await scene.indexes() == ["wide"])
      let beginning = try await Ironforge.start(command, env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      beginning.kill()
      _ = try await beginning.finish()
      reader.close()
      for point in ["restore-created:1", "restore-created:1"] {
        let killed = try await Ironforge.run(command, env: ["IRONFORGE_FAULT": point])
        #expect(killed.exitCode == 128 + SIGKILL, "debug builds know \(point): \(killed)")
      }
      let rest = try await Ironforge.run(command)
      #expect(rest.exitCode == 0, "\(rest)")
      #expect(try await scene.indexes() == ["A one", "three", "two", "wide"])
      #expect(
        try await scene.database.sql(#"select obj_description('"Odd ""S""".two'::regclass)"#) == [["second"]])
    }
  }

  /// `kill -9` in the middle of a drop: the server goes on for a while, and gives up behind the reader.
  @Test(arguments: [true, false])
  func aRunThatIsKilledInTheMiddleOfADropIsFinished(isServerDone: Bool) async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let running = try await Ironforge.start(scene.arguments(), env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      running.kill()
      #expect(try await running.finish().exitCode == 128 + SIGKILL)
      let command = try Ironforge.program(scene.arguments(), env: Scene.brief)
      async let rest: ProgramResult? = isServerDone ? nil : command.run()
      try await scene.wait {
        try await scene.database.sql(
          "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'drop%'"
        ) == [["0"]]
      }
      #expect(try await scene.indexes().contains { $0.hasSuffix("!") })
      reader.close()
      let result = try await rest
      let last = if let result { result } else { try await command.run() }
      #expect(last.exitCode == 0, "\(last)")
      #expect(try await scene.indexes() == ["wide"])
      #expect(Set(try scene.noted()) == ["A one", "two", "three"])
      let restored = try await Ironforge.run(
        ["index", "restore", scene.undo, "--execute", "--database-url", scene.database.url])
      #expect(restored.exitCode == 0)
      #expect(try await scene.indexes() == ["A one", "three", "two", "wide"])
    }
  }

  /// An administrator ends the session of a drop, in either of its two waits.
  @Test(arguments: [false, true])
  func aDropWhoseBackendIsEndedIsFinishedByTheNext(isDead: Bool) async throws {
    try await withScene { scene in
      let (running, reader) = try await scene.startWaitingDrop(isDead: isDead)
      let ended = try await scene.database.sql(
        """
        select pg_terminate_backend(pid, 30000) from pg_stat_activity
        where datname = current_database() and query ilike 'drop index%'
        """)
      #expect(ended == [["t"]])
      let result = try await running.finish()
      #expect(result.exitCode == 69, "\(result)")
      #expect(try outcomes(result) == ["failed", "not_tried", "not_tried"])
      reader.close()
      try await scene.finishAndRestore()
    }
  }

  /// The server crashes and comes back, in either of the two waits of a drop.
  @Test(arguments: [false, true])
  func aDropDuringWhichTheServerCrashesIsFinishedByTheNext(isDead: Bool) async throws {
    try await withPrivatePostgres { server in
      try await Self.covered.build(server.database)
      let scene = Scene(database: server.database, directory: try TemporaryDirectory("prune"))
      let (running, reader) = try await scene.startWaitingDrop(isDead: isDead)
      try await server.restart(mode: .immediate)
      let result = try await running.finish()
      #expect(result.exitCode == 69, "\(result)")
      #expect(try outcomes(result) == ["failed", "not_tried", "not_tried"])
      reader.close()
      try await scene.finishAndRestore()
    }
  }

  /// The current drop is given its time, then the run ends.
  @Test func aSignalEndsTheRunAfterTheDropAtHand() async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let running = try await Ironforge.start(scene.arguments(), env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      try running.signal(SIGINT)
      let result = try await running.finish()
      reader.close()
      #expect(result.exitCode == 130, "\(result)")
      #expect(try outcomes(result) == ["blocked", "not_tried", "not_tried"])
      #expect(result.stdout.contains(#""half_dropped":true"#))
      #expect(try await scene.indexes().count { $0.hasSuffix("!") } == 1)
      #expect(try await scene.prune().exitCode == 0)
      #expect(try await scene.indexes() == ["wide"])
    }
  }

  @Test func anotherRunIsRefusedMeanwhile() async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let running = try await Ironforge.start(scene.arguments(), env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      let second = try await scene.prune()
      #expect(second.exitCode == 75, "\(second)")
      let restore = try await Ironforge.run(
        ["index", "restore", scene.undo, "--execute", "--database-url", scene.database.url])
      #expect(restore.exitCode == 75, "\(restore)")
      reader.close()
      #expect(try await running.finish().exitCode == 0)
    }
  }

  /// Between the plan and the drop somebody takes away the index that was to do the work.
  @Test func aChangedVerdictLeavesTheIndex() async throws {
    try await withScene { scene in
      let reader = try scene.reader()
      let running = try await Ironforge.start(scene.arguments(), env: Scene.brief)
      try await scene.wait { try await scene.indexes().contains { $0.hasSuffix("!") } }
      try await scene.database.sql(
        "update pg_index set indisvalid = false where indexrelid = '\"Odd \"\"S\"\"\".wide'::regclass")
      reader.close()
      let result = try await running.finish()
      #expect(result.exitCode == 3, "\(result)")
      // What was half dropped is finished; one of the others must now do the work.
      let found = try outcomes(result)
      #expect(found.contains("changed"), "\(found)")
      #expect(try await scene.indexes() == ["two", "wide!"])
    }
  }

  @Test func aFileOfAnotherDatabaseOrOfNobodyIsRefused() async throws {
    try await withScene { scene in
      try Data("select 1;\n".utf8).write(to: URL(filePath: scene.undo))
      let foreign = try await scene.prune()
      #expect(foreign.exitCode == 65 && foreign.stderr.contains("undo_malformed"), "\(foreign)")
      let other = UndoFile(system: "1", database: scene.database.name)
      try Data(other.bytes).write(to: URL(filePath: scene.undo))
      let elsewhere = try await scene.prune()
      #expect(
        elsewhere.exitCode == 64 && elsewhere.stderr.contains("undo_of_another_database"), "\(elsewhere)")
      #expect(try await scene.indexes().count == 4)
      let unwritable = try await Ironforge.run(
        scene.arguments() + ["--undo", "/nonexistent/undo.sql"], env: Scene.brief)
      #expect(unwritable.exitCode == 1 && unwritable.stderr.contains("output_failed"), "\(unwritable)")
      let device = try await Ironforge.run(scene.arguments() + ["--undo", "/dev/null"], env: Scene.brief)
      #expect(device.exitCode != 0, "\(device)")
      #expect(try await scene.indexes().count == 4)
    }
  }

  /// An index that was restored and changed since: the file would lose one of the two.
  @Test func anotherIndexOfTheSameNameNeedsAnotherFile() async throws {
    try await withScene { scene in
      #expect(try await scene.prune().exitCode == 0)
      try await scene.database.sql(#"create index two on "Odd ""S""".t (a desc, b desc)"#)
      let result = try await scene.prune()
      #expect(result.exitCode == 64 && result.stderr.contains("undo_name_taken"), "\(result)")
      #expect(try await scene.indexes() == ["two", "wide"])
    }
  }
}
