import Glibc

/// Signals to the servers of a sandbox.
enum ProcessSignal {
  /// Sends a signal; a process that has gone meanwhile is no error.
  static func send(_ signal: Int32, to process: pid_t) throws(SandboxFailure) {
    guard kill(process, signal) == 0 || errno == ESRCH else {
      throw .fileSystem(operation: "signal process", path: String(process), errorNumber: errno)
    }
  }
}
