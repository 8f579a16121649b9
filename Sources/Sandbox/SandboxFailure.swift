public import Primitives

/// Why a sandbox could not do what it was asked.
public enum SandboxFailure: Failure, Equatable {
  /// No program of this name is installed; `searched` names the places.
  case serverMissing(program: String, package: String, searched: String)
  /// Root must start the servers as somebody else, and there is neither a user `postgres` nor `nobody`.
  case noUnprivilegedUser
  /// A system call failed.
  case fileSystem(operation: String, path: String, errorNumber: Int32)
  /// A directory that should be ours belongs to somebody else.
  case foreignDirectory(path: String)
  /// A program of the server ended with an error; `output` holds its last lines.
  case programFailed(program: String, status: String, output: String)
  /// A server did not answer in time.
  case timedOut(waitingFor: String, log: String)
  /// Another process is starting or stopping the same sandbox.
  case busy(directory: String)
  /// The data directory was made by a PostgreSQL that is not installed any more.
  case versionMissing(data: String, installed: [String])
  /// The option's value cannot be used.
  case invalidOption(name: String, value: String)
  /// The state file says something that this version does not understand.
  case malformedState(path: String)
  /// Addresses were asked for while nothing runs.
  case notRunning(directory: String)

  /// Stable name, `sandbox_…`.
  public var code: String {
    switch self {
    case .serverMissing: "sandbox_server_missing"
    case .noUnprivilegedUser: "sandbox_no_unprivileged_user"
    case .fileSystem: "sandbox_file_system"
    case .foreignDirectory: "sandbox_foreign_directory"
    case .programFailed: "sandbox_program_failed"
    case .timedOut: "sandbox_timed_out"
    case .busy: "sandbox_busy"
    case .versionMissing: "sandbox_version_missing"
    case .invalidOption: "sandbox_invalid_option"
    case .malformedState: "sandbox_malformed_state"
    case .notRunning: "sandbox_not_running"
    }
  }

  /// What failed and why.
  public var message: String {
    switch self {
    case .serverMissing(let program, _, let searched):
      "The sandbox needs \(program), which was not found in \(searched)."
    case .noUnprivilegedUser:
      "PostgreSQL refuses to run as root, and this system has no user postgres or nobody to run it."
    case .fileSystem(let operation, let path, let number):
      "Cannot \(operation) \(path): \(errorText(number))."
    case .foreignDirectory(let path):
      "\(path) exists and belongs to another user, so the sandbox does not use it."
    case .programFailed(let program, let status, let output):
      output.isEmpty ? "\(program) failed (\(status))." : "\(program) failed (\(status)): \(output)"
    case .timedOut(let what, _): "Gave up waiting for \(what)."
    case .busy(let directory): "Another process is working on the sandbox of \(directory)."
    case .versionMissing(let data, let installed):
      "The sandbox's data was made by PostgreSQL \(data); installed: "
        + (installed.isEmpty ? "none" : installed.joined(separator: ", ")) + "."
    case .invalidOption(let name, let value): "\(value) is not a usable value for \(name)."
    case .malformedState(let path): "\(path) is not a sandbox state file of this version."
    case .notRunning(let directory): "No sandbox is running in \(directory)."
    }
  }

  /// What to do next.
  public var hint: String? {
    switch self {
    case .serverMissing(_, let package, _): "Install it: apt-get install \(package)"
    case .noUnprivilegedUser: "Run ironforge as an ordinary user, or create a user named postgres."
    case .fileSystem: "Check the owner, the mode and the free space of the directory."
    case .foreignDirectory(let path): "Remove \(path), or use the sandbox from another directory."
    case .programFailed: "Look into the log, or start afresh with: ironforge sandbox reset"
    case .timedOut(_, let log): "See \(log)"
    case .busy: "Wait for it to finish, then try again."
    case .versionMissing(let data, _):
      "Install postgresql-\(data), or discard the sandbox's data with: ironforge sandbox reset"
    case .invalidOption: nil
    case .malformedState: "Discard the sandbox with: ironforge sandbox reset"
    case .notRunning: "Start it with: ironforge sandbox up"
    }
  }

  /// Only a wait that ran out may succeed by itself.
  public var isRetryable: Bool {
    switch self {
    case .busy, .timedOut: true
    default: false
    }
  }

  /// Decides the exit code.
  public var kind: FailureKind {
    switch self {
    case .programFailed, .timedOut, .notRunning: .unreachable
    case .busy: .busy
    case .invalidOption: .usage
    default: .configuration
    }
  }
}
