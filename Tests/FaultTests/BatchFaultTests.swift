import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

/// A batch that is cut short and run again is one uninterrupted run.
@Suite struct BatchFaultTests {
  private static let bank = "ada@example.com/bank"
  private static let main = "ada@example.com/main"
  private static let savings = "ada@example.com/savings"

  /// 60 rows: a chain that only works in order, refusals, duplicates, a key that is used for two requests, one that is
  /// free for a later row because its first row is refused without a record, references to later rows.
  private static var rows: String {
    var text = "kind,key,ref,from,to,amount,currency,memo\n"
    text += ",again,,\(bank),\(main),1e2,USD,\ncapture,early,h7,,,,,\nreverse,early too,p3,,,,,\n"
    for round in 0..<7 {
      text +=
        ",p\(round),,\(bank),\(main),10,USD,\n,,,\(main),\(savings),7,USD,\n,,,\(main),\(savings),4,USD,\n"
      text += "hold,h\(round),,\(savings),\(main),5,USD,\n,p\(round),,\(bank),\(main),10.00,USD,\n"
      text += round % 2 == 0 ? "capture,c\(round),h\(round),,,3,,\n" : "void,c\(round),h\(round),,,,,\n"
      text += ",p\(round),,\(bank),\(main),11,USD,\n"
      if round % 3 == 0 { text += "reverse,r\(round),p\(round),,,2.50,,\n" }
    }
    return text
      + "hold,h7,,\(savings),\(main),1,USD,\n,again,,\(bank),\(main),100,USD,\nnonsense,,,,,,,\n,,,\(main),,1,USD,\n"
  }

  /// An outcome without what differs from run to run, and what the wallets hold.
  private struct Ending: Equatable {
    let rows: [[String]]
    let holdings: [[String]]

    init(_ town: Town, _ outcome: String) async throws {
      rows = try CSVFile(outcome).without("transfer_id")
      holdings = try await town.database.sql(
        """
        select w.name, a.balance, a.held, a.version from assets a join wallets w on w.id = a.wallet_id order by 1
        """)
    }
  }

  private static func expectSound(_ town: Town) async throws {
    let verified = try await town.run("ledger", "verify", "--json")
    #expect(verified.exitCode == 0, "\(verified.stdout)")
  }

  /// What one run comes to that nothing disturbs.
  private static func undisturbed(_ file: String, _ outcome: String, _ words: [String]) async throws -> Ending
  {
    try await withTown { town in
      let result = try await town.run(["transfer", "batch", file, "--outcome", outcome] + words)
      #expect([0, 3].contains(result.exitCode), "\(result)")
      return try await Ending(town, outcome)
    }
  }

  @Test(
    arguments: [
      "before-begin:3", "after-locks:3", "after-inserts:3", "commit-sent:3", "after-commit:3",
      "before-outcome:3",
      "mid-outcome:3", "before-finish",
    ], [["--chunk-size", "10"], ["--chunk-size", "1"]])
  func aKilledBatchIsCompletedByTheSameCommand(point: String, size: [String]) async throws {
    let directory = try TemporaryDirectory("batch")
    let file = try directory.write(Self.rows, to: "payouts.csv")
    let outcome = directory.file("outcome.csv")
    let expected = try await Self.undisturbed(file, outcome, size)
    unlink(outcome)
    try await withTown { town in
      let command = ["transfer", "batch", file, "--outcome", outcome] + size
      let killed = try await town.run(command, env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "debug builds know \(point): \(killed)")
      #expect((access(outcome, F_OK) == 0) == (point == "before-finish"))
      // Once more in another place, with another size of chunks.
      let again = try await town.run(
        ["transfer", "batch", file, "--outcome", outcome, "--chunk-size", "7"],
        env: ["IRONFORGE_FAULT": "after-commit:2"])
      #expect(again.exitCode == (point == "before-finish" ? 3 : 128 + SIGKILL), "\(again)")
      let last = try await town.run(command)
      #expect(last.exitCode == 3, "\(last)")
      if point != "before-finish" { #expect(try await Ending(town, outcome) == expected) }
      try await Self.expectSound(town)
    }
  }

  /// The outcome was out, and the batch not yet marked: the next run says the same.
  @Test func aBatchThatIsNotMarkedAsFinishedIsToldAgain() async throws {
    let directory = try TemporaryDirectory("batch")
    // Without rows that refer to later ones: carried out once more, they would find them.
    let text = Self.rows.split(separator: "\n").filter { !$0.contains("early") }.joined(separator: "\n")
    let file = try directory.write(text, to: "payouts.csv")
    let outcome = directory.file("outcome.csv")
    try await withTown { town in
      let command = ["transfer", "batch", file, "--outcome", outcome]
      #expect(
        try await town.run(command, env: ["IRONFORGE_FAULT": "before-finish"]).exitCode == 128 + SIGKILL)
      let first = try contents(of: outcome)
      #expect(try await town.run(command).exitCode == 3)
      #expect(try contents(of: outcome) == first)
      #expect(try await town.run(command).exitCode == 3)
      let finished = try CSVFile(outcome).column("code")
      #expect(!finished.contains("created") && finished.contains("exists"), "\(finished)")
    }
  }

