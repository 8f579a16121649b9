import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet freeze`.
struct WalletFreeze: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "freeze",
    abstract: "Stop all transfers from and to a wallet.",
    discussion: """
      Transfers in flight end first; none starts afterwards. Undo it with unfreeze.

      EXAMPLES:
        ironforge wallet freeze ada@example.com/main
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.writingLedger()
    let changed = try ledger.setStatus(of: try ledger.identifier(of: wallet), to: .frozen)
    try context.output.render(WalletRow(wallet: changed))
  }
}
