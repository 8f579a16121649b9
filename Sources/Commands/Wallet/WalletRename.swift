import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet rename`.
struct WalletRename: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "rename",
    abstract: "Give a wallet another name.",
    discussion: """
      EXAMPLES:
        ironforge wallet rename ada@example.com/main savings
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @Argument(help: "The new name, unique among the owner's wallets.")
  var name: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.writingLedger()
    let renamed = try ledger.rename(try ledger.identifier(of: wallet), to: name)
    try context.output.render(WalletRow(wallet: renamed))
  }
}