  @Test(arguments: [
    "before-begin", "after-locks", "after-inserts", "commit-sent", "after-commit", "before-finish",
  ])
  func aKilledAtomicBatchIsCompletedByTheSameCommand(point: String) async throws {
    let directory = try TemporaryDirectory("batch")
    let text = Self.rows.split(separator: "\n").filter { line in
      !["again", "early", "nonsense", ",4,USD", ",11,USD", ",1,USD"].contains { line.contains($0) }
    }.joined(separator: "\n")
    let file = try directory.write(text, to: "payouts.csv")
    let outcome = directory.file("outcome.csv")
    let words = ["--atomic"]
    let expected = try await Self.undisturbed(file, outcome, words)
    #expect(!expected.rows.isEmpty && expected.rows.allSatisfy { ["created", "exists"].contains($0[2]) })
    unlink(outcome)
    try await withTown { town in
      let command = ["transfer", "batch", file, "--outcome", outcome] + words
      let killed = try await town.run(command, env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "debug builds know \(point): \(killed)")
      #expect(try await town.run(command).exitCode == 0)
      #expect(try await Ending(town, outcome) == expected)
      try await Self.expectSound(town)
    }
  }

  /// The money moves once, and all four say the same.
  @Test(arguments: [["--chunk-size", "5"], [], ["--atomic"], ["--atomic", "--chunk-size", "3"]])
  func fourProcessesAtOnceAreOneRun(words: [String]) async throws {
    let directory = try TemporaryDirectory("batch")
    let text = Self.rows.split(separator: "\n").filter { line in
      !words.contains("--atomic")
        || !["again", "early", "nonsense", ",4,USD", ",11,USD", ",1,USD"].contains { line.contains($0) }
    }.joined(separator: "\n")
    let file = try directory.write(text, to: "payouts.csv")
    let expected = try await Self.undisturbed(file, directory.file("alone.csv"), words)
    try await withTown { town in
      // None gets on before all four are there.
      let gate = try Session(connecting: ConnectionString(town.database.url))
      try gate.simple("begin; lock table ironforge.batches")
      let env = [
        "IRONFORGE_DATABASE_URL": town.database.url, "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "50",
      ]
      var running: [RunningProgram] = []
      for number in 0..<4 {
        running.append(
          try await Ironforge.start(
            ["transfer", "batch", file, "--outcome", directory.file("\(number).csv")] + words, env: env))
      }
      try await waitForWaiters(4, town)
      try gate.simple("rollback")
      gate.close()
      var results: [ProgramResult] = []
      for program in running { results.append(try await program.finish()) }
      #expect(results.allSatisfy { $0.exitCode == (words.contains("--atomic") ? 0 : 3) }, "\(results)")
      let files = try (0..<4).map { try contents(of: directory.file("\($0).csv")) }
      let told = Set(files.map { String(decoding: $0, as: UTF8.self) })
      #expect(told.count == 1, "\(told)")
      #expect(try await Ending(town, directory.file("0.csv")) == expected)
      try await Self.expectSound(town)
    }
  }

