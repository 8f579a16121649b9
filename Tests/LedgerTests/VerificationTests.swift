import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// One way to break the ledger behind the program's back, and which laws must notice.
struct Violation: Sendable, CustomTestStringConvertible {
  let name: String
  /// `$ada`, `$bob`, `$bank` stand for the wallets, `$transfer` for Bob's transfer.
  let sql: String
  /// The checks that fail; all others pass.
  let checks: [String]
  /// What the first check's `first` must name.
  let names: String

  var testDescription: String { name }

  /// The violations of other laws are counted on a ledger of plain transfers.
  var needsHolds: Bool {
    ["hold_resolutions", "'pending'", "voided", "'captured'", "'reverse'"].contains { sql.contains($0) }
      && !sql.contains("insert")
  }

  static let all = [
    Violation(
      name: "a transfer without entries",
      sql: "delete from transactions where transfer_id = '$extra'; $rewind",
      checks: ["transfer_entries_sum_to_zero"], names: "$extra is posted but has no entries"),
    Violation(
      name: "entries without a posted transfer",
      sql: "update transfers set status = 'refused', code = 'source_closed' where id = '$transfer'",
      checks: ["transfer_entries_sum_to_zero"], names: "$transfer has entries"),
    Violation(
      name: "a transfer of another amount",
      sql: "update transfers set amount = amount + 1 where id = '$transfer'",
      checks: ["transfer_entries_sum_to_zero"], names: "$transfer is of 251"),
    Violation(
      name: "a transfer of other wallets",
      sql: "update transfers set to_wallet_id = '$bank' where id = '$transfer'",
      checks: ["transfer_entries_sum_to_zero"], names: "$transfer has an entry of another wallet"),
    Violation(
      name: "a balance that nothing brought",
      sql: "update assets set balance = balance + 1 where wallet_id = '$bob'",
      checks: ["currencies_sum_to_zero", "balances_match_entries"], names: "USD: all balances sum to 1"),
    Violation(
      name: "an asset that is gone", sql: "delete from assets where wallet_id = '$bob'",
      checks: ["currencies_sum_to_zero", "balances_match_entries"], names: "USD: all balances sum to -250"),
    Violation(
      name: "a version left out",
      sql: """
        update transactions set version = version + 1 where wallet_id = '$bob';
        update assets set version = version + 1 where wallet_id = '$bob'
        """, checks: ["versions_dense"], names: "$bob USD version 2 stands in place 1"),
    Violation(
      name: "a version given twice",
      sql: "update transactions set version = 2 where wallet_id = '$ada' and currency = 'USD'",
      checks: ["versions_dense"], names: "$ada USD version 2 stands in place 1"),
    Violation(
      name: "a wrong balance after an entry",
      sql: "update transactions set balance_after = 999 where wallet_id = '$ada' and version = 2",
      checks: ["running_balances"], names: "$ada USD version 2: balance_after is 999, entries sum to 750"),
    Violation(
      name: "an entry before its predecessor",
      sql: "update transactions set created_at = '2020-01-01' where wallet_id = '$ada' and version = 2",
      checks: ["entries_in_time_order"], names: "$ada USD version 2 is older"),
    Violation(
      name: "an asset's version", sql: "update assets set version = 7 where wallet_id = '$bob'",
      checks: ["balances_match_entries"], names: "$bob USD: balance 250 at version 7"),
    Violation(
      name: "held without a hold", sql: "update assets set held = 1 where wallet_id = '$bob'",
      checks: ["held_equals_open_holds"], names: "$bob USD: held is 1, open holds sum to 0"),
    Violation(
      name: "a hold that nothing holds",
      sql: """
        insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, hold_amount, kind, status)
        values (ironforge.uuid_v7(), 'hold', '$ada', '$bob', 'USD', 5, 5, 'hold', 'pending')
        """, checks: ["held_equals_open_holds", "holds_have_their_lines"],
      names: "$ada USD: held is 0, open holds sum to 5"),
    Violation(
      name: "a standard wallet below zero", sql: "update wallets set kind = 'standard' where id = '$bank'",
      checks: ["no_overdraft", "assets_know_their_wallets"], names: "$bank EUR: balance -100, held 0"),
    Violation(
      name: "an asset that missed a freeze",
      sql: "update assets set wallet_status = 'frozen' where wallet_id = '$bob'",
      checks: ["assets_know_their_wallets"], names: "$bob USD: the wallet is standard active"),
    Violation(
      name: "a key stored twice",
      sql: "alter table transfers drop constraint transfers_key_key; update transfers set key = 'fund'",
      checks: ["keys_unique"], names: "key fund is stored"),
    Violation(
      name: "a key of a transfer and of a capture", sql: "update hold_resolutions set key = 'fund'",
      checks: ["keys_unique"], names: "key fund is stored 2 times"),
    Violation(
      name: "an open hold without lines", sql: "delete from transactions where status = 'pending'",
      checks: ["holds_have_their_lines"], names: "has 0 lines"),
    Violation(
      name: "a line of a hold of another amount",
      sql: "update transactions set amount = amount * 2 where status = 'pending'",
      checks: ["holds_have_their_lines"], names: "holds 50 but its lines 100"),
    Violation(
      name: "a voided line of an open hold",
      sql: "update transactions set status = 'voided' where status = 'pending' and amount < 0",
      checks: ["holds_have_their_lines"], names: "has a line"),
    Violation(
      name: "a line of no hold",
      sql: "update transactions set transfer_id = '$transfer' where status = 'pending'",
      checks: ["holds_have_their_lines"], names: "but has lines that are not posted"),
    Violation(
      name: "a capture that nobody made", sql: "delete from hold_resolutions",
      checks: ["holds_resolved_once"], names: "is posted without a capture"),
    Violation(
      name: "a capture of another amount", sql: "update hold_resolutions set amount = amount + 1",
      checks: ["holds_resolved_once"], names: "moved 50 but its capture is of 51"),
    Violation(
      name: "a resolved hold that is open",
      sql: "update hold_resolutions set hold_id = (select id from transfers where status = 'pending')",
      checks: ["holds_resolved_once"], names: "hold"),
    Violation(
      name: "a reversal of more than there was",
      sql: "update transfers set amount = 1 where key = 'captured'",
      checks: ["reversals_within_their_transfers", "transfer_entries_sum_to_zero", "holds_resolved_once"],
      names: "of 1 was reversed by 10"),
    Violation(
      name: "a reversal of something else",
      sql: "update transfers set ref = '$extra' where kind = 'reverse'",
      checks: ["reversals_within_their_transfers"], names: "$extra is not what its reversal gives back"),
  ]
}

