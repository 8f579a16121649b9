internal import Primitives
internal import Wallet

/// The ids of wallets by the texts that name them, for as long as a batch runs and within a bound.
///
/// Only what was found is kept: a wallet that is created later is found by a later row. A name that passes to another
/// wallet while the batch runs keeps its meaning for the rows to come, as far as it is remembered.
struct WalletNames {
  /// The most texts that are remembered; half of them are the youngest.
  static let countMax = 100_000

  private var young: [String: Identifier] = [:]
  private var old: [String: Identifier] = [:]

  /// The wallet that a text names, as far as it is known.
  mutating func find(_ text: String) -> Identifier? {
    if let id = young[text] { return id }
    guard let id = old[text] else { return nil }
    remember(text, id)
    return id
  }

  mutating func remember(_ text: String, _ id: Identifier) {
    if young.count >= Self.countMax / 2 {
      old = young
      young = [:]
    }
    young[text] = id
  }
}
