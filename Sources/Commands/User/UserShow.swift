import ArgumentParser
import Ledger
import Wallet

/// `ironforge user show`.
struct UserShow: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a user.",
    discussion: """
      EXAMPLES:
        ironforge user show ada@example.com
      """)

  @Argument(help: "The user's id or email.")
  var user: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(UserRow(user: try context.ledger().user(user)))
  }
}
