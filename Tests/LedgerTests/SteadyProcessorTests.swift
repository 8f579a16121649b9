import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// A processor that has seen chunks hopes that keys are new and reads less. Nobody may be able to tell.
@Suite struct SteadyProcessorTests {
  @Test func theFirstChunkAndTheTenthAnswerAlike() async throws {
    try await withWorld { world in
      let answers = try await world.with { _ in
        try Self.warmed(world) { steady in
          try Self.hardCases(world).map { requests in try steady.process(requests).map(\.code) }
        }
      }
      #expect(
        answers == [
          [.exists], [.keyReusedWithDifferentRequest], [.amountInvalid], [.currencyNotFound],
          [.destinationNotFound], [.walletsMustDiffer], [.created], [.insufficientFunds],
          [.insufficientFunds], [.created, .exists, .keyReusedWithDifferentRequest], [.created],
        ])
      let checks = try await world.with { try LedgerVerification($0).run(currency: nil) }
      #expect(checks.filter { !$0.isOK } == [])
    }
  }

  /// Whoever freezes a wallet, and by whatever statement.
  @Test func aFreezeBySomebodyElseIsSeenByTheNextTransfer() async throws {
    try await withWorld { world in
      let codes = try await world.with { session in
        try Self.warmed(world) { steady in
          try session.simple("update wallets set status = 'frozen' where id = '\(world.ada)'")
          let frozen = try steady.process([world.request("while frozen")])[0].code
          try session.simple("update wallets set status = 'active' where id = '\(world.ada)'")
          return [frozen, try steady.process([world.request("afterwards")])[0].code]
        }
      }
      #expect(codes == [.destinationFrozen, .created])
    }
  }

  /// A processor in its stride: one session, some chunks behind it.
  private static func warmed<R>(_ world: World, _ body: (TransferProcessor) throws -> R) throws -> R {
    let steady = processor(world.database.url, World.patient)
    for index in 0..<3 {
      #expect(try steady.process([world.request("warm \(index)", "10")])[0].code == .created)
    }
    return try body(steady)
  }

  private static func hardCases(_ world: World) -> [[TransferRequest]] {
    let nobody = Identifier(high: 1, low: 1)
    return [
      [world.request("warm 1", "10.00")],
      [world.request("warm 1", "11")],
      [world.request("bad", "1e3")],
      [world.request("unknown", "1", "XXX")],
      [world.request("nowhere", to: nobody)],
      [world.request("same", from: world.ada, to: world.ada)],
      [world.request("first euro", "5", "EUR")],
      [world.request("too much", from: world.ada, to: world.bank, "1000")],
      [world.request("too much", from: world.ada, to: world.bank, "1000")],
      [world.request("twice", "2"), world.request("twice", "2"), world.request("twice", "3")],
      [world.request("last", from: world.ada, to: world.bank, "1")],
    ]
  }
}
