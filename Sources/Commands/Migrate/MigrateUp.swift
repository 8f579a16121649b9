import ArgumentParser
import Migrations

/// `ironforge migrate up`.
struct MigrateUp: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Apply the migrations that are pending.",
    discussion: """
      Each file is one transaction, together with its record. When a statement fails, what was applied before stays \
      applied; run the command again after mending the file. Safe to repeat.

      EXAMPLES:
        ironforge migrate up
        ironforge migrate up --to 2 --dry-run
        ironforge migrate up --lock-wait 60
      """)

  @Option(help: ArgumentHelp("Apply up to and including this version.", valueName: "version"))
  var to: Int64?

  @Flag(help: "Say what would be applied, and write nothing.")
  var dryRun = false

  @Option(help: ArgumentHelp("How long to wait for another run to end.", valueName: "seconds"))
  var lockWait = 0

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (0...86_400).contains(lockWait) else {
      throw ValidationError("--lock-wait must be from 0 to 86400.")
    }
  }

  func run(in context: CommandContext) throws {
    let (migrator, _) = try context.migrator(try source.files(), lockWait: lockWait)
    let files = try dryRun ? migrator.plan(to: to) : migrator.up(to: to)
    try context.output.render(
      files.map { MigrationStep(file: $0, action: dryRun ? .wouldApply : .applied) }, isSuccess: !dryRun)
    if files.isEmpty { context.messages.info("nothing is pending") }
  }
}
