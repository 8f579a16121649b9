import ArgumentParser

/// `ironforge ledger`.
struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger",
    abstract: "Prove that the ledger adds up.",
    discussion: """
      EXAMPLES:
        ironforge ledger verify
      """,
    subcommands: [LedgerVerify.self])
}
