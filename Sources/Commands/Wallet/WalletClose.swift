import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet close`.
struct WalletClose: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "close",
    abstract: "Close an empty wallet for ever.",
    discussion: """
      Closing is final. A wallet that holds money, or has open holds, is refused.

      EXAMPLES:
        ironforge wallet close ada@example.com/main
      """)

  @Argument(help: "The wallet: an id, an address, or email/name.")
  var wallet: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.writingLedger()
    let changed = try ledger.setStatus(of: try ledger.identifier(of: wallet), to: .closed)
    try context.output.render(WalletRow(wallet: changed))
  }
}
