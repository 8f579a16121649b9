import ArgumentParser
import Migrations
import Primitives

/// `ironforge migrate lint`.
struct MigrateLint: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Name what migrations do that hurts a database in use; exit 10 when they do.",
    discussion: """
      Without files: those that this database has not applied yet; with --all every file of the directory, and no database is \
      asked. A file without -- migrate: lines is read as a script for psql. What a file does to a table that it has made is \
      fine, and reverts may lose data. Statements are read by the grammar of PostgreSQL 15.

      A comment in front of a statement, or in it, allows it something, with a reason:
        -- lint: allow set_not_null because the table has ten rows

      RULES: \(LintRule.allCases.map(\.rawValue).joined(separator: ", "))

      EXAMPLES:
        ironforge migrate lint
        ironforge migrate lint migrations/0042_add_labels.sql --json
        ironforge migrate lint --all
      """)

  @Argument(help: "Files to read instead.", completion: .file(extensions: ["sql"]))
  var files: [String] = []

  @Flag(help: "Every file of the directory.")
  var all = false

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    if !files.isEmpty, all || source.directory != nil {
      throw ValidationError("Files are read instead of a directory: leave --all and --dir out.")
    }
  }

  func run(in context: CommandContext) throws {
    var linter = MigrationLinter()
    var rows: [LintRow] = []
    var count = 0
    for (name, content, isReported) in try texts(context) {
      let findings = try linter.lint(file: name, content: content)
      if isReported {
        count += 1
        rows += findings.map(LintRow.init)
      }
    }
    context.itemCount = Int64(rows.count)
    try context.output.renderParagraphs(rows)
    guard rows.isEmpty else { throw ExitCode(.found) }
    context.messages.info(count == 0 ? "nothing is pending" : "\(count) files hold nothing that hurts")
  }

  /// Names and contents in their order, and whether what is found in them is told. Files that are applied are read all the
  /// same: they say which types columns have.
  private func texts(_ context: CommandContext) throws -> [(String, [UInt8], Bool)] {
    if !files.isEmpty {
      return try files.map { path in
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let name = String(parts.removeLast())
        let parent = parts.isEmpty ? "." : parts == [""] ? "/" : parts.joined(separator: "/")
        return (path, try MigrationDirectory(path: parent).content(of: name), true)
      }
    }
    let directory = try source.located()
    let migrations = try directory.files()
    var pending = Set(migrations.map(\.version))
    if !all {
      let (migrator, _) = try context.migrator(migrations)
      pending = Set(try migrator.status().filter { $0.state != .applied }.map(\.version))
    }
    return try migrations.map {
      ($0.fileName, try directory.content(of: $0.fileName), pending.contains($0.version))
    }
  }
}

/// A finding of the linter, as it is printed.
struct LintRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "file", .number("line"), "rule", "object", "lock", "blocks", "message", "fix",
  ]
  let finding: LintFinding

  var tableRow: [String] { csvRow }

  var json: JSON {
    [
      "file": .string(finding.file), "line": .integer(Int64(finding.line)),
      "rule": .string(finding.rule.rawValue), "object": .optional(finding.object),
      "lock": .optional(finding.rule.lock), "blocks": .optional(finding.rule.blocks),
      "message": .string(finding.message), "fix": .string(finding.rule.fix),
    ]
  }

  var text: String {
    let lock =
      finding.rule.lock.map { lock in "  [\(lock): blocks \(finding.rule.blocks ?? "nothing")]" } ?? ""
    return """
      \(terminalSafe(finding.file)):\(finding.line): \(finding.rule.rawValue)\(lock)
        \(terminalSafe(finding.message))
        instead: \(terminalSafe(finding.rule.fix))
      """
  }
}
