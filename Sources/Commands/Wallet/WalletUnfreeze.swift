import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet unfreeze`.
struct WalletUnfreeze: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "unfreeze",
    abstract: "Let a frozen wallet take part in transfers again.",
    discussion: """
      Transfers that were refused meanwhile stay refused under their keys.

      EXAMPLES:
        ironforge wallet unfreeze ada@example.com/main
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.writingLedger()
    let changed = try ledger.setStatus(of: try ledger.identifier(of: wallet), to: .active)
    try context.output.render(WalletRow(wallet: changed))
  }
}
