import Glibc
import Redis
import TestSupport
import Testing

/// Every write fences what it changes, and nothing else.
@Suite struct FencedWriteTests {
  /// A write, and the cached rows that it changes.
  struct Write: Sendable, CustomTestStringConvertible {
    let name: String
    let words: [String]
    let changes: Set<String>
    var exitCode: Int32 = 0
    var testDescription: String { name }

    private static let main = "ada@example.com/main"
    private static let savings = "ada@example.com/savings"

    static let all = [
      Write(name: "transfer", words: CachedTown.sending("k"), changes: ["bank", "main"]),
      Write(
        name: "transfer into an empty wallet", words: CachedTown.sending("k", to: "empty"),
        changes: ["bank", "empty"]),
      Write(
        name: "recorded refusal", words: CachedTown.sending("k", from: "main", to: "savings", "1e3"),
        changes: [], exitCode: 4),
      Write(
        name: "insufficient funds", words: CachedTown.sending("k", from: "main", to: "savings", "1000"),
        changes: [], exitCode: 4),
      Write(name: "replay", words: CachedTown.sending("fund", "100"), changes: []),
      Write(
        name: "hold",
        words: [
          "transfer", "hold", "--from", main, "--to", savings, "--amount", "1", "--currency", "USD",
        ], changes: ["main", "savings"]),
      Write(name: "capture", words: ["transfer", "capture", "h"], changes: ["main", "savings"]),
      Write(name: "void", words: ["transfer", "void", "h"], changes: ["main"]),
      Write(
        name: "reverse", words: ["transfer", "reverse", "fund", "--amount", "1"], changes: ["bank", "main"]),
      Write(name: "rename", words: ["wallet", "rename", main, "daily"], changes: ["main"]),
      Write(
        name: "rename that is refused", words: ["wallet", "rename", main, "savings"], changes: [], exitCode: 4
      ),
      Write(name: "freeze", words: ["wallet", "freeze", main], changes: ["main"]),
      Write(name: "unfreeze", words: ["wallet", "unfreeze", "ada@example.com/cold"], changes: ["cold"]),
      Write(name: "close", words: ["wallet", "close", "ada@example.com/empty"], changes: ["empty"]),
      Write(
        name: "close that is refused", words: ["wallet", "close", main], changes: [], exitCode: 4),
      Write(
        name: "settle-pending", words: ["job", "run", "settle-pending"], changes: ["main", "savings"]),
      Write(name: "expire-holds", words: ["job", "run", "expire-holds"], changes: ["main"]),
      Write(
        name: "batch", words: ["transfer", "batch", "rows.csv"], changes: ["bank", "main", "savings"],
        exitCode: 3),
      Write(
        name: "batch, a row a chunk", words: ["transfer", "batch", "rows.csv", "--chunk-size", "1"],
        changes: ["bank", "main", "savings"], exitCode: 3),
      Write(
        name: "atomic batch",
        words: ["transfer", "batch", "good.csv", "--atomic", "--chunk-size", "1"],
        changes: ["bank", "main", "savings"]),
      // Its fences are raised as it goes, and nobody needs them in the end.
      Write(
        name: "atomic batch that is refused", words: ["transfer", "batch", "rows.csv", "--atomic"],
        changes: ["bank", "main", "savings"], exitCode: 4),
      Write(
        name: "dry run", words: CachedTown.sending("k") + ["--dry-run"], changes: []),
    ]
  }

  /// Money, a hold `h`, one that has expired, a frozen and an empty wallet.
  private static let template = DatabaseTemplate("town_of_writes") { database in
    try await DatabaseTemplate.town.build(database)
    let town = Town(database: database)
    let words: [[String]] = [
      CachedTown.sending("fund", "100"),
      ["wallet", "create", "--user", "ada@example.com", "--name", "cold"],
      ["wallet", "create", "--user", "ada@example.com", "--name", "empty"],
      ["wallet", "freeze", "ada@example.com/cold"],
      hold("h", []), hold("late", ["--expires", "1s"]),
    ]
    for words in words {
      let made = try await town.run(words)
      guard made.exitCode == 0 else { throw TestFailure("\(made)") }
    }
    try await town.database.sql(
      "select pg_sleep(greatest(0, extract(epoch from max(expires_at) - now()))) from transfers")
  }

  private static func hold(_ key: String, _ more: [String]) -> [String] {
    [
      "transfer", "hold", "--from", "ada@example.com/main", "--to", "ada@example.com/savings", "--amount",
      "1",
      "--currency", "USD", "--key", key,
    ] + more
  }

