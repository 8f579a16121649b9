import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct BalanceTests {
  @Test func balancesAtAMomentAreThoseAfterTheLastEntryBefore() async throws {
    try await withWorld { world in
      var moments: [(time: Timestamp, cents: Int128)] = []
      for (number, request) in [
        world.request("1", "10"), world.request("2", from: world.ada, to: world.bob, "2.50"),
        world.request("3", "0.01"),
      ].enumerated() {
        let outcome = try await world.transfer(request)[0]
        let transfer = try #require(outcome.transfer)
        moments.append((transfer.createdAt, [1000, 750, 751][number]))
        // The next entry is to have another millisecond, the resolution of an id's time.
        while Timestamp.now().microseconds / 1000 <= transfer.createdAt.microseconds / 1000 {
          await Task.yield()
        }
      }
      try await world.transfer(world.request("eth", "1", "ETH"))
      let expected = moments
      try await world.with { session in
        let ledger = Ledger(session)
        func usd(_ microseconds: Int64) throws -> (Int128?, Int) {
          let all = try ledger.balances(of: world.ada, at: Timestamp(microseconds: microseconds))
          return (all.first { $0.currency.code == "USD" }?.asset.balance, all.count)
        }
        for (time, cents) in expected {
          let at = try usd(time.microseconds)
          #expect(at.0 == cents)
        }
        let before = try usd(expected[0].time.microseconds - 1)
        // Not an empty answer, which could be read as agreement.
        #expect(before.0 == 0 && before.1 == 2)
        let between = try usd(expected[2].time.microseconds - 1)
        #expect(between.0 == 750)
        let late = try usd(Timestamp.now().microseconds + 1_000_000)
        #expect(late.0 == 751)
      }
    }
  }

  @Test func theSummaryIsTheWalletItsAssetsAndItsLastEntries() async throws {
    try await withWorld { world in
      for number in 0..<12 {
        try await world.transfer(world.request("\(number)", "1", number == 0 ? "ETH" : "USD"))
      }
      try await world.with { session in
        let ledger = Ledger(session)
        let summary = try ledger.summary(of: world.ada, transactions: 10)
        #expect(summary.wallet.id == world.ada && summary.wallet.name == "ada")
        #expect(summary.assets.map(\.currency.code) == ["ETH", "USD"])
        #expect(summary.assets.map(\.asset.balance) == [1_000_000_000_000_000_000, 1100])
        #expect(summary.transactions.count == 10)
        #expect(summary.transactions.first?.balanceAfter == 1100 && summary.transactions.first?.version == 11)
        // Further statements on the same session work: the pipeline has ended in order.
        let bob = try ledger.summary(of: world.bob, transactions: 10)
        #expect(bob.assets == [] && bob.transactions == [])
        #expect(throws: WalletNotFound.self) {
          try ledger.summary(of: Identifier(high: 1, low: 1), transactions: 1)
        }
        #expect(!session.isInTransaction || session.isOpen)
        let usd = try ledger.history(of: world.ada, currency: "ETH", PageRequest(limit: 50, cursor: nil))
        #expect(usd.items.map(\.amount) == [1_000_000_000_000_000_000])
        let pending = try ledger.history(of: world.ada, status: .pending, PageRequest(limit: 50, cursor: nil))
        #expect(pending.items.isEmpty)
      }
    }
  }

  /// What other programs send, as SPEC section 2.1 quotes it.
  @Test func theQueriesOfOtherProgramsRunAsTheyStand() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("1"))
      try await world.database.sql(
        """
        insert into users (id, email, name) values (gen_random_uuid(), 'x@example.com', 'X');
        insert into wallets (id, user_id, name) select gen_random_uuid(), id, 'w' from users where name = 'X';
        prepare a as SELECT * FROM transactions WHERE wallet_id = $1 AND status = 'pending' ORDER BY created_at
          DESC LIMIT 10;
        prepare b as SELECT * FROM assets WHERE wallet_id = ANY($1);
        execute a ('\(world.ada)');
        SELECT * FROM users WHERE last_login_at > NOW() - INTERVAL '7 days';
        """)
      let assets = try await world.database.sql(
        "SELECT wallet_id FROM assets WHERE wallet_id = ANY(array['\(world.ada)'::uuid])")
      #expect(assets == [[world.ada.description]])
    }
  }
}
