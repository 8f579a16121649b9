import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet history`.
struct WalletHistory: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "List a wallet's ledger entries, newest first.",
    discussion: """
      EXAMPLES:
        ironforge wallet history ada@example.com/main --currency USD --limit 20
        ironforge wallet history ada@example.com/main --status pending --json
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @Option(help: ArgumentHelp("Only entries of this status.", valueName: "posted|pending|voided"))
  var status: EntryStatus?

  @Option(help: ArgumentHelp("Only this currency.", valueName: "code"))
  var currency: String?

  @OptionGroup var page: PageOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.ledger()
    let id = try ledger.wallet(try ledger.identifier(of: wallet)).id
    let entries = try ledger.history(of: id, status: status, currency: currency, try page.request())
    try context.output.render(entries.items.map(EntryRow.init), nextCursor: entries.next?.description)
  }
}
