import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer show`.
struct TransferShow: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a transfer.",
    discussion: """
      EXAMPLES:
        ironforge transfer show invoice-4711 --json
      """)

  @Argument(help: "The transfer's id or key.")
  var transfer: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(TransferRow(try context.ledger().transfer(transfer)))
  }
}
