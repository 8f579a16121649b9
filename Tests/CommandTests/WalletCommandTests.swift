import TestSupport
import Testing

@Suite struct WalletCommandTests {
  private static let walletKeys = [
    "id", "user_id", "name", "network", "address", "kind", "status", "created_at", "updated_at",
  ]
  private static let assetKeys = ["currency", "balance", "held", "available", "version", "as_of"]
  private static let entryKeys = [
    "id", "transfer_id", "wallet_id", "currency", "amount", "balance_after", "version", "status",
    "created_at",
  ]

  @Test func currenciesAndUsersAreMadeShownAndListed() async throws {
    try await withTown { town in
      let added = try await town.run("currency", "add", "ETH", "--scale", "18", "--json")
      #expect(added.stdout == "{\"code\":\"ETH\",\"scale\":18}\n" && added.exitCode == 0)
      #expect(try await town.run("currency", "add", "ETH", "--scale", "18").exitCode == 0)
      let other = try await town.run("currency", "add", "ETH", "--scale", "2", "--json")
      #expect(other.exitCode == 4 && value("code", in: other.stderr) == "currency_exists")
      #expect(try await town.run("currency", "add", "E H", "--scale", "2").exitCode == 64)
      let csv = try await town.run("currency", "list", "-o", "csv")
      #expect(csv.stdout == "code,scale\r\nETH,18\r\nUSD,2\r\n")
      let userKeys = ["id", "email", "name", "last_login_at", "created_at"]
      let made = try await town.run("user", "create", "--email", "bob@example.com", "--name", "Bob", "--json")
      #expect(keys(made.stdout) == userKeys)
      let taken = try await town.run("user", "create", "--email", "bob@example.com", "--json")
      #expect(taken.exitCode == 4 && value("code", in: taken.stderr) == "user_exists" && taken.stdout == "")
      let shown = try await town.run("user", "show", "bob@example.com", "--json")
      #expect(shown.stdout == made.stdout)
      let first = try await town.run("user", "list", "--limit", "1", "--json")
      #expect(first.stdout == made.stdout)
      let cursor = try #require(value("next_cursor", in: first.stderr))
      let second = try await town.run("user", "list", "--limit", "1", "--json", "--cursor", cursor)
      #expect(value("email", in: second.stdout) == "ada@example.com" && second.stderr == "")
      let quiet = try await town.run("user", "list", "--limit", "1", "-q")
      #expect(quiet.stderr == "")
      #expect(try await town.run("user", "list", "--cursor", "x").exitCode == 64)
      #expect(try await town.run("user", "list", "--active-within", "7d", "--json").stdout == "")
      #expect(try await town.run("user", "show", "none@example.com", "--json").exitCode == 4)
    }
  }

