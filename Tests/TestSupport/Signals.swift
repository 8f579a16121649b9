import Glibc

/// Signals that tests send to servers and commands.
public enum Signals {
  /// Sends a signal to a process that must exist.
  public static func send(_ signal: Int32, to process: Int32) throws {
    guard process > 1, kill(process, signal) == 0 else {
      throw TestFailure("Cannot send signal \(signal) to process \(process): errno \(errno).")
    }
  }
}