@Suite struct VerificationTests {
  private static let names: Set<String> = [
    "transfer_entries_sum_to_zero", "currencies_sum_to_zero", "versions_dense", "running_balances",
    "entries_in_time_order", "balances_match_entries", "held_equals_open_holds", "no_overdraft",
    "assets_know_their_wallets", "keys_unique", "holds_have_their_lines", "holds_resolved_once",
    "reversals_within_their_transfers",
  ]

  @Test func aSoundLedgerPassesAndSaysWhatItLookedAt() async throws {
    try await withWorld { world in
      let empty = try await world.with { try LedgerVerification($0).run(currency: nil) }
      #expect(empty.filter { !$0.isOK } == [])
      try await world.transfer(
        world.request("fund", "10"), world.request("t", from: world.ada, to: world.bob, "2.50"),
        world.request("no", from: world.bob, to: world.ada, "99"), world.request("eth", "1", "ETH"))
      let checks = try await world.with { try LedgerVerification($0).run(currency: nil) }
      #expect(Set(checks.map(\.name)) == Self.names && checks.count == Self.names.count)
      #expect(checks.allSatisfy { $0.isOK && $0.first == nil })
      let checked = Dictionary(uniqueKeysWithValues: checks.map { ($0.name, $0.checked) })
      #expect(checked["transfer_entries_sum_to_zero"] == 3)
      #expect(checked["currencies_sum_to_zero"] == 3)
      #expect(checked["versions_dense"] == 6)
      #expect(checked["balances_match_entries"] == 5)
      #expect(checked["keys_unique"] == 4)
      let usd = try await world.with { try LedgerVerification($0).run(currency: "USD") }
      #expect(usd.first { $0.name == "versions_dense" }?.checked == 4 && usd.filter { !$0.isOK } == [])
    }
  }

