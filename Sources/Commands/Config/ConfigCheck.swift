import ArgumentParser
import Configuration
import Primitives

/// `ironforge config check`.
struct ConfigCheck: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check the configuration; exit 78 when something is wrong.",
    discussion: """
      Names every unknown key and every bad value with file, line and column. Connects to nothing.

      EXAMPLES:
        ironforge config check
        ironforge config check --config staging.toml --json
      """
  )

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let loaded = try context.loadConfiguration()
    for warning in loaded.warnings { context.messages.warning(warning) }
    try context.output.render(ConfigurationVerdict(file: loaded.file, problems: loaded.problems))
    if !loaded.problems.isEmpty { throw ExitCode(.configuration) }
  }
}

/// What `config check` found.
struct ConfigurationVerdict: Renderable {
  let file: String?
  let problems: [ConfigurationProblem]

  var json: JSON {
    [
      "ok": .bool(problems.isEmpty), "file": .optional(file), "problems": .array(problems.map(\.json)),
    ]
  }

  var text: String {
    guard problems.isEmpty else {
      return problems.map { terminalSafe($0.description) }.joined(separator: "\n")
    }
    return file.map { "\(terminalSafe($0)) is fine." }
      ?? "There is no configuration file; the defaults are in use."
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["source", "line", "column", "message", "suggestion"],
      problems.map { problem in
        [
          problem.source, problem.position.map { String($0.line) } ?? "",
          problem.position.map { String($0.column) } ?? "", problem.message, problem.suggestion ?? "",
        ]
      }
    )
  }
}
