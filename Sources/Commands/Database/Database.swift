import ArgumentParser

/// `ironforge db`.
struct DatabaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "db",
    abstract: "Tend the database: refresh the planner's statistics.",
    discussion: """
      EXAMPLES:
        ironforge db analyze --stale-only
      """,
    subcommands: [DatabaseAnalyze.self])
}
