import ArgumentParser

/// `ironforge bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Load the system and judge it by its service-level targets.",
    discussion: """
      EXAMPLES:
        ironforge bench transfer --connections 8 --duration 10s
      """,
    subcommands: [BenchTransfer.self])
}