  /// A run that waited for the batch's record while another one finished has begun before that, and tells the same.
  @Test func whoWaitedHasBegunBeforeItWaited() async throws {
    let directory = try TemporaryDirectory("batch")
    let file = try directory.write(Self.rows, to: "payouts.csv")
    let expected = try await Self.undisturbed(file, directory.file("alone.csv"), [])
    try await withTown { town in
      let command = ["transfer", "batch", file, "--outcome", directory.file("outcome.csv")]
      let killed = try await town.run(command, env: ["IRONFORGE_FAULT": "before-finish"])
      #expect(killed.exitCode == 128 + SIGKILL)
      let gate = try Session(connecting: ConnectionString(town.database.url))
      try gate.simple("begin; update ironforge.batches set path = path")
      let env = [
        "IRONFORGE_DATABASE_URL": town.database.url, "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "50",
      ]
      let waiting = try await Ironforge.start(command, env: env)
      try await waitForWaiters(1, town)
      try gate.simple("update ironforge.batches set finished_at = clock_timestamp()")
      // For longer than the run has been running.
      try await Task.sleep(for: .seconds(2))
      try gate.simple("commit")
      gate.close()
      #expect(try await waiting.finish().exitCode == 3)
      #expect(try await Ending(town, directory.file("outcome.csv")) == expected)
      // Whoever begins now finds it done.
      #expect(try await town.run(command).exitCode == 3)
      let again = try await Ending(town, directory.file("outcome.csv"))
      let first = try #require(expected.rows.firstIndex { $0[2] == "created" })
      #expect(again.rows[first][2] == "exists")
    }
  }

