import ArgumentParser
import Ledger
import Wallet

/// `ironforge transfer void`.
struct TransferVoid: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "void",
    abstract: "Free what a hold has set aside.",
    discussion: """
      Each hold is resolved once. Nothing moves, so frozen wallets do not hinder it.

      EXAMPLES:
        ironforge transfer void order-4711 --key cancel-4711
      """)

  @Argument(help: "The hold's id or key.")
  var transfer: String

  @OptionGroup var options: RequestOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let request = TransferRequest(
      key: options.requestKey(), kind: .void, ref: transfer, memo: options.memo)
    try TransferSubmission(
      request: request, options: options,
      what: "hold \(transfer)", verb: ("Voided", "void")
    ).run(try context.transferProcessor(), in: context)
  }
}
