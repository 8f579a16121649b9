import ArgumentParser

/// `ironforge query`.
struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query",
    abstract: "See why statements are slow.",
    discussion: """
      EXAMPLES:
        ironforge query slow --limit 5 --plans
      """,
    subcommands: [QuerySlow.self])
}
