import ArgumentParser

/// `ironforge fixtures`.
struct FixturesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fixtures",
    abstract: "Fill a database with data to try things on.",
    discussion: """
      EXAMPLES:
        ironforge fixtures load
        ironforge fixtures generate --users 10000 --wallets 20000 --transfers 1000000
      """,
    subcommands: [FixturesLoad.self, FixturesGenerate.self])
}
