public import Primitives
internal import Wallet

/// How large a ledger to generate. The same plan always gives the same rows.
public struct GenerationPlan: Sendable, Equatable {
  /// Bounds of what is generated in one transaction, with some 200 bytes of memory a wallet.
  public static let usersMax = 1_000_000
  public static let walletsMax = 1_000_000
  public static let transfersMax = 100_000_000

  /// From 1; the first owns the external wallet.
  public let users: Int
  /// From 2; the first is external.
  public let wallets: Int
  /// Refused ones included.
  public let transfers: Int
  public let seed: UInt64
  /// The moment before which everything has happened.
  public let end: Timestamp

  /// Counts outside of the bounds are brought inside.
  public init(users: Int, wallets: Int, transfers: Int, seed: UInt64, end: Timestamp) {
    self.users = min(max(1, users), Self.usersMax)
    self.wallets = min(max(2, wallets), Self.walletsMax)
    self.transfers = min(max(0, transfers), Self.transfersMax)
    self.seed = seed
    self.end = end
  }

  /// The email of one user.
  func email(_ index: Int) -> String {
    index == 0 ? "bank.seed\(seed)@generated.example" : "user\(index).seed\(seed)@generated.example"
  }

  /// The key of one transfer.
  func key(_ index: Int) -> String { "generated-\(seed)-\(index)" }
}

/// A currency of generated ledgers.
struct GeneratedCurrency {
  let currency: Currency
  /// The smallest deposit in minor units, worth some hundred dollars.
  let deposit: UInt64

  /// The first is what every wallet can hold besides its own.
  static let all = [
    GeneratedCurrency(currency: Currency(code: "USD", scale: 2), deposit: 10_000),
    GeneratedCurrency(currency: Currency(code: "EUR", scale: 2), deposit: 10_000),
    GeneratedCurrency(currency: Currency(code: "USDC", scale: 6), deposit: 100_000_000),
    GeneratedCurrency(currency: Currency(code: "ETH", scale: 18), deposit: 30_000_000_000_000_000),
    GeneratedCurrency(currency: Currency(code: "BTC", scale: 8), deposit: 100_000),
  ]
}
