import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct WalletStateTests {
  /// Holds what a transfer in flight holds: the lock of an asset.
  private static func lockingAsset(_ wallet: Identifier) -> String {
    "begin; select from assets where wallet_id = '\(wallet)' for no key update"
  }

  @Test func freezingWaitsForTransfersInFlightAndStopsTheNext() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "10"))
      try await world.with { session in
        try session.simple(Self.lockingAsset(world.ada))
        let freezer = try Session(
          connecting: ConnectionString(world.database.url),
          options: SessionOptions(lockTimeout: .milliseconds(200)))
        do {
          _ = try Ledger(freezer).setStatus(of: world.ada, to: .frozen)
          Issue.record("frozen under a transfer in flight")
        } catch let error as PostgresError {
          #expect(error.code == "lock_timeout" && error.kind == .busy)
        }
        let unchanged = try Ledger(session).wallet(world.ada).status
        #expect(unchanged == .active)
        try session.simple("commit")
        let frozen = try Ledger(freezer).setStatus(of: world.ada, to: .frozen).status
        #expect(frozen == .frozen)
      }
      let outcomes = try await world.transfer(
        world.request("out", from: world.ada, to: world.bob), world.request("in"))
      #expect(outcomes.map(\.code) == [.sourceFrozen, .destinationFrozen])
      try await world.with { _ = try Ledger($0).setStatus(of: world.ada, to: .active) }
      let again = try await world.transfer(
        world.request("out", from: world.ada, to: world.bob),
        world.request("out 2", from: world.ada, to: world.bob))
      #expect(again.map(\.code) == [.sourceFrozen, .created])
      #expect(again[0].replayed && again[0].transfer?.id == outcomes[0].transfer?.id)
    }
  }

  /// The transfer has begun, and must not decide before the freeze is over; with an asset there is a lock to wait for,
  /// and without one the wallet's row is.
  @Test(arguments: [true, false])
  func aTransferThatMeetsAFreezeSeesItsOutcome(hasAsset: Bool) async throws {
    try await withWorld { world in
      if hasAsset { try await world.transfer(world.request("fund", "10")) }
      let freezing = try Session(connecting: ConnectionString(world.database.url))
      try freezing.simple(
        """
        begin;
        update wallets set status = 'frozen' where id = '\(world.ada)';
        select from assets where wallet_id = '\(world.ada)' for no key update;
        """)
      async let outcome = world.transfer(world.request("meets"))
      try await world.waitForWaiters(1)
      try freezing.simple("commit")
      #expect(try await outcome.map(\.code) == [.destinationFrozen])
      freezing.close()
    }
  }

  /// A chunk that holds one asset of the wallet and creates another waits for the wallet's row while the freeze, which
  /// has the row, waits for the asset: the server ends one of them, and the user hears nothing of it.
  @Test func aDeadlockWithAFreezeReachesNobody() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "10"))
      let chunk = try Session(connecting: ConnectionString(world.database.url))
      try chunk.simple(Self.lockingAsset(world.ada))
      async let frozen = world.with(World.patient) {
        try Ledger($0).setStatus(of: world.ada, to: .frozen).status
      }
      try await world.waitForWaiters(1)
      let isVictim: Bool
      do throws(PostgresError) {
        try chunk.simple("select from wallets where id = '\(world.ada)' for share; commit")
        isVictim = false
      } catch {
        #expect(error.sqlState == "40P01")
        try chunk.simple("rollback")
        isVictim = true
      }
      #expect(try await frozen == .frozen, "the chunk was \(isVictim ? "" : "not ")the victim")
      chunk.close()
    }
  }

  @Test func onlyAnEmptyWalletIsClosedAndThenForGood() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "0.01"))
      @Sendable func set(_ id: Identifier, _ status: WalletStatus) async -> String? {
        await code { try await world.with { _ = try Ledger($0).setStatus(of: id, to: status) } }
      }
      #expect(await set(world.ada, .closed) == "wallet_not_empty")
      // A bank that others' money came from is not empty either.
      #expect(await set(world.bank, .closed) == "wallet_not_empty")
      try await world.transfer(world.request("back", from: world.ada, to: world.bank, "0.01"))
      #expect(await set(world.ada, .closed) == nil)
      #expect(await set(world.ada, .closed) == nil, "again changes nothing")
      #expect(await set(world.ada, .active) == "wallet_closed")
      #expect(await set(world.ada, .frozen) == "wallet_closed")
      #expect(await set(Identifier(high: 1, low: 1), .frozen) == "wallet_not_found")
      let outcomes = try await world.transfer(
        world.request("late"), world.request("o", from: world.ada, to: world.bob))
      #expect(outcomes.map(\.code) == [.destinationClosed, .sourceClosed])
    }
  }

  @Test func namesAndAddressesAreUnique() async throws {
    try await withWorld { world in
      try await world.with { session in
        let ledger = Ledger(session)
        func failure(_ body: () throws -> Void) -> String? {
          do {
            try body()
            return nil
          } catch { return (error as? any Failure)?.code ?? "\(error)" }
        }
        #expect(failure { _ = try ledger.rename(world.bob, to: "ada") } == "wallet_exists")
        #expect(failure { _ = try ledger.rename(world.bob, to: "bob") } == nil)
        for bad in ["", "   ", "a\nb", "a\0b", String(repeating: "x", count: 201)] {
          #expect(failure { _ = try ledger.rename(world.bob, to: bad) } == "wallet_name_invalid")
        }
        #expect(failure { _ = try ledger.rename(Identifier(high: 1, low: 1), to: "x") } == "wallet_not_found")
        let renamed = try ledger.rename(world.bob, to: "Bob's")
        #expect(renamed.name == "Bob's" && renamed.updatedAt > renamed.createdAt)

        func draft(_ name: String, _ address: String?, network: String = "eth") -> WalletDraft {
          WalletDraft(userID: world.owner, name: name, network: network, address: address, kind: .standard)
        }
        let address = "0x52908400098527886E0F7030069857D2E4169EE7"
        let cold = try ledger.createWallet(draft("cold", address))
        #expect(cold.address == address.lowercased())
        #expect(
          failure { _ = try ledger.createWallet(draft("cold 2", address.lowercased())) } == "wallet_exists")
        #expect(failure { _ = try ledger.createWallet(draft("cold", nil)) } == "wallet_exists")
        #expect(failure { _ = try ledger.createWallet(draft("short", "0x12")) } == "address_invalid")
        #expect(failure { _ = try ledger.createWallet(draft("tron", "0x12", network: "tron")) } == nil)
        for name in [address, String(address.dropFirst(2)), "ada@example.com/cold", cold.id.description] {
          let found = try ledger.identifier(of: name)
          #expect(found == cold.id, "\(name)")
        }
        #expect(failure { _ = try ledger.identifier(of: "ada@example.com/none") } == "wallet_not_found")
        #expect(failure { _ = try ledger.createUser(email: "ada@example.com", name: "") } == "user_exists")
        for bad in ["", "ada", "@b", "a@", "a@b@c", "a b@c", "a@b/c", "a\n@b"] {
          #expect(failure { _ = try ledger.createUser(email: bad, name: "") } == "email_invalid", "\(bad)")
        }
      }
    }
  }

  @Test func aCurrencyNeverChangesItsScale() async throws {
    try await withWorld { world in
      try await world.with { session in
        let ledger = Ledger(session)
        let again = try ledger.addCurrency(Currency(code: "USD", scale: 2))
        #expect(!again)
        #expect(throws: (any Error).self) { try ledger.addCurrency(Currency(code: "USD", scale: 3)) }
        for bad in ["", "-X", "US D", "ÜSD", "a/b", String(repeating: "A", count: 33)] {
          #expect(throws: (any Error).self) { try ledger.addCurrency(Currency(code: bad, scale: 2)) }
        }
        for scale in [-1, 19, .max, .min] {
          #expect(throws: (any Error).self) { try ledger.addCurrency(Currency(code: "NEW", scale: scale)) }
        }
        let codes = try ledger.currencies().map(\.code)
        #expect(codes == ["ETH", "EUR", "USD"])
      }
    }
  }
}
