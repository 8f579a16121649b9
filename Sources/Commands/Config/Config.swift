import ArgumentParser

/// `ironforge config`.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show and check the configuration.",
    discussion: """
      Flags come first, then the environment (IRONFORGE_<SECTION>_<KEY>, such as IRONFORGE_BATCH_CHUNK_SIZE; elements \
      of a list are separated by ';'), then the file that --config names, else ./ironforge.toml, else \
      $XDG_CONFIG_HOME/ironforge/config.toml, else /etc/ironforge/config.toml, then the defaults.

      EXAMPLES:
        ironforge config show
        ironforge config check --config staging.toml
      """,
    subcommands: [ConfigShow.self, ConfigCheck.self]
  )
}
