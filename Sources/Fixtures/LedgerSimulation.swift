internal import Primitives
internal import Wallet

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A transfer of a generated ledger, with what it left behind. Wallets and currencies are places in their lists.
struct GeneratedTransfer {
  let index: Int
  let id: Identifier
  let from: Int
  let to: Int
  let currency: Int
  /// Minor units.
  let amount: Int128
  let memo: String?
  /// Nil for a refusal for want of funds.
  let movement: Movement?

  struct Movement {
    let fromBalance: Int128
    let fromVersion: Int64
    let toBalance: Int128
    let toVersion: Int64
  }
}

/// The history of a made-up ledger, one transfer after the other, in memory for its wallets alone.
///
/// A value: a copy goes through the same history again. Money comes from the external wallet, a few wallets are far
/// busier than the rest (Zipf's law), one request in a hundred is refused for want of funds.
struct LedgerSimulation {
  /// What one wallet holds of one currency.
  struct Holding {
    var balance: Int128 = 0
    var version: Int64 = 0
    var createdAt = Timestamp(microseconds: 0)
    var updatedAt = Timestamp(microseconds: 0)
  }

  /// How far back the history reaches.
  static let window: Int64 = 90 * 86_400_000
  private static let currencyCount = GeneratedCurrency.all.count

  private let plan: GenerationPlan
  private let startMilliseconds: Int64
  private let logarithm: Double
  private var random: SplitMix64
  private var identifiers: IdentifierGenerator
  private var index = 0
  private(set) var postedCount = 0
  /// The external wallet's, one a currency; then two for each other wallet: its own currency and the first one.
  private var holdings: [Holding]

  init(_ plan: GenerationPlan) {
    self.plan = plan
    startMilliseconds = plan.end.microseconds / 1000 - Self.window
    logarithm = log(Double(plan.wallets))
    random = SplitMix64(seed: plan.seed, stream: 1)
    identifiers = IdentifierGenerator(random: SplitMix64(seed: plan.seed, stream: 2))
    holdings = Array(repeating: Holding(), count: Self.currencyCount + (plan.wallets - 1) * 2)
  }

  /// Everything that any wallet ever held, by wallet.
  func forEachHolding(_ body: (_ wallet: Int, _ currency: Int, Holding) throws -> Void) rethrows {
    for (place, holding) in holdings.enumerated() where holding.version > 0 {
      if place < Self.currencyCount {
        try body(0, place, holding)
      } else {
        let wallet = (place - Self.currencyCount) / 2 + 1
        let isOwn = (place - Self.currencyCount) % 2 == 0
        try body(wallet, isOwn ? Self.ownCurrency(of: wallet) : 0, holding)
      }
    }
  }

  /// The next transfer; nil at the end.
  mutating func next() -> GeneratedTransfer? {
    guard index < plan.transfers else { return nil }
    defer { index += 1 }
    let wallet = busyWallet()
    let own = Self.ownCurrency(of: wallet)
    let currency = own != 0 && random.below(4) == 0 ? 0 : own
    let available = holdings[place(wallet, currency)].balance
    switch random.below(100) {
    case 0: return refuse(wallet, currency, available)
    case 1..<12: return deposit(to: wallet, currency)
    case _ where available < 10: return deposit(to: wallet, currency)
    case 12..<16: return post(from: wallet, to: 0, currency, part(of: available))
    default:
      guard let other = counterparty(of: wallet, currency) else { return deposit(to: wallet, currency) }
      return post(from: wallet, to: other, currency, part(of: available))
    }
  }

  private static func ownCurrency(of wallet: Int) -> Int { wallet % currencyCount }

  private func place(_ wallet: Int, _ currency: Int) -> Int {
    if wallet == 0 { return currency }
    let first = Self.currencyCount + (wallet - 1) * 2
    return currency == Self.ownCurrency(of: wallet) ? first : first + 1
  }

  /// Log-uniform over all but the external wallet: the n-th wallet is chosen about 1/n times as often as the first.
  private mutating func busyWallet() -> Int {
    min(max(1, Int(exp(random.unit() * logarithm))), plan.wallets - 1)
  }

  /// Another wallet that can hold the currency; nil where the draw gives none.
  private mutating func counterparty(of wallet: Int, _ currency: Int) -> Int? {
    var other = busyWallet()
    if currency != 0 { other += currency - other % Self.currencyCount }
    return other < plan.wallets && other != wallet ? other : nil
  }

  /// Mostly small, never more than half.
  private mutating func part(of available: Int128) -> Int128 {
    let share = available / Int128(2 + random.below(64))
    return 1 + Int128(random.next() >> 1) % max(1, min(share, Int128(Int64.max)))
  }

  private mutating func deposit(to wallet: Int, _ currency: Int) -> GeneratedTransfer {
    let least = GeneratedCurrency.all[currency].deposit
    return post(from: 0, to: wallet, currency, Int128(least + random.next() % (least * 50)))
  }

  private mutating func refuse(_ wallet: Int, _ currency: Int, _ available: Int128) -> GeneratedTransfer {
    let amount = available + 1 + Int128(random.next() % GeneratedCurrency.all[currency].deposit)
    let other = counterparty(of: wallet, currency) ?? 0
    return GeneratedTransfer(
      index: index, id: nextIdentifier(), from: wallet, to: other, currency: currency, amount: amount,
      memo: memo(), movement: nil)
  }

  private mutating func post(
    from: Int, to: Int, _ currency: Int, _ amount: Int128
  ) -> GeneratedTransfer {
    let id = nextIdentifier()
    let source = change(place(from, currency), by: -amount, at: id.timestamp)
    let destination = change(place(to, currency), by: amount, at: id.timestamp)
    postedCount += 1
    return GeneratedTransfer(
      index: index, id: id, from: from, to: to, currency: currency, amount: amount, memo: memo(),
      movement: GeneratedTransfer.Movement(
        fromBalance: source.balance, fromVersion: source.version, toBalance: destination.balance,
        toVersion: destination.version))
  }

  private mutating func change(_ place: Int, by amount: Int128, at time: Timestamp) -> Holding {
    var holding = holdings[place]
    // A hundred million deposits of less than 2^61 stay far inside of 128 bits.
    holding.balance += amount
    holding.version += 1
    if holding.version == 1 { holding.createdAt = time }
    holding.updatedAt = time
    holdings[place] = holding
    return holding
  }

  /// Times are spread evenly over the window, with some jitter, and never go back.
  private mutating func nextIdentifier() -> Identifier {
    let count = Int64(plan.transfers)
    let step = max(1, Self.window / count)
    let milliseconds =
      startMilliseconds + Self.window * Int64(index) / count + Int64(random.below(Int(step)))
    return identifiers.next(at: Timestamp(microseconds: milliseconds * 1000)).asTransferID
  }

  private mutating func memo() -> String? {
    let draw = random.below(20)
    switch draw {
    case 0: return "invoice \(1000 + random.below(9000))"
    case 1..<6: return GeneratedNames.memos[random.below(GeneratedNames.memos.count)]
    default: return nil
    }
  }
}
