import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer capture`.
struct TransferCapture: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "Move what a hold has set aside, whole or in part, and free the rest.",
    discussion: """
      Each hold is resolved once. The hold itself becomes the posted transfer.

      EXAMPLES:
        ironforge transfer capture order-4711
        ironforge transfer capture order-4711 --amount 62.50 --key shipment-1
      """)

  @Argument(help: "The hold's id or key.")
  var transfer: String

  @Option(help: ArgumentHelp("How much of the hold; all of it if absent.", valueName: "amount"))
  var amount: String?

  @OptionGroup var options: RequestOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let request = TransferRequest(
      key: options.requestKey(), kind: .capture, amount: amount, ref: transfer, memo: options.memo)
    try TransferSubmission(
      request: request, options: options,
      what: "\(amount.map { "\($0) of " } ?? "")hold \(transfer)", verb: ("Captured", "capture")
    ).run(try context.transferProcessor(), in: context)
  }
}
