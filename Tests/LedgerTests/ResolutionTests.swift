import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct ResolutionTests {
  private static func resolve(
    _ world: World, _ reference: String, wait: Duration = .milliseconds(300)
  ) async throws -> TransferResolution {
    try await world.with { try Ledger($0).resolve(reference, wait: wait) }
  }

  @Test func whatIsStoredIsTheProof() async throws {
    try await withWorld { world in
      let outcomes = try await world.transfer(
        world.request("moved"), world.request("refused", from: world.ada, to: world.bob, "5"))
      let ids = outcomes.compactMap(\.transfer?.id)
      for (references, expected, id) in [
        (["moved", ids[0].description], TransferResolution.Outcome.committed, ids[0]),
        (["refused", ids[1].description], .rejected, ids[1]),
      ] {
        for reference in references {
          let resolution = try await Self.resolve(world, reference)
          #expect(resolution.outcome == expected && resolution.record?.transfer.id == id)
          #expect(resolution.evidence.contains(id.description))
        }
      }
    }
  }

  @Test func absentIsCertainAndLeavesNothingBehind() async throws {
    try await withWorld { world in
      let before = try await world.database.sql("select count(*) from transfers")
      for key in ["never", Identifier(high: 1, low: 1).description, "ключ", "'; drop table transfers; --"] {
        let resolution = try await Self.resolve(world, key)
        #expect(resolution.outcome == .absent && resolution.record == nil && resolution.key == key)
      }
      #expect(try await world.database.sql("select count(*) from transfers") == before)
      #expect(try await world.transfer(world.request("never"))[0].code == .created)
    }
  }

  @Test func withoutWalletsAndCurrenciesEverythingIsAbsent() async throws {
    try await withDatabase(template: .migrated) { database in
      let outcome = try await onSession(database.url) { try Ledger($0).resolve("key").outcome }
      #expect(outcome == .absent)
    }
  }

  /// An open transaction has stored the key: whether it will commit, nobody knows yet.
  @Test(arguments: ["commit", "rollback"])
  func aTransactionUnderWayIsInProgress(end: String) async throws {
    try await withWorld { world in
      let open = try Session(connecting: ConnectionString(world.database.url))
      try open.simple(
        """
        begin;
        insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, status, code)
        values (ironforge.uuid_v7(), 'open', '\(world.bank)', '\(world.ada)', 'USD', 100, 'refused', 'source_frozen')
        """)
      let during = try await Self.resolve(world, "open")
      #expect(during.outcome == .inProgress && during.record == nil)
      // One that ends while it is waited for is told by its end.
      async let waiting = Self.resolve(world, "open", wait: .seconds(20))
      try await world.waitForWaiters(1)
      try open.simple(end)
      #expect(try await waiting.outcome == (end == "commit" ? .rejected : .absent))
      #expect(try await Self.resolve(world, "open").outcome == (end == "commit" ? .rejected : .absent))
      open.close()
    }
  }

  @Test func aStandbyCannotTell() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("moved"))
      let failure = await code {
        _ = try await world.with { session in
          try session.simple("set default_transaction_read_only = on")
          let known = try Ledger(session).resolve("moved").outcome
          #expect(known == .committed)
          _ = try Ledger(session).resolve("unknown")
        }
      }
      #expect(failure == "read_only_server")
    }
  }
}
