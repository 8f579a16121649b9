import ArgumentParser
package import Ledger
package import Primitives
import Wallet

/// `ironforge wallet list`.
struct WalletList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List wallets with what they hold, newest first.",
    discussion: """
      EXAMPLES:
        ironforge wallet list --user ada@example.com
        ironforge wallet list --status frozen --json
      """)

  @Option(help: ArgumentHelp("Only this user's wallets, by id or email.", valueName: "user"))
  var user: String?

  @Option(help: ArgumentHelp("Only wallets of this status.", valueName: "active|frozen|closed"))
  var status: WalletStatus?

  @OptionGroup var page: PageOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.ledger()
    let wallets = try ledger.wallets(
      user: try user.map { try ledger.user($0).id }, status: status, try page.request())
    try context.output.render(wallets.items.map(WalletListRow.init), nextCursor: wallets.next?.description)
  }
}

/// A wallet in a list.
struct WalletListRow: TableRow {
  static let tableHeader: [TableColumn] = ["id", "name", "kind", "status", "address", "assets"]
  static let csvHeader = WalletRow.csvHeader + ["assets"]
  let item: WalletWithAssets

  private var assets: [AssetRow] {
    item.assets.map { AssetRow(currency: $0.currency, asset: $0.asset, asOf: $0.asset.updatedAt) }
  }

  var tableRow: [String] {
    [
      item.wallet.id.description, item.wallet.name, item.wallet.kind.rawValue, item.wallet.status.rawValue,
      item.wallet.address ?? "", assets.map(\.short).joined(separator: ", "),
    ]
  }

  var json: JSON {
    .object(WalletRow(wallet: item.wallet).members + [("assets", .array(assets.map(\.json)))])
  }
}

extension Page<WalletWithAssets> {
  /// The page as one document, for the HTTP surface: its wallets with the keys of `wallet list`, and where to go on.
  package var json: JSON {
    [
      "wallets": .array(items.map { WalletListRow(item: $0).json }),
      "next_cursor": .optional(next?.description),
    ]
  }
}
