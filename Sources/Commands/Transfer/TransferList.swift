import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer list`.
struct TransferList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List transfers and recorded refusals, newest first.",
    discussion: """
      EXAMPLES:
        ironforge transfer list --limit 20
        ironforge transfer list --wallet ada@example.com/main --status refused --json
      """)

  @Option(
    help: ArgumentHelp(
      "Only transfers of this status.",
      valueName: TransferStatus.allCases.map(\.rawValue).joined(separator: "|")))
  var status: TransferStatus?

  @Option(help: ArgumentHelp("Only transfers from or to this wallet.", valueName: "wallet"))
  var wallet: String?

  @OptionGroup var page: PageOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.ledger()
    let transfers = try ledger.transfers(
      status: status, wallet: try wallet.map { try ledger.wallet(ledger.identifier(of: $0)).id },
      try page.request())
    try context.output.render(
      transfers.items.map(TransferListRow.init), nextCursor: transfers.next?.description)
  }
}
