#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Places at which a test can have the process killed. Release builds have none.
enum FaultPoint: String {
  case beforeBegin = "before-begin"
  case afterLocks = "after-locks"
  case afterInserts = "after-inserts"
  case commitSent = "commit-sent"
  case afterCommit = "after-commit"

  /// Whether `IRONFORGE_FAULT` names this point; what is usually sent together is then sent in two steps.
  var isArmed: Bool {
    #if DEBUG
      getenv("IRONFORGE_FAULT").map { String(cString: $0) == rawValue } ?? false
    #else
      false
    #endif
  }

  /// Ends the process by SIGKILL where `IRONFORGE_FAULT` names this point.
  @inline(__always)
  func reach() {
    #if DEBUG
      if isArmed { kill(getpid(), SIGKILL) }
    #endif
  }
}
