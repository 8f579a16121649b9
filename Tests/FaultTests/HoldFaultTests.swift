import Postgres
import TestSupport
import Testing

/// Captures, voids and reversals whose answer is lost, or whose process dies, and that are sent again.
@Suite struct HoldFaultTests {
  private static let commit: [UInt8] = [0] + Array("commit".utf8) + [0]

  /// What is sent, and what the two wallets hold afterwards.
  struct Sequel: Sendable, CustomTestStringConvertible {
    let words: [String]
    let main: String
    let savings: String
    var testDescription: String { words[0] }

    static let all = [
      Sequel(words: ["capture", "h", "--amount", "30"], main: "70.00", savings: "30.00"),
      Sequel(words: ["void", "h"], main: "100.00", savings: "0.00"),
      Sequel(words: ["reverse", "fund", "--amount", "60"], main: "40.00", savings: "0.00"),
    ]
  }

  private func prepare(_ town: Town) async throws {
    _ = try await town.send("fund", "100")
    let held = try await town.run(
      "transfer", "hold", "--from", "ada@example.com/main", "--to", "ada@example.com/savings", "--amount",
      "40",
      "--currency", "USD", "--key", "h")
    #expect(held.exitCode == 0, "\(held)")
  }

  private func expectDone(_ sequel: Sequel, _ town: Town) async throws {
    #expect(try await town.balance("main") == sequel.main)
    #expect(try await town.balance("savings") == sequel.savings)
    let verified = try await town.run("ledger", "verify", "--json")
    #expect(verified.exitCode == 0, "\(verified)")
  }

  /// The first process did it; over a new connection it recognises its own work, which is no replay.
  @Test(arguments: Sequel.all) func aLostReplyToCommitIsSettledByTheKey(sequel: Sequel) async throws {
    try await withTown { town in
      try await prepare(town)
      let proxy = try Proxy(to: town.database.address)
      proxy.set(.loseReply(needle: Self.commit))
      let words = ["transfer"] + sequel.words + ["--key", "k", "--json"]
      let sent = try await town.run(words, url: proxy.url(database: town.database.name))
      #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
      #expect(value("replayed", in: sent.stdout) == "false" && proxy.strikes == 1)
      try await expectDone(sequel, town)
    }
  }

  @Test(arguments: ["before-begin", "after-locks", "after-inserts", "commit-sent", "after-commit"])
  func aKilledProcessIsRepeatedWithoutHarm(point: String) async throws {
    for sequel in Sequel.all {
      try await withTown { town in
        try await prepare(town)
        let words = ["transfer"] + sequel.words + ["--key", "k", "--json"]
        let killed = try await town.run(words, env: ["IRONFORGE_FAULT": point])
        #expect(killed.exitCode != 0 && killed.stdout == "", "\(killed)")
        let again = try await town.run(words)
        let code = value("code", in: again.stdout)
        #expect(again.exitCode == 0 && (code == "created" || code == "exists"), "\(again)")
        if point == "after-commit" { #expect(code == "exists") }
        if point == "after-inserts" { #expect(code == "created") }
        try await expectDone(sequel, town)
      }
    }
  }
}
