import TestSupport
import Testing

@Suite struct TransferCommandTests {
  @Test func aTransferPrintsWhatIsStored() async throws {
    try await withTown { town in
      let sent = try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "12.5",
        "--currency",
        "USD", "--key", "k", "--memo", "für \"Ada\"", "-o", "json")
      #expect(sent.exitCode == 0 && sent.stderr == "")
      #expect(keys(sent.stdout) == Town.transferKeys)
      for (key, expected) in [
        ("key", "k"), ("code", "created"), ("replayed", "false"), ("kind", "transfer"), ("status", "posted"),
        ("currency", "USD"), ("amount", "12.50"), ("from_balance_after", "-12.50"),
        ("to_balance_after", "12.50"),
      ] { #expect(value(key, in: sent.stdout) == expected) }
      let id = try #require(value("transfer_id", in: sent.stdout))

      let again = try await town.run(
        "transfer", "send", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount",
        "12.50",
        "--currency", "USD", "--key", "k", "--memo", "für \"Ada\"", "--json")
      #expect(again.exitCode == 0)
      #expect(value("code", in: again.stdout) == "exists" && value("replayed", in: again.stdout) == "true")
      #expect(value("transfer_id", in: again.stdout) == id)
      #expect(value("created_at", in: again.stdout) == value("created_at", in: sent.stdout))

      for reference in ["k", id] {
        let shown = try await town.run("transfer", "show", reference, "--json")
        #expect(
          keys(shown.stdout) == [
            "id", "key", "kind", "status", "code", "from", "to", "currency", "amount", "from_balance_after",
            "to_balance_after", "memo", "ref", "hold_amount", "expires_at", "resolved_at", "created_at",
          ])
        let resolved = try await town.run("transfer", "resolve", reference, "--json")
        #expect(resolved.exitCode == 0 && value("outcome", in: resolved.stdout) == "committed")
        #expect(keys(resolved.stdout) == ["key", "transfer_id", "outcome", "code", "evidence"])
      }
      let absent = try await town.run("transfer", "resolve", "other", "--json")
      #expect(absent.exitCode == 0 && value("outcome", in: absent.stdout) == "absent")
      let csv = try await town.run("transfer", "list", "-o", "csv")
      #expect(csv.stdout.hasPrefix("id,key,kind,status,code,from,to,currency,amount,"))
      #expect(csv.stdout.contains("\"für \"\"Ada\"\"\""))
    }
  }

  @Test func aKeyThatIsMadeIsToldBeforeAnythingIsSent() async throws {
    try await withTown { town in
      let sent = try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "1",
        "--currency",
        "USD")
      let key = try #require(sent.stderr.split(separator: " ").last).filter { !$0.isNewline }
      #expect(sent.stderr == "key \(key)\n")
      #expect(sent.stdout.hasPrefix("Moved 1 USD from ada@example.com/bank to ada@example.com/main.\n"))
      #expect(sent.stdout.contains(key))
      // A server that is not there is found out after the key was told: the user can send again.
      let quiet = try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "1",
        "--currency",
        "USD", "--quiet")
      #expect(quiet.exitCode == 0 && quiet.stderr == "")
    }
  }

  @Test func aRefusalIsDataAndAnErrorAndChangesNothing() async throws {
    try await withTown { town in
      #expect(try await town.send("fund", "5").exitCode == 0)
      let before = try await town.database.sql("select * from assets order by 1, 2")
      let (bank, main, savings) = ("ada@example.com/bank", "ada@example.com/main", "ada@example.com/savings")
      let cases: [(code: String, from: String, to: String, amount: String, currency: String)] = [
        ("key_reused_with_different_request", bank, main, "6", "USD"),
        ("wallets_must_differ", main, main, "1", "USD"),
        ("amount_invalid", bank, main, "1e3", "USD"), ("amount_invalid", bank, main, "-5", "USD"),
        ("amount_not_positive", bank, main, "0.00", "USD"),
        ("amount_precision_exceeded", bank, main, "0.001", "USD"),
        ("amount_out_of_range", bank, main, String(repeating: "9", count: 39), "USD"),
        ("currency_not_found", bank, main, "1", "XAU"),
        ("source_not_found", "nobody@example.com/x", main, "1", "USD"),
        ("destination_not_found", bank, "0xdead", "1", "USD"),
        ("insufficient_funds", main, savings, "5.01", "USD"),
      ]
      for (index, item) in cases.enumerated() {
        let key = index == 0 ? "fund" : "key \(index)"
        let amount = item.amount
        let result = try await town.run(
          "transfer", "--from", item.from, "--to", item.to, "--amount=\(amount)", "--currency", item.currency,
          "--key",
          key, "--json")
        #expect(result.exitCode == 4, "\(item): \(result.stderr)")
        #expect(result.stderr.hasPrefix("{\"error\":{\"code\":\"\(item.code)\",\"message\":\""))
        #expect(result.stderr.hasSuffix(",\"retryable\":false,\"exit_code\":4}}\n"))
        #expect(value("hint", in: result.stderr) != nil)
        #expect(keys(result.stdout) == Town.transferKeys && value("code", in: result.stdout) == item.code)
        let text = try await town.run(
          "transfer", "--from", item.from, "--to", item.to, "--amount=\(amount)", "--currency", item.currency,
          "--key",
          key)
        #expect(
          text.exitCode == 4 && text.stdout == "" && text.stderr.contains("error: the transfer was refused: ")
        )
        #expect(text.stderr.contains("\nhint: "))
      }
      #expect(try await town.database.sql("select * from assets order by 1, 2") == before)
      let refused = try await town.send("key 10", from: main, to: savings, "5.01")
      #expect(
        value("replayed", in: refused.stdout) == "true" && value("status", in: refused.stdout) == "refused")
      let resolved = try await town.run("transfer", "resolve", "key 10", "--json")
      #expect(value("outcome", in: resolved.stdout) == "rejected")
      #expect(value("code", in: resolved.stdout) == "insufficient_funds")
      let list = try await town.run("transfer", "list", "--status", "refused", "--json")
      #expect(list.stdout.split(separator: "\n").count == 1)
    }
  }

  @Test func aDryRunGivesTheSameCodesAndWritesNothing() async throws {
    try await withTown { town in
      try await town.database.sql(
        """
        drop role if exists town_reader; create role town_reader login;
        grant select on all tables in schema public to town_reader;
        grant usage on schema ironforge to town_reader;
        """)
      let reader = town.database.url.replacing("user=ironforge", with: "user=town_reader")
      let before = try await town.contents()
      for (from, to, amount, code, exit) in [
        ("bank", "main", "5", "created", 0), ("main", "bank", "5", "insufficient_funds", 4),
        ("bank", "bank", "5", "wallets_must_differ", 4), ("bank", "none", "5", "destination_not_found", 4),
      ] as [(String, String, String, String, Int32)] {
        for url in [town.database.url, reader] {
          let result = try await town.run(
            "transfer", "--from", "ada@example.com/\(from)", "--to", "ada@example.com/\(to)", "--amount",
            amount,
            "--currency", "USD", "--key", "dry", "--dry-run", "--json", url: url)
          #expect(result.exitCode == exit, "\(result.stderr)")
          #expect(
            value("code", in: result.stdout) == code && value("transfer_id", in: result.stdout) == "null")
          #expect(value("dry_run", in: result.stdout) == "true")
        }
      }
      #expect(try await town.contents() == before)
      let text = try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "5",
        "--currency",
        "USD", "--dry-run")
      #expect(text.stdout.hasPrefix("Would move 5 USD") && text.stderr == "")
      try await town.database.sql("drop owned by town_reader; drop role town_reader")
    }
  }

  @Test(arguments: [
    ["--key", ""], ["--key", String(repeating: "k", count: 201)], ["--key", "a\nb"],
    ["--memo", String(repeating: "m", count: 1001)], ["--amount"], ["--nonsense"],
  ])
  func aWrongCommandLineSendsNothing(extra: [String]) async throws {
    let result = try await Ironforge.run(
      ["transfer", "--from", "a", "--to", "b", "--amount", "1", "--currency", "USD"] + extra)
    #expect(result.exitCode == 64 && result.stdout == "" && result.stderr.hasPrefix("error: "))
  }
}
