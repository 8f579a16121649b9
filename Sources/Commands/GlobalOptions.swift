import ArgumentParser

/// The options that every command takes.
struct GlobalOptions: ParsableArguments, Sendable {
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("How data is printed.", valueName: "format"))
  var outputName: OutputFormat?

  @Flag(name: .customLong("json"), help: "Short for --output json.")
  var isJSON = false

  @Flag(
    name: [.customShort("q"), .customLong("quiet")],
    help:
      "Say nothing on stderr, and no summary, unless something is wrong (a list's next_cursor with --json still shows)."
  )
  var isQuiet = false

  @Flag(name: .customLong("no-color"), help: "No colours, as with NO_COLOR set.")
  var hasNoColor = false

  @Option(help: ArgumentHelp("When progress is shown on stderr.", valueName: "mode"))
  var progress = ProgressMode.auto

  @Option(help: ArgumentHelp("The configuration file to read.", valueName: "file"), completion: .file())
  var config: String?

  @Option(
    name: .customLong("database-url"), help: ArgumentHelp("PostgreSQL, as URI or keywords.", valueName: "url")
  )
  var databaseURL: String?

  @Option(name: .customLong("redis-url"), help: ArgumentHelp("Redis.", valueName: "url"))
  var redisURL: String?

  @Flag(name: .customLong("no-input"), help: "Never ask a question.")
  var hasNoInput = false

  init() {}

  /// How data is printed.
  var output: OutputFormat { isJSON ? .json : outputName ?? .text }

  func validate() throws {
    if isJSON, let outputName, outputName != .json {
      throw ValidationError("--json and --output \(outputName.rawValue) contradict each other.")
    }
  }
}

extension OutputFormat: ExpressibleByArgument {}
extension ProgressMode: ExpressibleByArgument {}
