import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

@Suite struct CommitFaultTests {
  /// As a `Parse` message carries it; `read committed` of a BEGIN does not look like it.
  private static let commit: [UInt8] = [0] + Array("commit".utf8) + [0]

  /// The server did the work, and the answer was lost: the key tells, over a new connection.
  @Test func aLostReplyToCommitIsSettledByTheKey() async throws {
    try await withTown { town in
      let proxy = try Proxy(to: town.database.address)
      for round in 1...3 {
        proxy.set(.loseReply(needle: Self.commit))
        let sent = try await town.send("k\(round)", url: proxy.url(database: town.database.name))
        #expect(sent.exitCode == 0 && sent.stderr == "", "\(sent)")
        #expect(value("code", in: sent.stdout) == "created" && value("replayed", in: sent.stdout) == "false")
        #expect(proxy.strikes == round)
      }
      #expect(try await town.balance("main") == "3.00")
      try await Self.expectSound(town)
    }
  }

  /// COMMIT never arrived: the server rolls back, and the next attempt does the work.
  @Test func aCommitThatNeverArrivesIsSentAgain() async throws {
    try await withTown { town in
      let proxy = try Proxy(to: town.database.address)
      proxy.set(.loseRequest(needle: Self.commit))
      let sent = try await town.send("k", url: proxy.url(database: town.database.name))
      #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
      #expect(proxy.strikes == 1)
      #expect(try await town.balance("main") == "1.00")
      try await Self.expectSound(town)
    }
  }

  /// After the loss nobody can be asked: the outcome is unknown, and `resolve` settles it as soon as somebody can.
  @Test(arguments: [true, false])
  func withoutANewConnectionTheOutcomeIsUnknown(replyIsLost: Bool) async throws {
    try await withTown { town in
      #expect(try await town.send("first").exitCode == 0)
      let proxy = try Proxy(to: town.database.address)
      proxy.set(replyIsLost ? .loseReply(needle: Self.commit) : .loseRequest(needle: Self.commit))
      // The transfer waits for the lock until the proxy takes no further connection.
      let lock = try Session(connecting: ConnectionString(town.database.url))
      try lock.simple("begin; select from assets for update")
      async let sending = town.send(
        "k", url: proxy.url(database: town.database.name), env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "60"]
      )
      try await waitForWaiters(1, town)
      proxy.accept(false)
      try lock.simple("rollback")
      lock.close()
      let sent = try await sending
      #expect(sent.exitCode == 5 && value("code", in: sent.stderr) == "outcome_unknown", "\(sent)")
      #expect(sent.stderr.contains("ironforge transfer resolve k") && sent.stdout == "")
      #expect(proxy.strikes == 1)

      let resolved = try await town.run("transfer", "resolve", "k", "--json")
      #expect(value("outcome", in: resolved.stdout) == (replyIsLost ? "committed" : "absent"))
      #expect(try await town.balance("main") == (replyIsLost ? "2.00" : "1.00"))
      let again = try await town.send("k")
      #expect(value("code", in: again.stdout) == (replyIsLost ? "exists" : "created"))
      #expect(try await town.balance("main") == "2.00")
      try await Self.expectSound(town)
    }
  }

  /// Eight processes at once, with assets that exist already and with ones that the first has to make.
  @Test(arguments: [true, false])
  func oneKeyFromEightProcessesMovesTheMoneyOnce(hasAssets: Bool) async throws {
    try await withTown { town in
      if hasAssets { #expect(try await town.send("first", "1").exitCode == 0) }
      let results = try await withThrowingTaskGroup(of: ProgramResult.self) { group in
        for _ in 0..<8 { group.addTask { try await town.send("same", "5") } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.allSatisfy { $0.exitCode == 0 && $0.stderr == "" }, "\(results)")
      #expect(Set(results.map { value("transfer_id", in: $0.stdout) }).count == 1)
      #expect(results.filter { value("code", in: $0.stdout) == "created" }.count == 1)
      #expect(results.filter { value("code", in: $0.stdout) == "exists" }.count == 7)
      #expect(try await town.balance("main") == (hasAssets ? "6.00" : "5.00"))
      try await Self.expectSound(town)
    }
  }

  /// `kill -9` of the command, then the same command again.
  @Test(arguments: ["before-begin", "after-locks", "after-inserts", "commit-sent", "after-commit"])
  func aKilledCommandMayBeRunAgain(point: String) async throws {
    try await withTown { town in
      let killed = try await town.send("k", env: ["IRONFORGE_FAULT": point])
      #expect(killed.exitCode == 128 + SIGKILL && killed.stdout == "", "debug builds know \(point)")
      let again = try await town.send("k")
      #expect(again.exitCode == 0 && again.stderr == "", "\(again)")
      let code = value("code", in: again.stdout)
      switch point {
      case "after-commit": #expect(code == "exists")
      case "commit-sent": #expect(code == "exists" || code == "created")
      default: #expect(code == "created")
      }
      #expect(try await town.balance("main") == "1.00")
      try await Self.expectSound(town)
    }
  }

  private static func expectSound(_ town: Town) async throws {
    let verified = try await town.run("ledger", "verify", "--json")
    #expect(verified.exitCode == 0, "\(verified.stdout)")
  }
}

/// Waits until exactly `count` sessions of the town wait for a lock.
func waitForWaiters(_ count: Int, _ town: Town) async throws {
  let deadline = Deadline.after(.seconds(40))
  let waiting =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
  while try await town.database.sql(waiting) != [["\(count)"]] {
    guard !deadline.hasPassed else { throw TestFailure("never did \(count) sessions wait for a lock") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
