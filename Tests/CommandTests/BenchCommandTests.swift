import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// The `bench` commands as they are run.
@Suite(.timeLimit(.minutes(5))) struct BenchCommandTests {
  /// Nothing is missed.
  private static let easy = [
    "IRONFORGE_TARGETS_P50_MS": "3600000", "IRONFORGE_TARGETS_P95_MS": "3600000",
    "IRONFORGE_TARGETS_P99_MS": "3600000", "IRONFORGE_TARGETS_REQUESTS_PER_SECOND": "0",
    "IRONFORGE_TARGETS_ERROR_RATE": "1", "IRONFORGE_TARGETS_AVAILABILITY": "0",
  ]

  private static func number(_ key: String, _ json: String) throws -> Int {
    try #require(value(key, in: json).flatMap { Int($0) }, "\(key) in \(json)")
  }

  @Test func readsAreMeasuredPrintedAndWritten() async throws {
    let directory = try TemporaryDirectory("bench-read")
    try await withCachedTown { town in
      let (log, page) = (directory.file("run.hlog"), directory.file("run.html"))
      let result = try await town.run(
        "bench", "read", "--duration", "1s", "--warmup", "0s", "--connections", "2", "--hdr", log, "--html",
        page,
        "--json", env: Self.easy)
      #expect(result.exitCode == 0, "\(result)")
      let requests = try Self.number("requests", result.stdout)
      #expect(requests > 0)
      #expect(
        Array(keys(result.stdout).prefix(7)) == [
          "requests", "errors", "errors_by_code", "not_sent", "duration_seconds", "requests_per_second",
          "error_rate",
        ])
      // The three wallets' reads are the only traffic of this database.
      #expect(try Self.number("commits", result.stdout) > 0)
      #expect(try Self.number("deadlocks", result.stdout) == 0)
      let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
      // The format's first four bytes, and a length below 64 kB: a fast machine has more than one kB to tell.
      #expect(lines.count >= 6 && lines[5].contains(",HISTFAAA"))
      let html = try String(contentsOfFile: page, encoding: .utf8)
      for part in [
        "<h2>Targets</h2>", "Latency by percentile", "Second by second", "PostgreSQL", "closed loop",
      ] {
        #expect(html.contains(part), "\(part)")
      }
      #expect(!html.contains("<script") && !html.contains("NaN") && !html.contains("inf"))
    }
  }

  @Test func readsThroughTheCacheSayWhichTierAnswered() async throws {
    try await withCachedTown { town in
      let words = ["bench", "cache", "--duration", "1s", "--warmup", "0s", "--connections", "2", "--json"]
      let both = try await town.town.run(
        words, env: Self.easy.merging(["IRONFORGE_REDIS_URL": town.redis.url]) { $1 })
      #expect(both.exitCode == 0, "\(both)")
      #expect(both.stdout.contains(#""tiers":{"l1":{"hits":"#))
      let without = try await town.town.run(
        words + ["--l1", "off", "--skew", "zipf"],
        env: Self.easy.merging(["IRONFORGE_REDIS_URL": town.redis.url]) { $1 })
      #expect(without.exitCode == 0, "\(without)")
      #expect(without.stdout.contains(#""l1":{"hits":0,"hit_ratio":0.0}"#), "\(without)")
      let requests = try Self.number("requests", without.stdout)
      let tail = try #require(without.stdout.firstRange(of: #""l2":"#)).lowerBound
      let l2 = try Self.number("hits", String(without.stdout[tail...]))
      #expect(l2 + (try Self.number("reads", without.stdout)) == requests)
      #expect(l2 > 0)
    }
  }

  @Test func stagesSendWhatTheySay() async throws {
    try await withCachedTown { town in
      let result = try await town.run(
        "bench", "transfer", "--wallets", "10", "--connections", "2", "--stages", "500ms:20,500ms:40",
        "--json",
        env: Self.easy)
      #expect(result.exitCode == 0, "\(result)")
      #expect(try Self.number("requests", result.stdout) == 30)
      #expect(result.stdout.contains(#""stages":[{"seconds":0.5,"rate":20.0,"requests":10,"#), "\(result)")
      let text = try await town.run(
        "bench", "transfer", "--wallets", "10", "--connections", "2", "--stages", "500ms:20,500ms:40",
        "--warmup", "0s", env: Self.easy)
      #expect(text.stdout.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text)")
      #expect(text.stdout.contains("STAGE"))
      #expect(try await town.run("ledger", "verify").exitCode == 0)
    }
  }

  @Test func aMissedTargetIs99() async throws {
    try await withCachedTown { town in
      var targets = Self.easy
      targets["IRONFORGE_TARGETS_REQUESTS_PER_SECOND"] = "1000000000"
      let result = try await town.run(
        "bench", "read", "--duration", "200ms", "--warmup", "0s", "--connections", "1", env: targets)
      #expect(result.exitCode == 99, "\(result)")
      #expect(result.stdout.contains("MISSED"))
    }
  }

  @Test(arguments: [
    (["--stages", "30s"], "is no stage"), (["--stages", "30s:100,"], "is no stage"),
    (["--stages", "0s:100"], "is no stage"), (["--stages", "1s:0"], "is no stage"),
    (["--stages", "1s:inf"], "is no stage"), (["--stages", "1s:1e9"], "is no stage"),
    (["--stages", "1s:5", "--rate", "3"], "leave out --rate"),
    (["--stages", "1s:5", "--duration", "3s"], "leave out --rate"), (["--stages", "20d:1,20d:1"], "30d"),
    (["--rate", "0"], "--rate"), (["--rate", "nan"], "--rate"), (["--connections", "0"], "--connections"),
    (["--duration", "0s"], "--duration"), (["--wallets", "0"], "--wallets"), (["--skew", "none"], "skew"),
    (["--hdr", "one.out", "--html", "one.out"], "same file"),
  ])
  func wrongOptionsAreRefused(words: [String], message: String) async throws {
    let result = try await Ironforge.run(["bench", "read"] + words)
    #expect(result.exitCode == 64 && result.stderr.contains(message), "\(result)")
  }

  @Test func aFileThatCannotBeWrittenIsFoundBeforeThereIsLoad() async throws {
    try await withCachedTown { town in
      let before = try await town.town.contents()
      for option in ["--hdr", "--html"] {
        let result = try await town.run(
          "bench", "transfer", "--duration", "1s", option, "/nonexistent/run.out", "--json")
        #expect(result.exitCode == 1 && value("code", in: result.stderr) == "output_failed", "\(result)")
      }
      #expect(try await town.town.contents() == before)
    }
  }

  @Test func aDatabaseWithoutWalletsIsRefused() async throws {
    try await withDatabase(template: .migrated) { database in
      let result = try await Ironforge.run(
        ["bench", "read", "--json"], env: ["IRONFORGE_DATABASE_URL": database.url])
      #expect(result.exitCode == 4 && value("code", in: result.stderr) == "no_wallets", "\(result)")
      #expect(result.stderr.contains("fixtures generate"))
    }
  }

  @Test func aServerThatIsAwayIs69() async throws {
    let directory = try TemporaryDirectory("bench-away")
    let result = try await Ironforge.run(
      ["bench", "read", "--html", directory.file("run.html"), "--json"],
      env: ["IRONFORGE_DATABASE_URL": "postgresql:///ironforge?host=\(directory.path)&user=ironforge"])
    #expect(result.exitCode == 69, "\(result)")
    #expect(access(directory.file("run.html"), F_OK) != 0)
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func aSignalEndsTheRunWithItsReport(signal: Int32, exitCode: Int32) async throws {
    let directory = try TemporaryDirectory("bench-signal")
    try await withCachedTown { town in
      let page = directory.file("run.html")
      let running = try await town.start(
        "bench", "read", "--duration", "5m", "--warmup", "0s", "--rate", "50", "--connections", "2", "--html",
        page,
        "--json")
      // Its sessions are there when it runs.
      for _ in 0..<300 {
        let sessions = try await town.database.sql(
          "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'ironforge%'"
        )
        if sessions == [["3"]] { break }
        try await Task.sleep(for: .milliseconds(100))
      }
      try await Task.sleep(for: .seconds(2))
      try running.signal(signal)
      let result = try await running.finish()
      #expect(result.exitCode == exitCode, "\(result)")
      #expect(try Self.number("requests", result.stdout) > 0)
      #expect(access(page, F_OK) == 0)
    }
  }

  @Test func anOrdinaryRoleIsEnoughToRead() async throws {
    try await withCachedTown { town in
      let role = "reader_\(town.database.name)"
      try await town.database.sql(
        "create role \(role) login; grant select on all tables in schema public to \(role)")
      let url = town.database.url.replacing("user=ironforge", with: "user=\(role)")
      let result = try await town.run(
        "bench", "read", "--duration", "1s", "--warmup", "0s", "--connections", "2", "--json", url: url,
        env: Self.easy)
      try await town.database.sql("drop owned by \(role); drop role \(role)")
      #expect(url.contains(role))
      #expect(result.exitCode == 0, "\(result)")
      #expect(try Self.number("commits", result.stdout) > 0)
    }
  }
}
