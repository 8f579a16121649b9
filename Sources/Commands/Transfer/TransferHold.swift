import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer hold`.
struct TransferHold: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold",
    abstract: "Set money aside, to be captured or voided later.",
    discussion: """
      A hold takes its amount out of what the source can spend. `transfer capture` moves all or part of it and frees \
      the rest; `transfer void` frees it. An expired hold cannot be captured; `job run expire-holds` frees it.

      EXAMPLES:
        ironforge transfer hold --from ada@example.com/main --to shop@example.com/main --amount 80 --currency USD \\
          --key order-4711 --expires 15m
        ironforge transfer capture order-4711 --amount 62.50
      """)

  @Option(help: ArgumentHelp("The wallet that pays: an id, an address, or email/name.", valueName: "wallet"))
  var from: String

  @Option(help: ArgumentHelp("The wallet that is to be paid.", valueName: "wallet"))
  var to: String

  @Option(help: ArgumentHelp("How much: a plain decimal such as 12.50.", valueName: "amount"))
  var amount: String

  @Option(help: ArgumentHelp("The currency's code.", valueName: "code"))
  var currency: String

  @Option(help: ArgumentHelp("How long it can be captured, such as 15m or 7d; for ever if absent."))
  var expires: HumanDuration?

  @OptionGroup var options: RequestOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    if let expires, expires.duration <= .zero {
      throw ValidationError("--expires must be more than nothing.")
    }
  }

  func run(in context: CommandContext) throws {
    let processor = try context.transferProcessor()
    let (source, destination) = (WalletReference(from), WalletReference(to))
    let found = try processor.identifiers(of: [source, destination])
    let request = TransferRequest(
      key: options.requestKey(), kind: .hold, from: found[source], to: found[destination], amount: amount,
      currency: currency, lifetime: expires?.duration, memo: options.memo)
    try TransferSubmission(
      request: request, from: from, to: to, options: options,
      what: "\(amount) \(currency) of \(from) for \(to)", verb: ("Held", "hold")
    ).run(processor, in: context)
  }
}
