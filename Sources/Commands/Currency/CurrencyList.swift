import ArgumentParser
import Ledger
import Wallet

/// `ironforge currency list`.
struct CurrencyList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List all currencies.",
    discussion: """
      EXAMPLES:
        ironforge currency list --json
      """)

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(try context.ledger().currencies().map(CurrencyRow.init))
  }
}
