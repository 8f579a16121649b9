import Primitives
import Testing

@testable import Fixtures

@Suite struct LedgerSimulationTests {
  private static func plan(seed: UInt64 = 1, wallets: Int = 300, transfers: Int = 20_000) -> GenerationPlan {
    GenerationPlan(
      users: 10, wallets: wallets, transfers: transfers, seed: seed,
      end: Timestamp(microseconds: 1_790_000_000_000_000))
  }

  private static func history(_ plan: GenerationPlan) -> [GeneratedTransfer] {
    var simulation = LedgerSimulation(plan)
    var transfers: [GeneratedTransfer] = []
    while let transfer = simulation.next() { transfers.append(transfer) }
    return transfers
  }

  /// The rules of SPEC section 2 hold in the history itself, recomputed from nothing but its amounts.
  @Test(arguments: [2, 3, 7, 300]) func theHistoryIsALedger(wallets: Int) {
    struct Key: Hashable {
      let wallet: Int
      let currency: Int
    }
    var balances: [Key: Int128] = [:]
    var versions: [Key: Int64] = [:]
    var lastTime = Timestamp(microseconds: 0)
    let plan = Self.plan(wallets: wallets)
    let history = Self.history(plan)
    #expect(history.count == plan.transfers)
    for transfer in history {
      let (from, to) = (
        Key(wallet: transfer.from, currency: transfer.currency),
        Key(wallet: transfer.to, currency: transfer.currency)
      )
      guard transfer.from != transfer.to, transfer.amount > 0, transfer.id.timestamp >= lastTime,
        transfer.id.timestamp < plan.end, transfer.id.low & 3 == 0
      else {
        Issue.record("transfer \(transfer.index) cannot be")
        return
      }
      lastTime = transfer.id.timestamp
      guard let movement = transfer.movement else {
        #expect(transfer.from != 0 && transfer.amount > balances[from, default: 0])
        continue
      }
      balances[from, default: 0] -= transfer.amount
      balances[to, default: 0] += transfer.amount
      versions[from, default: 0] += 1
      versions[to, default: 0] += 1
      guard movement.fromBalance == balances[from], movement.toBalance == balances[to],
        movement.fromVersion == versions[from], movement.toVersion == versions[to],
        transfer.from == 0 || movement.fromBalance >= 0
      else {
        Issue.record("transfer \(transfer.index) leaves a wrong balance or version")
        return
      }
    }
    for currency in GeneratedCurrency.all.indices {
      #expect(balances.filter { $0.key.currency == currency }.reduce(0) { $0 + $1.value } == 0)
    }
    var simulation = LedgerSimulation(plan)
    while simulation.next() != nil {}
    var held = 0
    simulation.forEachHolding { wallet, currency, holding in
      held += 1
      #expect(balances[Key(wallet: wallet, currency: currency)] == holding.balance)
    }
    #expect(held == balances.count)
  }

  @Test func theSeedDecidesEverything() {
    let first = Self.history(Self.plan()).map { "\($0)" }
    #expect(first == Self.history(Self.plan()).map { "\($0)" })
    #expect(first != Self.history(Self.plan(seed: 2)).map { "\($0)" })
    let ids = Set(Self.history(Self.plan()).map(\.id))
    #expect(ids.count == 20_000)
    #expect(ids.isDisjoint(with: Self.history(Self.plan(seed: 2)).map(\.id)))
  }

  @Test func someWalletsAreHotAndSomeRequestsRefused() {
    let history = Self.history(Self.plan())
    let refused = history.filter { $0.movement == nil }.count
    #expect((100...300).contains(refused))
    let busy = history.filter { $0.from == 1 || $0.to == 1 }.count
    let quiet = history.filter { $0.from == 299 || $0.to == 299 }.count
    #expect(busy > 10 * max(1, quiet))
    #expect(history.contains { $0.memo != nil })
    #expect(history.contains { $0.memo == nil })
    #expect(Set(history.map(\.currency)).count == GeneratedCurrency.all.count)
  }
}