  @Test func anEditedFileIsNotPaidTwice() async throws {
    let directory = try TemporaryDirectory("batch")
    let header = "key,from,to,amount,currency\n"
    func text(_ key: String, extra: String = "") -> String {
      header
        + (1...20).map { "\(key.isEmpty ? "" : key + "\($0)"),\(Self.bank),\(Self.main),1,USD\n" }.joined()
        + extra
    }
    let extra = ",\(Self.bank),\(Self.main),50,USD\n"
    try await withTown { town in
      for (file, key) in [("without.csv", ""), ("with.csv", "k")] {
        let path = try directory.write(text(key), to: file)
        let cut = try await town.run(
          "transfer", "batch", path, "--chunk-size", "5", env: ["IRONFORGE_FAULT": "after-commit:2"])
        #expect(cut.exitCode == 128 + SIGKILL)
        try directory.write(text(key, extra: key.isEmpty ? extra : ""), to: file)
      }
      #expect(try await town.balance("main") == "20.00")
      // Rows with keys of their own are told apart by them.
      try directory.write(text("k", extra: "k21" + extra), to: "with.csv")
      let keyed = try await town.run("transfer", "batch", directory.file("with.csv"), "--json")
      #expect(keyed.exitCode == 0 && value("exists", in: keyed.stdout) == "10", "\(keyed)")
      #expect(try await town.balance("main") == "80.00")

      let path = directory.file("without.csv")
      for words in [[], ["--dry-run"], ["--atomic"]] {
        let refused = try await town.run(["transfer", "batch", path, "--json"] + words)
        #expect(
          refused.exitCode == 4 && value("code", in: refused.stderr) == "batch_file_edited", "\(refused)")
      }
      #expect(try await town.balance("main") == "80.00")
      // Elsewhere it is another file, and the original completes the batch.
      try directory.write(text(""), to: "without.csv")
      let completed = try await town.run("transfer", "batch", path, "--json")
      #expect(completed.exitCode == 0 && value("created", in: completed.stdout) == "20")
      #expect(try await town.balance("main") == "90.00")
      // Finished: the file may change.
      try directory.write(text("", extra: extra), to: "without.csv")
      let cut = try await town.run(
        "transfer", "batch", path, "--chunk-size", "5", env: ["IRONFORGE_FAULT": "after-commit:1"])
      #expect(cut.exitCode == 128 + SIGKILL)
      try directory.write(header + extra, to: "without.csv")
      #expect(try await town.run("transfer", "batch", path).exitCode == 4)
      #expect(try await town.run("transfer", "batch", path, "--as-new-batch").exitCode == 0)
      #expect(try await town.run("transfer", "batch", path).exitCode == 0)
      #expect(try await town.balance("main") == "145.00")
    }
  }

  @Test(.enabled("mounting a tmpfs takes root") { geteuid() == 0 })
  func aFullDiskLosesNoMoneyAndARerunCompletes() async throws {
    let directory = try TemporaryDirectory("disk")
    let mount = try await Program(
      "/bin/mount", ["-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", directory.path]
    ).run()
    try #require(mount.exitCode == 0, "\(mount.stderr)")
    do {
      try await Self.fill(directory)
    } catch {
      _ = try await Program("/bin/umount", ["-l", directory.path]).run()
      throw error
    }
    #expect(try await Program("/bin/umount", ["-l", directory.path]).run().exitCode == 0)
  }

  private static func fill(_ disk: TemporaryDirectory) async throws {
    let directory = try TemporaryDirectory("batch")
    let rows = (1...2000).map { "k\($0),\(bank),\(main),1,USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "payouts.csv")
    let outcome = disk.file("outcome.csv")
    let filler = try disk.write(String(repeating: "x", count: 180_000), to: "filler")
    try await withTown { town in
      let failed = try await town.run(
        "transfer", "batch", file, "--outcome", outcome, "--chunk-size", "500", "--json")
      #expect(failed.exitCode == 1 && value("code", in: failed.stderr) == "output_failed", "\(failed)")
      #expect(failed.stderr.contains("cannot write \(outcome): No space left on device"))
      #expect(failed.stderr.contains("nothing is done twice") && failed.stdout == "")
      #expect(access(outcome, F_OK) != 0)
      let moved = try await town.balance("main")
      #expect(["1000.00", "1500.00", "2000.00"].contains(moved), "whole chunks: \(moved)")
      unlink(filler)
      let completed = try await town.run("transfer", "batch", file, "--outcome", outcome, "--json")
      #expect(completed.exitCode == 0 && value("created", in: completed.stdout) == "2000", "\(completed)")
      #expect(try CSVFile(outcome).rows.count == 2000)
      #expect(try await town.balance("main") == "2000.00")
    }
  }

  /// The answers to some COMMITs are lost: the keys tell, and the outcome is that of a quiet network.
  @Test func lostAnswersAreSettledInsideTheRun() async throws {
    let directory = try TemporaryDirectory("batch")
    let file = try directory.write(Self.rows, to: "payouts.csv")
    let outcome = directory.file("outcome.csv")
    let expected = try await Self.undisturbed(file, outcome, ["--chunk-size", "10"])
    try await withTown { town in
      let proxy = try Proxy(to: town.database.address)
      proxy.set(.loseReply(needle: [0] + Array("commit".utf8) + [0]))
      let result = try await town.run(
        "transfer", "batch", file, "--outcome", outcome, "--chunk-size", "10",
        url: proxy.url(database: town.database.name))
      #expect(result.exitCode == 3 && proxy.strikes > 0, "\(result)")
      #expect(try await Ending(town, outcome) == expected)
      try await Self.expectSound(town)
    }
  }

  /// Connections are terminated all the while: the batch goes on over new ones.
  @Test func aBatchOutlivesItsConnections() async throws {
    let directory = try TemporaryDirectory("batch")
    let rows = (1...1500).map { ",\(Self.bank),\(Self.main),\($0 % 7 + 1),USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "payouts.csv")
    try await withTown { town in
      async let running = town.run("transfer", "batch", file, "--chunk-size", "5", "--json")
      var terminated = 0
      for _ in 0..<12 {
        try await Task.sleep(for: .milliseconds(60))
        terminated += try await town.database.sql(
          """
          select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'ironforge' and datname = current_database()
          """
        ).count
      }
      let result = try await running
      #expect(result.exitCode == 0 && value("created", in: result.stdout) == "1500", "\(result)")
      #expect(terminated > 0)
      try await Self.expectSound(town)
    }
  }

  /// Somebody holds a wallet for longer than `lock_timeout`: a batch is more patient than a single transfer, and not
  /// for ever.
  @Test func aLockThatIsHeldIsWaitedForThreeTimes() async throws {
    let directory = try TemporaryDirectory("batch")
    let file = try directory.write("from,to,amount,currency\n\(Self.bank),\(Self.main),1,USD\n", to: "f.csv")
    let env = ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"]
    try await withTown { town in
      #expect(try await town.send("first").exitCode == 0)
      let lock = try Session(connecting: ConnectionString(town.database.url))
      try lock.simple("begin; select from assets for update")
      let given = try await town.run("transfer", "batch", file, "--json", env: env)
      #expect(given.exitCode == 75 && value("code", in: given.stderr) == "lock_timeout", "\(given)")
      async let patient = town.run("transfer", "batch", file, "--json", env: env)
      try await Task.sleep(for: .milliseconds(1500))
      try lock.simple("rollback")
      let done = try await patient
      #expect(done.exitCode == 0 && value("created", in: done.stdout) == "1", "\(done)")
      #expect(try await town.balance("main") == "2.00")
    }
  }

  @Test func aSignalEndsItBetweenTwoChunks() async throws {
    let directory = try TemporaryDirectory("batch")
    let rows = (1...4000).map { _ in ",\(Self.bank),\(Self.main),1,USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "payouts.csv")
    let outcome = directory.file("outcome.csv")
    let words = ["transfer", "batch", file, "--outcome", outcome, "--chunk-size", "2", "--json"]
    try await withTown { town in
      for (signal, code) in [(SIGTERM, 143 as Int32), (SIGINT, 130)] {
        let running = try await Ironforge.start(words, env: ["IRONFORGE_DATABASE_URL": town.database.url])
        let before = try await Self.count(town)
        let deadline = Deadline.after(.seconds(30))
        while try await Self.count(town) < before + 20, !deadline.hasPassed {
          try await Task.sleep(for: .milliseconds(5))
        }
        try running.signal(signal)
        let result = try await running.finish()
        #expect(result.exitCode == code && result.stdout == "", "\(result)")
        #expect(
          result.stderr.contains("of the 4000 rows") && result.stderr.contains("run the same command again"))
        #expect(access(outcome, F_OK) != 0)
        #expect(try await Self.count(town) % 2 == 0)
      }
      let completed = try await town.run("transfer", "batch", file, "--outcome", outcome, "--json")
      #expect(completed.exitCode == 0 && value("created", in: completed.stdout) == "4000")
      #expect(try await town.balance("main") == "4000.00")
    }
  }

  private static func count(_ town: Town) async throws -> Int {
    Int(try await town.database.sql("select count(*) from transfers").first?.first ?? "") ?? 0
  }

  /// Random batches, killed again and again wherever it may be, end as one that nothing disturbed.
  @Test(.timeLimit(.minutes(3)), arguments: seeds(fresh: 2))
  func aRandomBatchThatIsKilledOftenIsOneRun(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let generated = GeneratedBatch(seed: seed, count: 200)
    let (codes, _) = generated.plain()
    let directory = try TemporaryDirectory("batch")
    let file = try directory.write(generated.csv, to: "batch.csv")
    let outcome = directory.file("outcome.csv")
    let expected = try await withDatabase(template: .migrated) { database in
      try await generated.found(database)
      let result = try await Ironforge.run(
        ["transfer", "batch", file, "--outcome", outcome], env: ["IRONFORGE_DATABASE_URL": database.url])
      let told = try CSVFile(outcome).column("code")
      #expect(result.exitCode == 3 && generated.differences(told, codes) == [], "seed \(seed)")
      return try await GeneratedBatch.holdings(database)
    }
    unlink(outcome)
    try await withDatabase(template: .migrated) { database in
      try await generated.found(database)
      let points = [
        "after-locks", "after-inserts", "commit-sent", "after-commit", "before-outcome", "mid-outcome",
      ]
      for round in 0..<8 {
        let point = points.randomElement(using: &random) ?? "after-commit"
        let size = Int.random(in: 5...40, using: &random)
        let result = try await Ironforge.run(
          ["transfer", "batch", file, "--outcome", outcome, "--chunk-size", "\(size)"],
          env: ["IRONFORGE_DATABASE_URL": database.url, "IRONFORGE_FAULT": "\(point):\(round / 2 + 1)"])
        if result.exitCode != 128 + SIGKILL { break }
      }
      if access(outcome, F_OK) != 0 {
        let last = try await Ironforge.run(
          ["transfer", "batch", file, "--outcome", outcome], env: ["IRONFORGE_DATABASE_URL": database.url])
        #expect([0, 3].contains(last.exitCode), "\(last)")
      }
      let told = try CSVFile(outcome).column("code")
      #expect(generated.differences(told, codes) == [], "seed \(seed)")
      #expect(try await GeneratedBatch.holdings(database) == expected, "seed \(seed)")
    }
  }
}
