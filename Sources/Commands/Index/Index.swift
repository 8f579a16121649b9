import ArgumentParser
import Indexes

/// `ironforge index`.
struct IndexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "index",
    abstract: "See how indexes are used, and which are not needed, missing or broken.",
    discussion: """
      EXAMPLES:
        ironforge index usage --table orders
        ironforge index snapshot --quiet
        ironforge index audit
        ironforge index advise --max-size 100MB
        ironforge index prune
      """,
    subcommands: [
      IndexUsageList.self, IndexSnapshot.self, IndexAudit.self, IndexAdvise.self, IndexPrune.self,
      IndexRestore.self,
    ])
}

/// Which tables a command about indexes looks at.
struct TableOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only this schema.", valueName: "schema"))
  var schema: String?

  @Option(
    help: ArgumentHelp(
      "Only this table, as NAME or SCHEMA.NAME, with its partitions; exact, without quotes.",
      valueName: "table"))
  var table: String?

  var selection: TableSelection { TableSelection(schema: schema, table: table) }
}
