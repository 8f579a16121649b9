import Glibc
import Primitives

/// Runs a program of the servers as their user and returns what it printed (both streams).
///
/// - Throws: `SandboxFailure.programFailed` with the last lines when it fails, `timedOut` at the deadline, when
///   it is killed.
@discardableResult
func runProgram(
  _ path: String, _ arguments: [String], as account: ServerAccount, in directory: String,
  input: String = "", deadline: Deadline
) async throws -> String {
  // setpriv(1) changes the user: setuid(2) in a child of a process with threads is not safe.
  let command =
    account.isOther ? [try setpriv(), "--clear-groups"] + account.identity + ["--", path] : [path]
  // An environment of our own: PGOPTIONS, PGDATA or a locale of the caller must not change the sandbox.
  let child = try ChildProcess(
    ChildProcess.Command(
      path: command[0], arguments: command.dropFirst() + arguments,
      environment: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC",
        "HOME=\(directory)",
      ], directory: directory, input: Array(input.utf8)), deadline: deadline)
  let outcome = await withTaskCancellationHandler {
    await child.outcome()
  } onCancel: {
    child.signal(SIGKILL)
  }
  try Task.checkCancellation()
  let name = String(path.split(separator: "/").last ?? "program")
  if outcome.isTimedOut { throw SandboxFailure.timedOut(waitingFor: name, log: directory) }
  let output = String(decoding: outcome.stdout + outcome.stderr, as: UTF8.self)
  guard outcome.exitCode == 0 else {
    throw SandboxFailure.programFailed(
      program: name, status: "exit code \(outcome.exitCode)", output: lastLines(of: output))
  }
  return output
}

private func setpriv() throws(SandboxFailure) -> String {
  for path in ["/usr/bin/setpriv", "/bin/setpriv"] where Files.isExecutable(path) { return path }
  throw .serverMissing(program: "setpriv", package: "util-linux", searched: "/usr/bin and /bin")
}

/// The last five lines that say something, joined, for an error message of bounded length.
func lastLines(of text: String) -> String {
  text.split(whereSeparator: \.isNewline).suffix(5).joined(separator: " | ")
}
