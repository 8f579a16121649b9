#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Places at which a test can have the process killed. Release builds have none.
enum FaultPoint: String {
  case beforeBegin = "before-begin"
  case afterLocks = "after-locks"
  case commitSent = "commit-sent"
  case afterCommit = "after-commit"

  /// Ends the process by SIGKILL where `IRONFORGE_FAULT` names this point.
  @inline(__always)
  func reach() {
    #if DEBUG
      if let name = getenv("IRONFORGE_FAULT"), String(cString: name) == rawValue { kill(getpid(), SIGKILL) }
    #endif
  }
}
