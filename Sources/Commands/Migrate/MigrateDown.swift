import ArgumentParser
import Migrations
import Postgres
import Primitives

/// `ironforge migrate down`.
struct MigrateDown: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Revert the last migrations, and lose the data of their tables.",
    discussion: """
      Shows what it would revert. It does it with --execute and the name of the database in --confirm.

      EXAMPLES:
        ironforge migrate down
        ironforge migrate down --steps 2 --execute --confirm wallet
      """)

  @Option(help: ArgumentHelp("How many migrations to revert.", valueName: "n"))
  var steps = 1

  @Flag(help: "Do it.")
  var execute = false

  @Option(help: ArgumentHelp("The name of the database, as a second thought.", valueName: "database"))
  var confirm: String?

  @Option(help: ArgumentHelp("How long to wait for another run to end.", valueName: "seconds"))
  var lockWait = 0

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (1...1000).contains(steps) else { throw ValidationError("--steps must be from 1 to 1000.") }
    guard (0...86_400).contains(lockWait) else {
      throw ValidationError("--lock-wait must be from 0 to 86400.")
    }
    if execute, confirm == nil {
      throw ValidationError("--execute needs the name of the database as well: --confirm DATABASE_NAME.")
    }
  }

  func run(in context: CommandContext) throws {
    let (migrator, session) = try context.migrator(try source.files(), lockWait: lockWait)
    let database = session.database
    if let confirm, confirm != database {
      throw SimpleFailure(
        .usage, code: "confirmation_mismatch",
        message: "--confirm says \(confirm), and this database is \(database)",
        hint: "check that you are connected to the right one: ironforge config show")
    }
    if execute {
      try context.output.render(
        try migrator.down(steps: steps).map { MigrationStep(file: $0, action: .reverted) })
      return
    }
    try context.output.render(
      try migrator.planDown(steps: steps).map { MigrationStep(file: $0, action: .wouldRevert) })
    context.messages.info(
      "nothing was changed; revert them in database \(database) with --execute --confirm \(database)")
  }
}
