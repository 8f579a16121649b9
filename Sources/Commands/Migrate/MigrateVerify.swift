import ArgumentParser
import Migrations
import Primitives

/// `ironforge migrate verify`.
struct MigrateVerify: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare the database's records with the files; exit 10 where they differ.",
    discussion: """
      Finds what is pending, out of order, half done, changed after it was applied or gone, and indexes that an \
      interrupted build left invalid. Reads only.

      EXAMPLES:
        ironforge migrate verify
        ironforge migrate verify --json
      """)

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let (migrator, _) = try context.migrator(try source.files())
    let findings = try migrator.verify()
    try context.output.render(findings.map(MigrationFindingRow.init))
    if !findings.isEmpty { throw ExitCode(.found) }
    context.messages.info("the database is as the files describe it")
  }
}

/// A finding as it is printed.
struct MigrationFindingRow: TableRow {
  static let tableHeader: [TableColumn] = ["kind", .number("version"), "subject", "message"]
  let finding: MigrationFinding

  var tableRow: [String] {
    [
      finding.kind.rawValue.split(separator: "_").joined(separator: " "),
      finding.version.map { String($0) } ?? "", finding.subject, finding.message,
    ]
  }

  var json: JSON {
    [
      "kind": .string(finding.kind.rawValue), "version": finding.version.map(JSON.integer) ?? .null,
      "subject": .string(finding.subject), "message": .string(finding.message),
    ]
  }
}
