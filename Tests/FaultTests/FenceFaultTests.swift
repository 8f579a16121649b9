import Glibc
import Postgres
import TestSupport
import Testing

/// Writers that die between their fence and their acknowledgement, and lost answers.
@Suite struct FenceFaultTests {
  private static let commit: [UInt8] = [0] + Array("commit".utf8) + [0]

  /// Killed at any place, then sent again: the money moves once, and the cache holds nothing old.
  @Test(arguments: ["after-locks", "fence-sent", "fenced", "commit-sent", "after-commit"])
  func aKilledWriterLeavesNothingStale(point: String) async throws {
    try await withCachedTown { cached in
      let planted = try await cached.plant()
      let killed = try await cached.run(
        CachedTown.sending("k"), redis: cached.redis.url, env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      if point == "after-locks" {
        #expect(try await cached.fenced(since: planted) == [])
      } else {
        // Before COMMIT is sent the fence stands, whatever becomes of the writer.
        #expect(try await cached.fenced(since: planted) == ["bank", "main"])
      }
      let again = try await cached.run(CachedTown.sending("k"), redis: cached.redis.url)
      let code = value("code", in: again.stdout)
      #expect(again.exitCode == 0 && (code == "created" || code == "exists"), "\(again)")
      if ["fence-sent", "fenced"].contains(point) { #expect(code == "created") }
      #expect(try await cached.fenced(since: planted) == ["bank", "main"])
      #expect(try await cached.town.balance("main") == "1.00")
      #expect(try await cached.outbox() == [])
    }
  }

  /// Redis is away and the writer dies: its note is in the outbox exactly when its money has moved.
  @Test(arguments: ["fenced", "commit-sent", "after-commit"])
  func aNoteSharesTheFateOfItsTransaction(point: String) async throws {
    try await withCachedTown { cached in
      let killed = try await cached.run(
        CachedTown.sending("k"), redis: "unix:///nonexistent", env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      try await waitUntil("the backend has ended") {
        try await cached.town.database.sql(
          "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'ironforge'"
        )
          == [["0"]]
      }
      let rows = try await cached.town.database.sql(
        "select (select count(*) from transfers where key = 'k'), (select count(*) from ironforge.cache_outbox)"
      )
      #expect(rows == [["0", "0"]] || rows == [["1", "1"]], "\(rows)")
      if point == "fenced" { #expect(rows == [["0", "0"]]) }
      if point == "after-commit" { #expect(rows == [["1", "1"]]) }
    }
  }

  /// Each chunk is killed in turn, and the batch run again until it is done.
  @Test(arguments: ["fence-sent:3", "fenced:2", "after-commit:2"])
  func aKilledBatchIsTakenUpAgain(point: String) async throws {
    try await withCachedTown { cached in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...20).map { "ada@example.com/bank,ada@example.com/main,1,USD,row \($0)" }
      let file = try directory.write(
        "from,to,amount,currency,memo\n" + rows.joined(separator: "\n") + "\n", to: "rows.csv")
      let words = ["transfer", "batch", file, "--chunk-size", "7", "--json"]
      let planted = try await cached.plant()
      let killed = try await cached.run(
        words, redis: cached.redis.url, env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL, "\(killed)")
      let again = try await cached.run(words, redis: cached.redis.url)
      #expect(again.exitCode == 0 && value("created", in: again.stdout) == "20", "\(again)")
      #expect(try await cached.town.balance("main") == "20.00")
      #expect(try await cached.fenced(since: planted) == ["bank", "main"])
      #expect(try await cached.outbox() == [])
    }
  }

  /// The answer to COMMIT is lost, and found by the key; the fences of both attempts stand.
  @Test(arguments: [true, false]) func aLostAnswerToCommitIsSettled(replyIsLost: Bool) async throws {
    try await withCachedTown { cached in
      let proxy = try Proxy(to: cached.town.database.address)
      proxy.set(replyIsLost ? .loseReply(needle: Self.commit) : .loseRequest(needle: Self.commit))
      let planted = try await cached.plant()
      let sent = try await cached.run(
        CachedTown.sending("k"), redis: cached.redis.url,
        database: proxy.url(database: cached.town.database.name))
      #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
      #expect(sent.stderr == "" && proxy.strikes == 1)
      #expect(try await cached.fenced(since: planted) == ["bank", "main"])
      #expect(try await cached.outbox() == [])
    }
  }

  /// The same with Redis away: the note is there once, or once for each attempt that may have committed, and is drained.
  @Test func aLostAnswerWithRedisAwayIsNoted() async throws {
    try await withCachedTown { cached in
      let proxy = try Proxy(to: cached.town.database.address)
      proxy.set(.loseReply(needle: Self.commit))
      let planted = try await cached.plant()
      let sent = try await cached.run(
        CachedTown.sending("k"), redis: "unix:///nonexistent",
        database: proxy.url(database: cached.town.database.name))
      #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
      #expect(proxy.strikes == 1)
      #expect(try await cached.outbox() == ["bank", "main"])
      let next = try await cached.run("wallet", "freeze", "ada@example.com/savings")
      #expect(next.exitCode == 0, "\(next)")
      #expect(try await cached.outbox() == [])
      #expect(try await cached.fenced(since: planted) == ["bank", "main", "savings"])
    }
  }

  /// Writers that lose a deadlock or a race begin again, each time with a number of their own.
  @Test func aStormOfWritersFencesAll() async throws {
    try await withCachedTown { cached in
      _ = try await cached.town.send("fund", "100")
      _ = try await cached.town.send("fund2", to: "ada@example.com/savings", "100")
      let planted = try await cached.plant()
      try await withThrowingTaskGroup(of: ProgramResult.self) { group in
        for number in 0..<16 {
          let (from, to) = number % 2 == 0 ? ("main", "savings") : ("savings", "main")
          group.addTask {
            try await cached.run(
              CachedTown.sending("k\(number / 2 * 2)", from: from, to: to), redis: cached.redis.url)
          }
        }
        for try await result in group {
          // Two requests share a key, and differ.
          #expect(result.exitCode == 0 || result.exitCode == 4, "\(result)")
          #expect(!result.stderr.contains("warning"), "\(result)")
        }
      }
      #expect(try await cached.fenced(since: planted) == ["main", "savings"])
      #expect(try await cached.outbox() == [])
    }
  }
}
