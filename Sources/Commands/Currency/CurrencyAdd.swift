import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge currency add`.
struct CurrencyAdd: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a currency; the same one again changes nothing.",
    discussion: """
      EXAMPLES:
        ironforge currency add USD --scale 2
        ironforge currency add ETH --scale 18
      """)

  @Argument(help: "The code: 1 to 32 letters, digits, dots, hyphens or underscores.")
  var code: String

  @Option(help: ArgumentHelp("Digits after the point, 0 to 18.", valueName: "n"))
  var scale: Int

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let currency = Currency(code: code, scale: scale)
    let isNew = try context.ledger().addCurrency(currency)
    context.messages.info(isNew ? "added" : "exists already")
    try context.output.render(CurrencyRow(currency: currency))
  }
}

/// A currency as it is printed.
struct CurrencyRow: TableRow {
  static let tableHeader: [TableColumn] = ["code", .number("scale")]
  let currency: Currency

  var tableRow: [String] { [currency.code, String(currency.scale)] }
  var json: JSON { ["code": .string(currency.code), "scale": .integer(Int64(currency.scale))] }
}
