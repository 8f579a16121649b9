import ArgumentParser
import Ledger
import Wallet

/// `ironforge user create`.
struct UserCreate: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Create a user.",
    discussion: """
      EXAMPLES:
        ironforge user create --email ada@example.com --name "Ada Lovelace"
      """)

  @Option(help: ArgumentHelp("The email address, unique among users.", valueName: "email"))
  var email: String

  @Option(help: ArgumentHelp("The name.", valueName: "name"))
  var name = ""

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let user = try context.writingLedger().createUser(email: email, name: name)
    try context.output.render(UserRow(user: user))
  }
}
