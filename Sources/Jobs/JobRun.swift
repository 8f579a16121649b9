public import Primitives

/// Where a run stands.
public enum JobState: String, Sendable, CaseIterable {
  /// A process works on it.
  case running
  /// Nobody works on it until somebody resumes it.
  case paused
  /// Its process was stopped or died. The same command goes on where it stopped.
  case interrupted
  /// It gave up, and says why. The same command goes on where it stopped.
  case failed
  /// Somebody ended it for good.
  case cancelled
  /// It is finished; rows may have failed.
  case done

  /// Whether nothing can go on any more.
  public var isFinal: Bool { self == .done || self == .cancelled }
}

/// A run of a job, as it is recorded.
public struct JobRun: Sendable {
  public let id: Identifier
  public let job: String
  /// The job's own options.
  public let options: [String: String]
  /// As it is: `interrupted` also where the record says `running` and no process holds the run's lock.
  public var state: JobState
  /// Whether a process holds the run's lock.
  public let isOwned: Bool
  /// Counts the processes that have worked on it.
  public let attempt: Int32
  /// Host and process that owns it, or did.
  public let owner: String
  /// How hard it may work.
  public let settings: RunSettings
  /// The columns of the key.
  public let keyColumns: [String]
  /// Up to this key chunks are planned.
  public let plannedTo: [String]?
  /// Rows in all, when the run began.
  public let total: Int64
  /// Whether they were counted, not estimated.
  public let isTotalExact: Bool
  /// Rows that were visited, failed ones included.
  public let done: Int64
  /// Rows that were changed.
  public let affected: Int64
  /// Rows that failed.
  public let failedCount: Int64
  /// Of the last seconds while it runs, over all when it is done.
  public let rowsPerSecond: Double
  /// What slows it down, a word; nil for nothing.
  public let throttledBy: String?
  public let throttleDetail: String?
  public let errorCode: String?
  public let errorMessage: String?
  public let createdAt: Timestamp
  /// When the present owner took it.
  public let startedAt: Timestamp
  public let heartbeatAt: Timestamp
  public let finishedAt: Timestamp?
  /// Whether it is done, and its process has not told so yet.
  public let awaitsReport: Bool

  /// Whether the same command begins another run, instead of going on with this one or telling its end.
  public var isOver: Bool { state.isFinal && !awaitsReport }

  /// Seconds until it is done, as far as one can tell; nil unless it runs and moves.
  public var secondsLeft: Double? {
    guard state == .running, rowsPerSecond > 0 else { return nil }
    return Double(max(0, total - done)) / rowsPerSecond
  }
}

/// A run with the rows that failed, oldest first, as far as they are listed.
public struct JobStatus: Sendable {
  public let run: JobRun
  public let failed: [ItemFailure]
}

/// The most failed rows that a status lists.
let failuresListedMax: Int64 = 1000
