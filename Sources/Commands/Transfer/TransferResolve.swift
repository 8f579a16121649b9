import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge transfer resolve`.
struct TransferResolve: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve",
    abstract: "Settle what became of a transfer whose answer was lost.",
    discussion: """
      Tells committed, rejected, absent or in_progress, with the evidence. Absent is certain: no transaction with the \
      key has committed, and none is under way. The exit code is 5 while one is under way.

      EXAMPLES:
        ironforge transfer resolve invoice-4711
        ironforge transfer resolve 01939bb7-9d52-7000-8000-000000000000 --json
      """)

  @Argument(help: "The transfer's key or id.")
  var key: String

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let resolution = try context.ledger().resolve(key)
    try context.output.render(ResolutionView(resolution: resolution))
    if resolution.outcome == .inProgress { throw ExitCode(.outcomeUnknown) }
  }
}

/// What became of a transfer, as it is printed.
struct ResolutionView: TableRow {
  static let tableHeader: [TableColumn] = ["key", "transfer_id", "outcome", "code", "evidence"]
  let resolution: TransferResolution

  private var code: String? {
    guard let transfer = resolution.record?.transfer else { return nil }
    return transfer.refusal?.rawValue ?? "created"
  }

  var tableRow: [String] {
    [
      resolution.key, resolution.record?.transfer.id.description ?? "", resolution.outcome.rawValue,
      code ?? "", resolution.evidence,
    ]
  }

  var json: JSON {
    [
      "key": .string(resolution.key), "transfer_id": .id(resolution.record?.transfer.id),
      "outcome": .string(resolution.outcome.rawValue), "code": .optional(code),
      "evidence": .string(resolution.evidence),
    ]
  }
}
