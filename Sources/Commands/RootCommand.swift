import ArgumentParser

/// The root of the command tree.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ironforge",
    abstract: "Run a wallet backend on PostgreSQL and Redis: move money, keep caches warm, tend indexes.",
    discussion: """
      Data goes to stdout, messages go to stderr. Every command takes --json, and is safe to run twice.

      EXAMPLES:
        ironforge config show
        ironforge config check --config /etc/ironforge/config.toml
      """,
    version: Version.text,
    subcommands: [
      TransferCommand.self, WalletCommand.self, UserCommand.self, CurrencyCommand.self, LedgerCommand.self,
      MigrateCommand.self, FixturesCommand.self, JobCommand.self, IndexCommand.self, QueryCommand.self,
      DatabaseCommand.self, DoctorCommand.self,
      CacheCommand.self, SandboxCommand.self, BenchCommand.self, ServeCommand.self,
      ConfigCommand.self,
    ]
  )
}
