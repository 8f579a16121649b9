import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer [send]`.
struct TransferSend: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Move money from one wallet to another.",
    discussion: """
      The key makes it safe to send again: the same key with the same request moves the money once. Without --key \
      one is made, and printed before anything is sent. If the connection is lost after COMMIT, the outcome is \
      looked up by the key; when that fails too, the exit code is 5, and `ironforge transfer resolve KEY` settles it.

      EXAMPLES:
        ironforge transfer --from bank@example.com/main --to ada@example.com/main --amount 12.50 --currency USD
        ironforge transfer send --from 0x52908400098527886e0f7030069857d2e4169ee7 --to ada@example.com/main \\
          --amount 0.1 --currency ETH --key invoice-4711 --memo "invoice 4711" --json
      """)

  @Option(help: ArgumentHelp("The wallet that pays: an id, an address, or email/name.", valueName: "wallet"))
  var from: String

  @Option(help: ArgumentHelp("The wallet that is paid.", valueName: "wallet"))
  var to: String

  @Option(help: ArgumentHelp("How much: a plain decimal such as 12.50.", valueName: "amount"))
  var amount: String

  @Option(help: ArgumentHelp("The currency's code.", valueName: "code"))
  var currency: String

  @OptionGroup var options: RequestOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let processor = try context.transferProcessor()
    let (source, destination) = (WalletReference(from), WalletReference(to))
    let found = try processor.identifiers(of: [source, destination])
    let request = TransferRequest(
      key: options.requestKey(), from: found[source], to: found[destination], amount: amount,
      currency: currency, memo: options.memo)
    try TransferSubmission(
      request: request, from: from, to: to, options: options,
      what: "\(amount) \(currency) from \(from) to \(to)", verb: ("Moved", "move")
    ).run(processor, in: context)
  }
}