  @Test(arguments: Violation.all)
  func everyViolationIsFoundByItsCheckAndNamed(violation: Violation) async throws {
    try await withWorld { world in
      let outcomes = try await world.transfer(
        world.request("fund", "10"), world.request("t", from: world.ada, to: world.bob, "2.50"),
        world.request("extra", "1", "EUR"))
      if violation.needsHolds {
        try await world.transfer(
          world.hold("open", "0.50"), world.hold("captured", "0.80"),
          world.sequel(.capture, "capture", of: "captured", "0.50"),
          world.sequel(.reverse, "reversal", of: "captured", "0.10"))
      }
      let transfer = try #require(outcomes[1].transfer?.id.description)
      let extra = try #require(outcomes[2].transfer?.id.description)
      func filled(_ text: String) -> String {
        var text = text
        for (name, value) in [
          ("$rewind", "update assets set balance = 0, version = 0 where currency = 'EUR'"),
          ("$ada", world.ada.description), ("$bob", world.bob.description), ("$bank", world.bank.description),
          ("$transfer", transfer), ("$extra", extra),
        ] { text = text.split(separator: name, omittingEmptySubsequences: false).joined(separator: value) }
        return text
      }
      // As a superuser can: without triggers and foreign keys.
      try await world.database.sql(
        "set session_replication_role = replica; begin; \(filled(violation.sql)); commit;")
      let checks = try await world.with { try LedgerVerification($0).run(currency: nil) }
      let failed = checks.filter { !$0.isOK }
      #expect(Set(failed.map(\.name)) == Set(violation.checks))
      let first = failed.first { $0.name == violation.checks[0] }?.first ?? ""
      #expect(first.contains(filled(violation.names)), "\(first)")
      #expect(failed.allSatisfy { $0.violations > 0 && $0.first != nil })
      // Another currency is none of its business.
      let eth = try await world.with { try LedgerVerification($0).run(currency: "ETH") }
      #expect(eth.filter { !$0.isOK } == [])
    }
  }

  /// Between its parts it holds one snapshot: money moves meanwhile, at once, and does not disturb the result.
  @Test func verifyingBlocksNoWriterAndSeesOneMoment() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "10"))
      let url = world.database.url
      let moved = try await world.with { session in
        var outcomes: [ResultCode] = []
        let writer = TransferProcessor {
          try Session(
            connecting: ConnectionString(url), options: SessionOptions(lockTimeout: .milliseconds(500)))
        }
        var failure: (any Error)?
        let checks = try LedgerVerification(session).run(currency: nil) { _, index, _ in
          do {
            outcomes += try writer.process([world.request("during \(index)")]).map(\.code)
            let freezer = try Session(
              connecting: ConnectionString(url), options: SessionOptions(lockTimeout: .milliseconds(500)))
            _ = try Ledger(freezer).setStatus(of: world.bob, to: index % 2 == 0 ? .frozen : .active)
          } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        let isOK = checks.allSatisfy { $0.isOK }
        // The first transfer came before the snapshot was taken or after it, the others after it.
        let lines = checks.first { $0.name == "versions_dense" }?.checked ?? 0
        #expect(isOK && (2...4).contains(lines))
        return outcomes
      }
      #expect(moved.count >= 5 && Set(moved) == [.created])
      let after = try await world.with { try LedgerVerification($0).run(currency: nil) }
      #expect(after.filter { !$0.isOK } == [])
    }
  }
}
