import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge wallet show`.
struct WalletShow: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a wallet, what it holds and its last transactions.",
    discussion: """
      The three reads are sent at once and see one snapshot.

      EXAMPLES:
        ironforge wallet show ada@example.com/main
        ironforge wallet show 0x52908400098527886e0f7030069857d2e4169ee7 --json
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.ledger()
    let summary = try ledger.summary(of: try ledger.identifier(of: wallet), transactions: 10)
    try context.output.render(WalletSummaryView(summary: summary))
  }
}

/// A wallet's summary as it is printed.
struct WalletSummaryView: Renderable {
  let summary: WalletSummary

  private var assets: [AssetRow] {
    summary.assets.map { AssetRow(currency: $0.currency, asset: $0.asset, asOf: $0.asset.updatedAt) }
  }
  private var transactions: [EntryRow] { summary.transactions.map(EntryRow.init) }

  var json: JSON {
    [
      "wallet": WalletRow(wallet: summary.wallet).json, "assets": .array(assets.map(\.json)),
      "transactions": .array(transactions.map(\.json)),
    ]
  }

  var text: String {
    [
      WalletRow(wallet: summary.wallet).text,
      assets.isEmpty ? "It holds nothing." : table(assets),
      transactions.isEmpty ? "It has no transactions." : table(transactions),
    ].joined(separator: "\n\n")
  }

  /// A CSV is one table: what the wallet holds.
  var csv: (header: [String], rows: [[String]]) {
    (
      ["wallet_id"] + AssetRow.csvHeader,
      assets.map { [summary.wallet.id.description] + $0.csvRow }
    )
  }
}
