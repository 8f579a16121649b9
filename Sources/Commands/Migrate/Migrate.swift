import ArgumentParser
import Configuration
import Migrations
import Postgres
import Primitives

/// `ironforge migrate`.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Create and change the tables, by numbered SQL files.",
    discussion: """
      The files lie in ./migrations, or in the directory that came with this program; --dir names another. One \
      process at a time migrates a database. A file that was applied must stay as it is: what is new goes into a \
      new file.

      EXAMPLES:
        ironforge migrate up
        ironforge migrate status --json
        ironforge migrate new add_wallet_labels
      """,
    subcommands: [
      MigrateUp.self, MigrateDown.self, MigrateStatus.self, MigrateVerify.self, MigrateLint.self,
      MigrateNew.self,
    ])
}

/// Where the migrations are, of every verb that reads them.
struct MigrationSource: ParsableArguments {
  @Option(
    name: .customLong("dir"),
    help: ArgumentHelp("The directory of the migrations.", valueName: "dir"), completion: .directory)
  var directory: String?

  /// - Throws: `MigrationError` for a file that is none, and where the directory cannot be found or read.
  func files() throws -> [MigrationFile] {
    try located().files()
  }

  /// The directory itself.
  func located() throws -> MigrationDirectory {
    MigrationDirectory(path: try ShippedDirectory.migrations.path(chosen: directory))
  }
}

extension CommandContext {
  /// Migrations on a session of their own. The first signal cancels the running statement; what happens is told
  /// on stderr.
  func migrator(_ files: [MigrationFile], lockWait seconds: Int = 0) throws -> (Migrator, Session) {
    let lockTimeout = try configuration().values.database.lockTimeoutSeconds
    let session = try openCancellableSession()
    let migrator = Migrator(
      session: session, files: files,
      options: MigrationOptions(lockWait: .seconds(seconds), lockTimeout: .seconds(lockTimeout)),
      shouldStop: { [signals] in signals.received != nil },
      onEvent: { [messages] in messages.tell($0) })
    return (migrator, session)
  }
}

extension Messages {
  fileprivate func tell(_ event: MigrationEvent) {
    switch event {
    case .waitingForLock(let holder):
      info("another process is migrating this database" + (holder.map { ": \($0)" } ?? "") + "; waiting")
    case .started: break
    case .finished(let file, let revert, let milliseconds):
      info(
        "\(revert ? "reverted" : "applied") \(file) (\(humanDuration(.milliseconds(milliseconds))))",
        fields: [("file", .string(file)), ("duration_ms", .integer(milliseconds))])
    case .retrying(let file, let reason, let delay):
      warning("\(file) had to give way (\(reason)); trying again in \(humanDuration(delay))")
    case .droppedInvalidIndex(let index):
      info("dropped the invalid index \(index) of an interrupted build; it is built again")
    }
  }
}

/// A migration that was applied or reverted, or would be.
struct MigrationStep: TableRow {
  /// What was done, or would be. The raw value is what JSON shows.
  enum Action: String, Sendable {
    case applied
    case reverted
    case wouldApply = "would_apply"
    case wouldRevert = "would_revert"
  }

  static let tableHeader: [TableColumn] = [.number("version"), "name", "action", "file"]
  let file: MigrationFile
  let action: Action

  var tableRow: [String] {
    let words = action.rawValue.split(separator: "_").joined(separator: " ")
    return [String(file.version), file.name, words, file.fileName]
  }

  var json: JSON {
    [
      "version": .integer(file.version), "name": .string(file.name), "action": .string(action.rawValue),
      "file": .string(file.fileName),
    ]
  }
}
