import ArgumentParser

/// `ironforge query`.
struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query",
    abstract: "See why statements are slow.",
    discussion: """
      EXAMPLES:
        ironforge query slow --limit 5 --plans
        ironforge query explain --analyze "select * from orders where status = 'open'"
        ironforge query explain --plan plan.txt --html plan.html
      """,
    subcommands: [QuerySlow.self, QueryExplain.self])
}
