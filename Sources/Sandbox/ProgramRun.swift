import Primitives
import Subprocess
import SystemPackage

/// Runs a program of the servers as their user and returns what it printed (both streams).
///
/// - Throws: `SandboxFailure.programFailed` with the last lines when it fails, `timedOut` at the deadline, when
///   it is killed.
@discardableResult
func runProgram(
  _ path: String, _ arguments: [String], as account: ServerAccount, in directory: String,
  input: String = "", deadline: Deadline
) async throws -> String {
  // Through setpriv(1), not through the spawning library's own user and group: that calls setuid(2)'s wrapper in a
  // child made by a raw clone3(2), where glibc waits for threads that the child does not have, for ever. Seen.
  let command =
    account.isOther ? [try setpriv(), "--clear-groups"] + account.identity + ["--", path] : [path]
  // An environment of our own: PGOPTIONS, PGDATA or a locale of the caller must not change the sandbox.
  let configuration = Configuration(
    executable: .path(FilePath(command[0])), arguments: Arguments(command.dropFirst() + arguments),
    environment: .custom([
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
      "TZ": "UTC", "HOME": directory,
    ]),
    workingDirectory: FilePath(directory))
  let name = String(path.split(separator: "/").last ?? "program")
  return try await withThrowingTaskGroup(of: String?.self) { group in
    group.addTask {
      let result = try await run(
        configuration, input: .string(input), output: .string(limit: 1 << 20), error: .combinedWithOutput)
      guard result.terminationStatus.isSuccess else {
        throw SandboxFailure.programFailed(
          program: name, status: String(describing: result.terminationStatus),
          output: lastLines(of: result.standardOutput))
      }
      return result.standardOutput
    }
    group.addTask {
      try await Task.sleep(for: deadline.remaining)
      return nil
    }
    defer { group.cancelAll() }
    guard let first = try await group.next(), let output = first else {
      throw SandboxFailure.timedOut(waitingFor: name, log: directory)
    }
    return output
  }
}

private func setpriv() throws(SandboxFailure) -> String {
  for path in ["/usr/bin/setpriv", "/bin/setpriv"] where Files.isExecutable(path) { return path }
  throw .serverMissing(program: "setpriv", package: "util-linux", searched: "/usr/bin and /bin")
}

/// The last five lines that say something, joined, for an error message of bounded length.
func lastLines(of text: String) -> String {
  text.split(whereSeparator: \.isNewline).suffix(5).joined(separator: " | ")
}
