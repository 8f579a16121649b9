import ArgumentParser

/// `ironforge cache`.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Look into the caches.",
    discussion: """
      EXAMPLES:
        ironforge cache simulate keys.txt --capacity 10000
      """,
    subcommands: [CacheSimulate.self])
}
