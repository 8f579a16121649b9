import ArgumentParser
import Glibc
import Primitives

/// A command of IronForge: parses its arguments, calls one function of the domain, renders.
protocol IronforgeCommand: ParsableCommand {
  var global: GlobalOptions { get }
  /// Does the work. To end with data printed and another exit code than 0, throw `ExitCode(.found)` and the like.
  func run(in context: CommandContext) throws
}

extension IronforgeCommand {
  func run() throws { try run(in: CommandContext(global)) }
}

/// Runs the command that `arguments` (without the name of the program) ask for, and returns its exit code.
public func runIronforge(_ arguments: [String]) -> Int32 {
  runIronforge(arguments, from: RootCommand.self)
}

/// The same for a program with the root command `root`.
func runIronforge(_ arguments: [String], from root: any ParsableCommand.Type) -> Int32 {
  // Writes to a reader that has gone shall fail, not kill: what was being done must end in order.
  signal(SIGPIPE, SIG_IGN)
  if arguments == ["--version"] { return printPlain(Version.text) }
  var command: any ParsableCommand
  do {
    command = try parse(arguments, from: root)
  } catch {
    return reportUsage(error, arguments, root)
  }
  guard let forged = command as? any IronforgeCommand else {
    // Only help, versions and completion scripts come here; they are thrown by `run`.
    do {
      try command.run()
      return 0
    } catch {
      return reportUsage(error, arguments, root)
    }
  }
  return run(forged)
}

/// Most command lines name their command first. Then no other one has to be built, which is worth a millisecond; whatever
/// else is asked for, and whatever is wrong, is left to the whole tree, which knows what help and errors say.
private func parse(_ arguments: [String], from root: any ParsableCommand.Type) throws -> any ParsableCommand {
  if let (named, rest) = namedCommand(arguments, from: root),
    let command = try? named.parseAsRoot(rest), command is any IronforgeCommand
  {
    return command
  }
  return try root.parseAsRoot(arguments)
}

private func run(_ command: any IronforgeCommand) -> Int32 {
  let context = CommandContext(command.global)
  guard let command = command as? any CronCommand else {
    return run(context) { try command.run(in: context) }
  }
  let cron = CronRun(command, in: context)
  let exitCode = run(context) {
    try cron.begin()
    try command.run(in: context)
  }
  cron.end(exitCode: exitCode)
  return exitCode
}

/// Does the work and prints what is left to print; whatever goes wrong becomes a message and an exit code.
private func run(_ context: CommandContext, _ work: () throws -> Void) -> Int32 {
  var exitCode: Int32 = 0
  do {
    do {
      try work()
    } catch let code as ExitCode {
      exitCode = code.rawValue
    } catch let failure where !(failure is ReaderGone) {
      // What was printed before belongs on stdout all the same, before the message.
      try context.output.flush()
      return report(failure, context)
    }
    try context.output.finish()
    return exitCode
  } catch is ReaderGone {
    return exitCode
  } catch {
    return report(error, context)
  }
}

private func report(_ error: any Error, _ context: CommandContext) -> Int32 {
  var report = ErrorReport(error)
  // A wait that a signal cut short fails in its own words; the signal is the reason.
  if let signal = context.signals.received,
    error is CancellationError || report.exitCode == FailureKind.unexpected.rawValue
  {
    report = ErrorReport(Signals.failure(for: signal))
  }
  context.messages.error(report)
  return report.exitCode
}

/// Help and versions go to stdout with exit code 0, a wrong command line to stderr with 64.
private func reportUsage(
  _ error: any Error, _ arguments: [String], _ root: any ParsableCommand.Type
) -> Int32 {
  guard root.exitCode(for: error) != .success else {
    return printPlain(root.fullMessage(for: error))
  }
  let asJSON = wantsJSON(arguments)
  let messages = Messages(asJSON: asJSON, isQuiet: false, isColored: false)
  let path = commandPath(arguments, from: root)
  let help = ([root._commandName] + path.names + ["--help"]).joined(separator: " ")
  var report = ErrorReport(usage: root.message(for: error), hint: "see `\(help)`")
  if let word = path.unknown {
    report.message = "unknown command '\(word)'"
    report.hint =
      "known are \(commandNames(under: path.names, from: root).joined(separator: ", ")); see `\(help)`"
    if let suggestion = path.suggestion { report.hint = "did you mean `\(suggestion)`? see `\(help)`" }
  }
  messages.error(report)
  return report.exitCode
}

private func printPlain(_ text: String) -> Int32 {
  var stream = FileStream(STDOUT_FILENO, bufferSize: 65_536)
  do {
    try stream.write { $0 += (text + "\n").utf8 }
    try stream.flush()
    return 0
  } catch is ReaderGone {
    return 0
  } catch {
    let report = ErrorReport(error)
    Messages(asJSON: false, isQuiet: false, isColored: false).error(report)
    return report.exitCode
  }
}

/// Whether a command line that could not be parsed asks for JSON.
private func wantsJSON(_ arguments: [String]) -> Bool {
  for (index, word) in arguments.enumerated() {
    if word == "--" { return false }
    if ["--json", "-ojson", "-o=json", "--output=json"].contains(word) { return true }
    if word == "json", index > 0, ["-o", "--output"].contains(arguments[index - 1]) { return true }
  }
  return false
}