  @Test func walletsHaveTheShapesOfTheContract() async throws {
    try await withTown { town in
      let address = "0x52908400098527886E0F7030069857D2E4169EE7"
      let made = try await town.run(
        "wallet", "create", "--user", "ada@example.com", "--name", "cold", "--address", address, "--json")
      #expect(keys(made.stdout) == Self.walletKeys)
      #expect(value("address", in: made.stdout) == address.lowercased())
      for key in ["1", "2", "3"] { #expect(try await town.send(key, "2.25").exitCode == 0) }
      let list = try await town.run("wallet", "list", "--user", "ada@example.com", "--json")
      let lines = list.stdout.split(separator: "\n")
      #expect(lines.count == 4 && lines.allSatisfy { keys($0).starts(with: Self.walletKeys + ["assets"]) })
      let main = "ada@example.com/main"
      let balance = try await town.run("wallet", "balance", main, "--json")
      #expect(
        balance.stdout.hasPrefix(
          "[{\"currency\":\"USD\",\"balance\":\"6.75\",\"held\":\"0.00\",\"available\":\"6.75\""))
      #expect(keys(balance.stdout) == Self.assetKeys)
      let past = try await town.run("wallet", "balance", main, "--at", "2020-01-01", "--json")
      #expect(value("balance", in: past.stdout) == "0.00")
      let asOf = value("as_of", in: past.stdout)
      #expect(asOf == "2020-01-01T00:00:00.000000Z")
      #expect(try await town.run("wallet", "balance", main, "--at", "yesterday").exitCode == 64)
      let none = try await town.run("wallet", "balance", main, "--currency", "XAU", "--json")
      #expect(none.exitCode == 4 && value("code", in: none.stderr) == "currency_not_found")
      let history = try await town.run("wallet", "history", main, "--json", "--limit", "2")
      let entries = history.stdout.split(separator: "\n")
      #expect(entries.count == 2 && entries.allSatisfy { keys($0) == Self.entryKeys })
      #expect(
        value("balance_after", in: history.stdout) == "6.75" && value("version", in: history.stdout) == "3")
      let show = try await town.run("wallet", "show", address.dropFirst(2).description, "--json")
      #expect(keys(show.stdout) == ["wallet"] + Self.walletKeys + ["assets", "transactions"])
      let full = try await town.run("wallet", "show", main)
      #expect(full.stdout.contains("6.75") && full.stderr == "")
      let csv = try await town.run("wallet", "history", main, "-o", "csv")
      #expect(csv.stdout.split(whereSeparator: \.isNewline).count == 4)
    }
  }

  @Test func walletsAreRenamedFrozenAndClosed() async throws {
    try await withTown { town in
      let main = "ada@example.com/main"
      let renamed = try await town.run("wallet", "rename", main, "daily", "--json")
      #expect(value("name", in: renamed.stdout) == "daily" && keys(renamed.stdout) == Self.walletKeys)
      let daily = "ada@example.com/daily"
      let conflict = try await town.run("wallet", "rename", daily, "savings", "--json")
      #expect(conflict.exitCode == 4 && value("code", in: conflict.stderr) == "wallet_exists")
      #expect(value("status", in: try await town.run("wallet", "freeze", daily, "--json").stdout) == "frozen")
      let refused = try await town.send("frozen", to: daily)
      #expect(refused.exitCode == 4 && value("code", in: refused.stdout) == "destination_frozen")
      #expect(
        value("status", in: try await town.run("wallet", "unfreeze", daily, "--json").stdout) == "active")
      #expect(value("code", in: try await town.send("frozen", to: daily).stdout) == "destination_frozen")
      #expect(try await town.send("fresh", to: daily).exitCode == 0)
      let full = try await town.run("wallet", "close", daily, "--json")
      #expect(full.exitCode == 4 && value("code", in: full.stderr) == "wallet_not_empty")
      #expect(try await town.send("empty", from: daily, to: "ada@example.com/savings").exitCode == 0)
      #expect(value("status", in: try await town.run("wallet", "close", daily, "--json").stdout) == "closed")
      let closed = try await town.send("closed", to: daily)
      #expect(closed.exitCode == 4 && value("code", in: closed.stdout) == "destination_closed")
      let final = try await town.run("wallet", "unfreeze", daily, "--json")
      #expect(final.exitCode == 4 && value("code", in: final.stderr) == "wallet_closed")
      let missing = try await town.run("wallet", "show", "ada@example.com/none")
      #expect(missing.exitCode == 4 && missing.stderr.contains("there is no wallet \"ada@example.com/none\""))
    }
  }

  @Test func verificationReportsAndExitsTen() async throws {
    try await withTown { town in
      #expect(try await town.send("1").exitCode == 0)
      let sound = try await town.run("ledger", "verify", "--json")
      #expect(sound.exitCode == 0 && sound.stdout.hasPrefix("{\"ok\":true,\"checks\":[{\"name\":\""))
      #expect(
        Array(keys(sound.stdout).prefix(7)) == [
          "ok", "checks", "name", "ok", "checked", "violations", "first",
        ])
      #expect(try await town.run("ledger", "verify", "--currency", "XAU").exitCode == 4)
      try await town.database.sql("update assets set balance = balance + 1 where wallet_kind = 'standard'")
      let broken = try await town.run("ledger", "verify", "--json")
      #expect(broken.exitCode == 10 && broken.stdout.hasPrefix("{\"ok\":false") && broken.stderr == "")
      let text = try await town.run("ledger", "verify")
      #expect(text.exitCode == 10 && text.stdout.hasSuffix("The ledger is BROKEN.\n"))
    }
  }

  /// `head` reads a line and goes: no message, no signal.
  @Test func aReaderThatGoesAwayEndsTheListQuietly() async throws {
    try await withTown { town in
      try await town.database.sql(
        "insert into users (email) select n || '@example.com' from generate_series(1, 9000) n")
      let path = try Ironforge.path()
      let shell = Program(
        "/bin/bash",
        ["-c", "\(path) user list --limit 10000 --json | head -n 1; echo ${PIPESTATUS[0]}"],
        environment: ["IRONFORGE_DATABASE_URL": .some(town.database.url)])
      let result = try await shell.run()
      let lines = result.stdout.split(separator: "\n")
      #expect(result.stderr == "" && lines.count == 2 && lines.last == "0")
    }
  }
}
