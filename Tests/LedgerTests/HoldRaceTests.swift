import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// A key is used once, whether for a transfer or for the capture of a hold, whoever comes first.
@Suite struct HoldRaceTests {
  /// The first has written and not committed; the other, between other wallets and with the same key, has to wait.
  @Test(arguments: [true, false])
  func aKeyIsUsedOnceWhateverItIsUsedFor(captureIsFirst: Bool) async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "100"), world.hold("h", "5"))
      let capture = world.sequel(.capture, "k", of: "h")
      let transfer = world.request("k", "1", "ETH")
      let session = try Session(connecting: ConnectionString(world.database.url))
      try session.query(Statement.begin())
      var identifiers = IdentifierGenerator()
      var fences = TransactionFences(nil)
      let first = try Ledger(session).post(
        [captureIsFirst ? capture : transfer], identifiers: &identifiers, fences: &fences)
      async let second = world.transfer(captureIsFirst ? transfer : capture)
      try await world.waitForWaiters(1)
      try session.query(Statement.commit())
      #expect(first.map(\.code) == [.created])
      let codes = try await second.map(\.code)
      #expect(codes == [.keyReusedWithDifferentRequest])
      let stored = try await world.database.sql(
        "select count(*) from (select key from transfers union all select key from hold_resolutions) k where key = 'k'"
      )
      #expect(stored == [["1"]])
      try await world.expectSound()
    }
  }

  /// While requests wait for a lock, somebody stores what they repeat or refer to, in a wallet that held nothing before: they
  /// come to what they come to when they are sent afterwards.
  @Test(arguments: ["both again", "capture again", "spent after it came", "reversal again"])
  func whatWasStoredWhileItWaitedIsSeenWhole(name: String) async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "100"))
      let payment = world.request("p", from: world.ada, to: world.bob, "5")
      let held = [world.hold("h", "5"), world.sequel(.capture, "c", of: "h", "3")]
      let reversed = [payment, world.sequel(.reverse, "r", of: "p")]
      let other = world.request("x")
      let (first, second, codes): ([TransferRequest], [TransferRequest], [ResultCode]) =
        switch name {
        case "both again": (held, held, [.exists, .exists])
        case "capture again": (held, [other, held[1]], [.created, .exists])
        case "reversal again": (reversed, [other, reversed[1]], [.created, .exists])
        default:
          (
            [payment], [payment, world.request("w", from: world.bob, to: world.ada, "4")],
            [.exists, .created]
          )
        }
      let session = try Session(connecting: ConnectionString(world.database.url))
      try session.query(Statement.begin())
      var identifiers = IdentifierGenerator()
      var fences = TransactionFences(nil)
      let stored = try Ledger(session).post(first, identifiers: &identifiers, fences: &fences)
      #expect(stored.allSatisfy { $0.code == .created })
      let url = world.database.url
      async let waiting = world.with { _ in try processor(url, World.patient).process(second) }
      try await world.waitForWaiters(1)
      try session.query(Statement.commit())
      let told = try await waiting.map(\.code)
      #expect(told == codes)
      try await world.expectSound()
    }
  }

  /// What no program does that follows the rules, and what the database refuses all the same.
  @Test(arguments: [
    (
      "insert into hold_resolutions values ('x', 'void', (select id from transfers where key = 'open'), null, null, now()), ('y', 'void', (select id from transfers where key = 'open'), null, null, now())",
      "23505"
    ),
    (
      "insert into hold_resolutions values ('fund', 'void', (select id from transfers where key = 'open'), null, null, now())",
      "23505"
    ),
    ("insert into hold_resolutions values ('z', 'void', ironforge.uuid_v7(), null, null, now())", "23503"),
    (
      "insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, ref) select ironforge.uuid_v7(), 'much', to_wallet_id, from_wallet_id, currency, amount + 1, 'reverse', 'posted', id from transfers where key = 'fund'",
      "23514"
    ),
    (
      "insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, ref, code) select ironforge.uuid_v7(), 'no', to_wallet_id, from_wallet_id, currency, amount, 'void', 'refused', ironforge.uuid_v7(), 'hold_not_pending' from transfers where key = 'fund'",
      "23503"
    ),
    (
      "insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, hold_amount, kind, status) select ironforge.uuid_v7(), 'done', to_wallet_id, from_wallet_id, currency, amount, amount, 'hold', 'pending' from transfers where key = 'fund'; insert into hold_resolutions select 'done', 'void', id, null, null, now() from transfers where key = 'done'",
      "23505"
    ),
  ])
  func theDatabaseKeepsTheLawsItself(sql: String, sqlState: String) async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "100"), world.hold("open", "5"))
      let session = try Session(connecting: ConnectionString(world.database.url))
      do throws(PostgresError) {
        try session.simple(sql)
        Issue.record("the database took it")
      } catch {
        #expect(error.sqlState == sqlState, "\(error)")
      }
      try await world.expectSound()
    }
  }
}
