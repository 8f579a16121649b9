import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer reverse`.
struct TransferReverse: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "reverse",
    abstract: "Move the money of a posted transfer back, whole or in part.",
    discussion: """
      A reversal is a transfer of its own. All reversals of a transfer together never exceed it. Without --amount it \
      is the whole, which is refused once a part was reversed.

      EXAMPLES:
        ironforge transfer reverse invoice-4711
        ironforge transfer reverse invoice-4711 --amount 2.50 --key refund-1
      """)

  @Argument(help: "The transfer's id or key, or the key of its capture.")
  var transfer: String

  @Option(help: ArgumentHelp("How much of the transfer; all of it if absent.", valueName: "amount"))
  var amount: String?

  @OptionGroup var options: RequestOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let request = TransferRequest(
      key: options.requestKey(), kind: .reverse, amount: amount, ref: transfer, memo: options.memo)
    try TransferSubmission(
      request: request, options: options,
      what: "\(amount.map { "\($0) of " } ?? "")transfer \(transfer)", verb: ("Reversed", "reverse")
    ).run(try context.transferProcessor(), in: context)
  }
}
