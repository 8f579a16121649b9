import ArgumentParser
import Migrations
import Primitives

/// `ironforge migrate status`.
struct MigrateStatus: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "List the migrations and where each stands; exit 10 unless all are applied.",
    discussion: """
      EXAMPLES:
        ironforge migrate status
        ironforge migrate status --json | jq 'select(.state != "applied")'
      """)

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let (migrator, _) = try context.migrator(try source.files())
    let rows = try migrator.status().map(MigrationStatusRow.init)
    try context.output.render(rows)
    if rows.contains(where: { $0.status.state != .applied }) { throw ExitCode(.found) }
  }
}

/// Where a migration stands, as it is printed.
struct MigrationStatusRow: TableRow {
  static let tableHeader: [TableColumn] = [
    .number("version"), "name", "state", "applied_at", .number("duration"),
  ]
  static let csvHeader = [
    "version", "name", "state", "applied_at", "duration_ms", "file", "checksum", "applied_checksum",
  ]
  let status: MigrationStatus

  var tableRow: [String] {
    [
      String(status.version), status.name,
      status.state.rawValue.split(separator: "_").joined(separator: " "),
      status.appliedAt?.description ?? "",
      status.durationMilliseconds.map { humanDuration(.milliseconds($0)) } ?? "",
    ]
  }

  var json: JSON {
    [
      "version": .integer(status.version), "name": .string(status.name),
      "state": .string(status.state.rawValue), "applied_at": .time(status.appliedAt),
      "duration_ms": status.durationMilliseconds.map(JSON.integer) ?? .null,
      "file": .optional(status.fileName), "checksum": .optional(status.fileChecksum),
      "applied_checksum": .optional(status.appliedChecksum),
    ]
  }
}
