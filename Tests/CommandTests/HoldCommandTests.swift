import TestSupport
import Testing

/// `transfer hold`, `capture`, `void` and `reverse` as a user meets them.
@Suite struct HoldCommandTests {
  private func hold(_ town: Town, _ key: String, _ amount: String, _ more: String...) async throws
    -> ProgramResult
  {
    try await town.run(
      [
        "transfer", "hold", "--from", "ada@example.com/main", "--to", "ada@example.com/savings", "--amount",
        amount,
        "--currency", "USD", "--key", key,
      ] + more)
  }

  @Test func twoPhasesFromHoldToReversal() async throws {
    try await withTown { town in
      _ = try await town.send("fund", "100")
      let held = try await hold(town, "order", "80", "--expires", "15m", "--json")
      #expect(held.exitCode == 0 && keys(held.stdout) == Town.transferKeys, "\(held)")
      #expect(value("status", in: held.stdout) == "pending" && value("kind", in: held.stdout) == "hold")
      let balance = try await town.run("wallet", "balance", "ada@example.com/main", "--json")
      #expect(
        value("held", in: balance.stdout) == "80.00" && value("available", in: balance.stdout) == "20.00")

      let id = try #require(value("transfer_id", in: held.stdout))
      let captured = try await town.run(
        "transfer", "capture", id, "--amount", "62.50", "--key", "ship", "--json")
      #expect(captured.exitCode == 0 && keys(captured.stdout) == Town.transferKeys, "\(captured)")
      for (name, expected) in [
        ("transfer_id", id), ("key", "ship"), ("code", "created"), ("replayed", "false"), ("kind", "capture"),
        ("status", "posted"), ("amount", "62.50"), ("from_balance_after", "37.50"),
        ("to_balance_after", "62.50"),
        ("ref", id),
      ] { #expect(value(name, in: captured.stdout) == expected, "\(name) in \(captured.stdout)") }
      let again = try await town.run("transfer", "capture", id, "--amount", "62.5", "--key", "ship", "--json")
      #expect(again.exitCode == 0 && value("code", in: again.stdout) == "exists")
      #expect(value("replayed", in: again.stdout) == "true")

      let over = try await town.run("transfer", "void", "order", "--key", "late", "--json")
      #expect(over.exitCode == 4 && value("code", in: over.stdout) == "hold_not_pending", "\(over)")
      #expect(over.stderr.contains(#""exit_code":4"#))
      let reversed = try await town.run("transfer", "reverse", "ship", "--amount", "2.50", "--key", "refund")
      #expect(
        reversed.exitCode == 0 && reversed.stdout.hasPrefix("Reversed 2.50 of transfer ship."), "\(reversed)")
      let much = try await town.run("transfer", "reverse", id, "--key", "rest")
      #expect(much.exitCode == 4 && much.stderr.contains("60.00 USD left to reverse"), "\(much)")

      let shown = try await town.run("transfer", "show", "order", "--json")
      #expect(
        value("status", in: shown.stdout) == "posted" && value("hold_amount", in: shown.stdout) == "80.00")
      let resolved = try await town.run("transfer", "resolve", "ship", "--json")
      #expect(
        value("outcome", in: resolved.stdout) == "committed"
          && value("transfer_id", in: resolved.stdout) == id)
      let history = try await town.run(
        "wallet", "history", "ada@example.com/main", "--status", "pending", "--json")
      #expect(history.stdout.isEmpty)
    }
  }

  @Test func withoutAKeyOneIsMadeAndPrintedAndWorks() async throws {
    try await withTown { town in
      _ = try await town.send("fund", "100")
      _ = try await hold(town, "h", "5")
      let voided = try await town.run("transfer", "void", "h")
      #expect(voided.exitCode == 0 && voided.stdout.hasPrefix("Voided hold h."), "\(voided)")
      let key = try #require(voided.stderr.split(separator: " ").last).trimmingSuffix { $0 == "\n" }
      let again = try await town.run("transfer", "void", "h", "--key", String(key))
      #expect(again.exitCode == 0 && again.stdout.contains("Already done"), "\(again)")
      let other = try await town.run("transfer", "void", "h")
      #expect(other.exitCode == 4, "another key is another request, and each hold is resolved once")
    }
  }

  @Test func aDryRunSaysWhatWouldHappenAndWritesNothing() async throws {
    try await withTown { town in
      _ = try await town.send("fund", "100")
      _ = try await hold(town, "h", "5")
      let before = try await town.contents()
      for words in [
        ["capture", "h", "--amount", "4"], ["void", "h"], ["reverse", "fund", "--amount", "1"],
        [
          "hold", "--from", "ada@example.com/main", "--to", "ada@example.com/savings", "--amount", "1",
          "--currency", "USD",
        ],
      ] {
        let result = try await town.run(["transfer"] + words + ["--dry-run", "--json"])
        #expect(result.exitCode == 0 && value("code", in: result.stdout) == "created", "\(words): \(result)")
      }
      let refused = try await town.run("transfer", "capture", "h", "--amount", "6", "--dry-run")
      #expect(refused.exitCode == 4 && refused.stderr.contains("5.00 USD held"), "\(refused)")
      #expect(try await town.contents() == before)
    }
  }

  @Test func wrongWordsAreUsageErrors() async throws {
    try await withTown { town in
      for words in [
        ["capture"], ["void", "h", "--amount", "1"], ["reverse", "h", "--from", "x"],
        ["capture", "h", "--key", ""],
        ["hold", "--from", "a", "--to", "b", "--amount", "1", "--currency", "USD", "--expires", "0s"],
        ["hold", "--from", "a", "--to", "b", "--amount", "1", "--currency", "USD", "--expires", "soon"],
      ] {
        let result = try await town.run(["transfer"] + words)
        #expect(result.exitCode == 64, "\(words): \(result)")
      }
      let unknown = try await town.run("transfer", "capture", "nothing", "--json")
      #expect(unknown.exitCode == 4 && value("code", in: unknown.stdout) == "hold_not_found", "\(unknown)")
    }
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
    var text = self
    while let last = text.last, predicate(last) { text.removeLast() }
    return text
  }
}
