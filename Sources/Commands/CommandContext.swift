package import Configuration
import Glibc
import Sandbox
import Synchronization

/// What a command works with: its output, the configuration, the signals.
///
/// Made once a run. Further resources are added by extensions, each in a file of its own; nothing is opened, read or
/// looked up before a command asks for it.
package final class CommandContext: Sendable {
  /// The options that every command takes.
  let options: GlobalOptions
  /// Where the command prints.
  let output: Output
  /// SIGINT and SIGTERM.
  package let signals = Signals.shared

  private let loaded = Mutex<LoadedConfiguration?>(nil)
  /// What a signal cancels, for as long as the command runs.
  let registrations = Mutex<[Signals.Registration]>([])

  /// How many things the command has dealt with, for `--metrics-file`: transfers, rows, checks.
  var itemCount: Int64 {
    get { items.withLock { $0 } }
    set { items.withLock { $0 = newValue } }
  }
  private let items = Mutex<Int64>(0)

  /// For one run with `options`.
  init(_ options: GlobalOptions) {
    self.options = options
    let isColored = !options.hasNoColor && terminalTakesColor()
    let messages = Messages(asJSON: options.output == .json, isQuiet: options.isQuiet, isColored: isColored)
    output = Output(
      format: options.output, isColored: isColored && isatty(STDOUT_FILENO) == 1, messages: messages)
  }

  /// Notes and warnings.
  package var messages: Messages { output.messages }

  /// The configuration, read when it is first asked for.
  ///
  /// - Throws: ``ConfigurationFailure``, also when any value is wrong.
  package func configuration() throws(ConfigurationFailure) -> LoadedConfiguration {
    try loadConfiguration().validated()
  }

  /// As ``configuration()``, with its problems instead of an error.
  func loadConfiguration() throws(ConfigurationFailure) -> LoadedConfiguration {
    if let known = loaded.withLock({ $0 }) { return known }
    let fresh = try LoadedConfiguration.load(
      ConfigurationRequest(
        databaseURL: options.databaseURL, redisURL: options.redisURL, file: options.config,
        sandbox: Self.runningSandbox))
    loaded.withLock { $0 = fresh }
    return fresh
  }

  /// The servers of the sandbox that runs in `directory`, for the last place in the order of precedence.
  @Sendable private static func runningSandbox(in directory: String) throws -> SandboxURLs? {
    try Sandbox.running(in: directory).map { (database: $0.databaseURL, redis: $0.redisURL) }
  }

  /// Whether anybody will see progress; what it costs to know a total can be saved otherwise.
  var showsProgress: Bool {
    switch options.progress {
    case .auto: messages.isTerminal && !messages.isQuiet
    case .json: true
    case .none: false
    }
  }

  /// Begins to show how far the work is. `total` counts items, where it is known; `doneBefore` those that an earlier
  /// process did.
  func progress(_ label: String, total: Int64? = nil, doneBefore: Int64 = 0) -> Progress {
    Progress(label, total: total, doneBefore: doneBefore, mode: options.progress, messages: messages)
  }
}

/// https://no-color.org: any value but the empty one counts.
private func terminalTakesColor() -> Bool {
  if let value = getenv("NO_COLOR"), value.pointee != 0 { return false }
  guard let terminal = getenv("TERM") else { return false }
  return strcmp(terminal, "dumb") != 0
}
