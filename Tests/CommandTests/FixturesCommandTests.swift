import Glibc
import TestSupport
import Testing

@Suite struct FixturesCommandTests {
  private func run(_ arguments: [String], _ database: TestDatabase) async throws -> ProgramResult {
    try await Ironforge.run(arguments + ["--database-url", database.url])
  }

  @Test func theRepositorysFixturesLoadVerifyAndLoadAgain() async throws {
    try await withDatabase(template: .migrated) { database in
      let first = try await run(["fixtures", "load", "--json"], database)
      #expect(first.exitCode == 0, "\(first.stderr)")
      #expect(
        first.stdout == """
          {"directory":"\(Repository.path("fixtures"))","currencies":{"loaded":5,"existing":0},\
          "users":{"loaded":10,"existing":0},"wallets":{"loaded":15,"existing":0},\
          "transfers":{"loaded":20,"existing":0}}

          """)
      // What `make demo` sends.
      let sent = try await run(
        [
          "transfer", "--from", "ada@example.com/main", "--to", "bob@example.com/main", "--amount", "12.50",
          "--currency", "USD", "--key", "demo",
        ], database)
      #expect(sent.exitCode == 0, "\(sent.stderr)")
      let second = try await run(["fixtures", "load", Repository.path("fixtures"), "--json"], database)
      #expect(second.exitCode == 0)
      #expect(second.stdout.contains(#""transfers":{"loaded":0,"existing":20}"#))
      #expect(second.stdout.contains(#""wallets":{"loaded":0,"existing":15}"#))
      let verified = try await run(["ledger", "verify"], database)
      #expect(verified.exitCode == 0, "\(verified.stdout)")
      #expect(
        try await database.sql("select count(*) from wallets where address is not null") == [["9"]])
    }
  }

  @Test func aBrokenLineIsNamedAndNothingIsLoaded() async throws {
    try await withDatabase(template: .migrated) { database in
      let directory = try TemporaryDirectory()
      try directory.write("code,scale\nUSD,2\n", to: "currencies.csv")
      try directory.write("email,name\na@x.test,A\nb@x.test,\"B\n", to: "users.csv")
      let text = try await run(["fixtures", "load", directory.path], database)
      #expect(text.exitCode == 65)
      #expect(text.stdout == "")
      #expect(text.stderr.contains("\(directory.path)/users.csv:3: a quoted field is not closed"))
      let json = try await run(["fixtures", "load", directory.path, "--json"], database)
      #expect(json.exitCode == 65)
      #expect(json.stderr.contains(#"{"error":{"code":"input_malformed","#))
      #expect(try await database.sql("select count(*) from currencies") == [["0"]])
      #expect(try await run(["fixtures", "load", directory.file("no")], database).exitCode == 65)
    }
  }

  @Test func anUnmigratedDatabaseSaysWhatToDo() async throws {
    try await withDatabase { database in
      for arguments in [
        ["load"], ["generate", "--users", "1", "--wallets", "2", "--transfers", "1"],
      ] {
        let result = try await run(["fixtures"] + arguments, database)
        #expect(result.exitCode == 78)
        #expect(result.stderr.contains("ironforge migrate up"))
      }
    }
  }

  @Test func generateReportsWhatItMadeAndVerifies() async throws {
    try await withDatabase(template: .migrated) { database in
      #expect(try await run(["fixtures", "load", "--quiet"], database).exitCode == 0)
      let generate = ["fixtures", "generate", "--users", "30", "--wallets", "80", "--transfers", "2000"]
      let first = try await run(generate + ["--json", "--progress", "json"], database)
      #expect(first.exitCode == 0, "\(first.stderr)")
      #expect(first.stdout.hasPrefix(#"{"users":30,"wallets":80,"transfers":2000,"transactions":"#))
      #expect(first.stdout.contains(#""transfers_per_second":"#))
      #expect(first.stderr.contains(#""label":"generating","done":2000,"total":2000"#))
      let again = try await run(generate, database)
      #expect(again.exitCode == 4)
      #expect(again.stderr.contains("--seed 2"))
      let other = try await run(generate + ["--seed", "2"], database)
      #expect(other.exitCode == 0)
      #expect(try await database.sql("select count(*) from transfers") == [["4020"]])
      let verified = try await run(["ledger", "verify"], database)
      #expect(verified.exitCode == 0, "\(verified.stdout)")
    }
  }

  @Test(arguments: [
    ["--users", "0", "--wallets", "2", "--transfers", "1"],
    ["--users", "1", "--wallets", "1", "--transfers", "1"],
    ["--users", "1", "--wallets", "2", "--transfers", "100000001"], ["--users", "1", "--wallets", "2"],
    ["--users", "1", "--wallets", "2", "--transfers", "1", "--seed", "-1"],
  ])
  func countsOutOfBoundsAreWrongUsage(arguments: [String]) async throws {
    #expect(try await Ironforge.run(["fixtures", "generate"] + arguments).exitCode == 64)
  }

  @Test func controlCRollsBack() async throws {
    try await withDatabase(template: .migrated) { database in
      let running = try await Ironforge.start(
        [
          "fixtures", "generate", "--users", "100", "--wallets", "1000", "--transfers", "400000", "--json",
          "--database-url", database.url,
        ])
      // The first rows are being copied: visible to nobody, and in the table's file.
      for _ in 0..<600 where try await database.sql("select pg_relation_size('transfers') > 0") != [["t"]] {
        try await Task.sleep(for: .milliseconds(100))
      }
      try running.signal(SIGINT)
      let result = try await running.finish()
      #expect(result.exitCode == 130)
      #expect(result.stdout == "")
      #expect(
        try await database.sql("select (select count(*) from users) + (select count(*) from transfers)") == [
          ["0"]
        ])
    }
  }
}
