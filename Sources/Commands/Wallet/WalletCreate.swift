import ArgumentParser
import Ledger
import Wallet

/// `ironforge wallet create`.
struct WalletCreate: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Create a wallet.",
    discussion: """
      Money enters and leaves the ledger through external wallets, the only ones whose balance may be negative.

      EXAMPLES:
        ironforge wallet create --user ada@example.com --name main
        ironforge wallet create --user ops@example.com --name bank --external
        ironforge wallet create --user ada@example.com --name cold \\
          --address 0x52908400098527886E0F7030069857D2E4169EE7
      """)

  @Option(help: ArgumentHelp("The owner, by id or email.", valueName: "user"))
  var user: String

  @Option(help: ArgumentHelp("The name, unique among the owner's wallets.", valueName: "name"))
  var name: String

  @Option(help: ArgumentHelp("The network of the address.", valueName: "network"))
  var network = "eth"

  @Option(help: ArgumentHelp("The address, unique among all wallets.", valueName: "0x…"))
  var address: String?

  @Flag(help: "Money enters and leaves through it; its balance may be negative.")
  var external = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let ledger = try context.writingLedger()
    let wallet = try ledger.createWallet(
      WalletDraft(
        userID: try ledger.user(user).id, name: name, network: network, address: address,
        kind: external ? .external : .standard))
    try context.output.render(WalletRow(wallet: wallet))
  }
}
