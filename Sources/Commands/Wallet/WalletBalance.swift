import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge wallet balance`.
struct WalletBalance: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "balance",
    abstract: "Print what a wallet holds, now or at an earlier time.",
    discussion: """
      With --at, the balance after the last entry up to that moment; holds of that time are not counted.

      EXAMPLES:
        ironforge wallet balance ada@example.com/main
        ironforge wallet balance ada@example.com/main --currency USD --at 2026-01-01T00:00:00Z
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @Option(help: ArgumentHelp("Only this currency.", valueName: "code"))
  var currency: String?

  @Option(help: ArgumentHelp("At this moment (RFC 3339, UTC without an offset).", valueName: "time"))
  var at: Timestamp?

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.ledger()
    let id = try ledger.wallet(try ledger.identifier(of: wallet)).id
    let moment = at ?? .now()
    let assets = try at.map { try ledger.balances(of: id, at: $0) } ?? ledger.assets(of: [id])
    let rows = try chosen(assets, ledger).map {
      AssetRow(currency: $0.currency, asset: $0.asset, asOf: moment)
    }
    try context.output.render(BalanceList(rows: rows))
  }

  /// The currency that was asked for is there with zero when the wallet never held it.
  private func chosen(_ assets: [AssetRecord], _ ledger: Ledger) throws -> [(
    currency: Currency, asset: Asset
  )] {
    guard let currency else { return assets.map { ($0.currency, $0.asset) } }
    if let held = assets.first(where: { $0.currency.code == currency }) {
      return [(held.currency, held.asset)]
    }
    return [(try ledger.requireCurrency(currency), .none)]
  }
}

/// Balances as one document: JSON is an array (SPEC section 9).
struct BalanceList: Renderable {
  let rows: [AssetRow]

  var json: JSON { .array(rows.map(\.json)) }
  var text: String { rows.isEmpty ? "The wallet holds nothing." : table(rows) }
  var csv: (header: [String], rows: [[String]]) { (AssetRow.csvHeader, rows.map(\.csvRow)) }
}
