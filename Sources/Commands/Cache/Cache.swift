import ArgumentParser

/// `ironforge cache`.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Keep the caches warm, look into them, prove them fresh.",
    discussion: """
      EXAMPLES:
        ironforge cache warmup --active-within 7d
        ironforge cache get user:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1
        ironforge cache stats
        ironforge cache audit --all --json
        ironforge cache race --seconds 60
      """,
    subcommands: [
      CacheWarmup.self, CacheGet.self, CacheInvalidate.self, CacheStats.self, CacheAuditCommand.self,
      CacheRaceCommand.self, CacheSimulate.self,
    ])
}
