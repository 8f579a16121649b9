import ArgumentParser
import Migrations
import Primitives

/// `ironforge migrate new`.
struct MigrateNew: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Write an empty migration with the next number, and print its path.",
    discussion: """
      The file is written into ./migrations, which must exist, or into the directory that --dir names.

      EXAMPLES:
        ironforge migrate new add_wallet_labels
        $EDITOR "$(ironforge migrate new add_wallet_labels)"
      """)

  @Argument(help: "What it is for: letters, digits, underscores; blanks and hyphens become underscores.")
  var name: String

  @Option(
    name: .customLong("dir"),
    help: ArgumentHelp("The directory of the migrations.", valueName: "dir"), completion: .directory)
  var directory = "migrations"

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let file = try MigrationDirectory(path: directory).new(name)
    try context.output.render(NewMigration(path: "\(directory)/\(file)"))
  }
}

/// The file that `migrate new` wrote.
struct NewMigration: Renderable {
  let path: String

  var json: JSON { ["path": .string(path)] }
  var text: String { terminalSafe(path) }
  var csv: (header: [String], rows: [[String]]) { (["path"], [[path]]) }
}
