#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
internal import Synchronization

/// Places at which a test can have the process killed. Release builds have none.
enum FaultPoint: String {
  /// Chunks are planned and recorded.
  case planned = "job-planned"
  /// A chunk is locked, and nothing is done yet.
  case claimed = "job-claimed"
  /// The work of a chunk is done, and not committed.
  case worked = "job-worked"
  /// COMMIT is on its way.
  case commitSent = "job-commit-sent"
  /// COMMIT was answered.
  case committed = "job-committed"
  /// A bad chunk was split.
  case split = "job-split"
  /// Finished chunks were folded into the run.
  case folded = "job-folded"

  /// Ends the process by SIGKILL where `IRONFORGE_FAULT` names this point: `job-worked`, or `job-worked:7`
  /// for the seventh time that it is reached.
  @inline(__always)
  func reach() {
    #if DEBUG
      guard let setting = getenv("IRONFORGE_FAULT") else { return }
      let parts = String(cString: setting).split(separator: ":", maxSplits: 1)
      guard let name = parts.first, name == rawValue else { return }
      let wanted = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
      if timesReached.add(1, ordering: .relaxed).newValue >= wanted { kill(getpid(), SIGKILL) }
    #endif
  }
}

#if DEBUG
  private let timesReached = Atomic<Int>(0)
#endif
