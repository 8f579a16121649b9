public import Postgres

/// How hard a run may work. It may differ from one process that works on a run to the next.
public struct RunSettings: Sendable {
  /// Rows of a chunk.
  public var chunkSize: Int
  /// Chunks in flight.
  public var concurrency: Int
  /// Rows a second, over all chunks; nil for as many as go.
  public var maxRate: Int?
  /// The replica lag, in seconds, beyond which no chunk is started; nil for whatever it is.
  public var maxLagSeconds: Double?
  /// Rows that may fail in one process before the run gives up.
  public var maxFailures: Int
  /// How long to wait for another process that works on the same.
  public var lockWait: Duration = .zero
  /// How long a chunk may stay locked by the backend of a process that has gone. Longer than a statement may
  /// take.
  public var leftoverPatience: Duration = .seconds(90)
  /// How long the server may be unreachable before the run gives up.
  public var outagePatience: Duration = .seconds(60)
  /// How long chunks in flight may go on after a signal before they are rolled back.
  public var stopGrace: Duration = .seconds(5)

  public init(
    chunkSize: Int = 100, concurrency: Int = 10, maxRate: Int? = nil, maxLagSeconds: Double? = nil,
    maxFailures: Int = 100
  ) {
    self.chunkSize = chunkSize
    self.concurrency = concurrency
    self.maxRate = maxRate
    self.maxLagSeconds = maxLagSeconds
    self.maxFailures = maxFailures
  }

  /// The settings within the job's limits. A chunk is never more than a second's worth of the rate, so that
  /// the load is even.
  func limited(by limits: JobLimits) -> RunSettings {
    var limited = self
    limited.chunkSize = max(1, min(chunkSize, limits.chunkSize, maxRate ?? .max))
    limited.concurrency = max(1, min(concurrency, limits.concurrency))
    return limited
  }
}

/// What a run needs of its surroundings.
public struct RunEnvironment: Sendable {
  /// Opens a connection to the primary.
  public var connect: @Sendable () async throws -> Connection
  /// Open connections to the replicas whose lag counts besides that of the primary's own standbys.
  public var replicas: [@Sendable () async throws -> Connection]
  /// True once somebody asked the process to stop.
  public var shouldStop: @Sendable () -> Bool
  /// Told of what happens, from any thread.
  public var onEvent: @Sendable (JobEvent) -> Void

  public init(
    connect: @escaping @Sendable () async throws -> Connection,
    replicas: [@Sendable () async throws -> Connection] = [],
    shouldStop: @escaping @Sendable () -> Bool = { false },
    onEvent: @escaping @Sendable (JobEvent) -> Void = { _ in }
  ) {
    self.connect = connect
    self.replicas = replicas
    self.shouldStop = shouldStop
    self.onEvent = onEvent
  }
}

/// What happens while a run goes on.
public enum JobEvent: Sendable {
  /// Another process works on the same; this one waits.
  case waiting
  /// The run has begun, or goes on where another process left it.
  case began(JobRun, isContinued: Bool)
  /// The run is done; the process that finished it ended before it had told so.
  case foundDone(JobRun)
  case progress(JobProgress)
  /// Somebody paused it, or let it go on.
  case paused(Bool)
  /// A row was set aside.
  case rowFailed(ItemFailure)
  /// The server cannot be reached; it is tried again.
  case outage(String)
}

/// How far a run is.
public struct JobProgress: Sendable {
  public let done: Int64
  public let total: Int64
  public let failed: Int64
  /// Of the last seconds.
  public let rowsPerSecond: Double
  /// Nil for nothing.
  public let throttle: Throttle?
}