  private static func files() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory("rows")
    let good = """
      key,from,to,amount,currency
      a,ada@example.com/bank,ada@example.com/main,5,USD
      b,ada@example.com/main,ada@example.com/savings,1,USD
      c,ada@example.com/bank,ada@example.com/main,5,USD

      """
    _ = try directory.write(good, to: "good.csv")
    _ = try directory.write(
      good + "d,ada@example.com/empty,ada@example.com/main,5,USD\n", to: "rows.csv")
    return directory
  }

  @Test func everyWriteFencesWhatItChanges() async throws {
    let directory = try Self.files()
    try await withRedis { redis in
      for write in Write.all {
        try await withDatabase(template: Self.template) { database in
          let cached = CachedTown(town: Town(database: database), redis: redis)
          let planted = try await cached.plant()
          let words = write.words.map { $0.hasSuffix(".csv") ? directory.file($0) : $0 }
          let result = try await cached.run(words, redis: redis.url)
          #expect(result.exitCode == write.exitCode, "\(write.name): \(result)")
          #expect(!result.stderr.contains("warning: the cache"), "\(write.name): \(result)")
          #expect(try await cached.fenced(since: planted) == write.changes, "\(write.name)")
          #expect(try await cached.outbox() == [], "\(write.name)")
          try await cached.expectSound(write.name)
        }
      }
    }
  }

  /// Without a Redis there is no cache: no fence, and no outbox either.
  @Test func withoutRedisNothingIsNoted() async throws {
    try await withTown { town in
      let sent = try await town.send("k")
      let noted = try await town.database.sql("select count(*) from ironforge.cache_outbox")
      #expect(sent.exitCode == 0 && noted == [["0"]], "\(sent)")
    }
  }

  /// What was asked for before it existed may be remembered as absent.
  @Test func creationForgetsAnAbsence() async throws {
    try await withCachedTown { cached in
      let user = "01939bb7-9d52-7000-8000-000000000001"
      let wallet = "01939bb7-9d52-7000-8000-000000000002"
      let directory = try TemporaryDirectory("fixtures")
      _ = try directory.write("email,id\nbob@example.com,\(user)\n", to: "users.csv")
      _ = try directory.write("user,name,id\nbob@example.com,pocket,\(wallet)\n", to: "wallets.csv")
      _ = try directory.write(
        "key,from,to,amount,currency\nf,ada@example.com/bank,bob@example.com/pocket,1,USD\n",
        to: "transfers.csv"
      )
      let planted = try await cached.plant()
      try await cached.ask { session in
        for key in ["user:\(user)", "wallet:\(wallet)"] { try session.execute("SET", .text(key), "null") }
      }
      let loaded = try await cached.run("fixtures", "load", directory.path, "--json")
      #expect(loaded.exitCode == 0, "\(loaded)")
      #expect(try await cached.fenced(since: planted) == ["bank"])
      let left = try await cached.ask { session in
        try session.execute("EXISTS", .text("user:\(user)"), .text("wallet:\(wallet)")).integer()
      }
      #expect(left == 0)
      // Ids that the command makes are told by the rows.
      for words in [
        ["user", "create", "--email", "eve@example.com"],
        ["wallet", "create", "--user", "ada@example.com", "--name", "new"],
      ] {
        let made = try await cached.run(words + ["--json"], redis: cached.redis.url)
        let id = try #require(value("id", in: made.stdout))
        let key = "\(words[0]):\(id)"
        let fences = try await cached.ask { session in
          try session.execute("HKEYS", .text("fence:{\(key)}")).array()?.count
        }
        #expect(made.exitCode == 0 && fences == 1, "\(made)")
      }
    }
  }

  @Test func fencesAreRaisedBehindAPooler() async throws {
    try await withCachedTown { cached in
      try await withPooler(cached.town.database) { url in
        let planted = try await cached.plant()
        for round in 1...2 {
          let sent = try await cached.run(
            CachedTown.sending("k\(round)"), redis: cached.redis.url, database: url)
          #expect(sent.exitCode == 0 && sent.stderr == "", "\(sent)")
        }
        #expect(try await cached.fenced(since: planted) == ["bank", "main"])
        // The outbox, too.
        let missed = try await cached.run(
          CachedTown.sending("k3"), redis: "unix:///nonexistent", database: url)
        #expect(missed.exitCode == 0 && missed.stderr.contains("outbox"), "\(missed)")
        #expect(try await cached.outbox() == ["bank", "main"])
        let drained = try await cached.run(
          CachedTown.sending("k4"), redis: cached.redis.url, database: url)
        #expect(drained.exitCode == 0 && drained.stderr == "", "\(drained)")
        #expect(try await cached.outbox() == [])
      }
    }
  }

  /// The fence is raised while PostgreSQL works on the writes; what Redis loses before the COMMIT is raised again after it.
  @Test func aFenceThatIsLostBeforeTheCommitIsRaisedAnew() async throws {
    try await withCachedTown { cached in
      let lock = try TransfersLock(cached.town)
      let planted = try await cached.plant()
      async let sending = cached.run(
        CachedTown.sending("k"), redis: cached.redis.url,
        env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "60"])
      try await waitForWaiters(1, cached.town)
      try await waitUntil("the fence is raised") {
        try await cached.fenced(since: planted) == ["bank", "main"]
      }
      // Restarted without a dump. Then somebody fills what is not committed yet, before a reader has established anew that
      // history was lost.
      try await cached.redis.stop()
      try await cached.redis.start()
      let again = try await cached.plant()
      lock.release()
      let sent = try await sending
      #expect(sent.exitCode == 0 && sent.stderr == "", "\(sent)")
      #expect(try await cached.fenced(since: Planted(again, from: planted)) == ["bank", "main"])
    }
  }

  typealias Planted = CachedTown.Planted
}

extension CachedTown.Planted {
  /// The later one, for a transaction that began before it.
  init(_ later: Self, from earlier: Self) {
    self.init(names: later.names, transaction: earlier.transaction)
  }
}

/// Waits until a condition is true.
func waitUntil(
  _ what: String, isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
  for _ in 1...2000 {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  throw TestFailure("never: \(what)")
}
