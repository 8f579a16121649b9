public import Postgres
public import Primitives

/// What is recorded of runs, on one session: read, and changed from outside of the process that works on one.
public struct JobRecords {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// A run by its id.
  ///
  /// - Throws: `job_run_not_found`.
  public func run(_ id: Identifier) throws -> JobRun {
    guard let row = try session.query(JobStatements.selectRun(id)).first else {
      throw Self.notFound("there is no run \(id)")
    }
    return try Self.run(row)
  }

  /// The run that was created last.
  ///
  /// - Throws: `job_run_not_found` where there is none.
  public func latest() throws -> JobRun {
    guard let row = try session.query(JobStatements.selectLatest()).first else {
      throw Self.notFound("no job has run on this database")
    }
    return try Self.run(row)
  }

  /// The run that the same job with the same options goes on with, or whose end it tells.
  func open(_ fingerprint: Fingerprint) throws(PostgresError) -> JobRun? {
    try session.query(JobStatements.selectOpen(fingerprint.text)).first.map(Self.run)
  }

  /// Runs, newest first.
  ///
  /// - Parameters:
  ///   - job: only runs of this job; nil for all.
  ///   - before: only runs older than this one; nil for the newest.
  /// - Returns: at most `limit` runs, and whether more follow.
  public func runs(
    of job: String?, before: Identifier?, limit: Int
  ) throws(PostgresError) -> (runs: [JobRun], hasMore: Bool) {
    let end = before ?? Identifier(high: .max, low: .max)
    let rows = try session.query(JobStatements.selectRuns(end, job, Int64(clamping: limit) &+ 1))
    return (try rows.prefix(limit).map(Self.run), rows.count > limit)
  }

  /// A run with the rows that failed, at most a thousand of them.
  public func status(of run: JobRun) throws(PostgresError) -> JobStatus {
    let rows = try session.query(JobStatements.selectFailures(run.id, failuresListedMax))
    return JobStatus(
      run: run,
      failed: try rows.map { row throws(PostgresError) in
        ItemFailure(key: try row.decode(0), code: try row.decode(1), message: try row.decode(2))
      })
  }

  /// Lets a run rest: chunks in flight end, and none is started until somebody resumes it. Also a run without
  /// a process is kept from going on.
  ///
  /// - Throws: `job_run_not_found`; `job_run_finished` for one that is done or cancelled.
  public func pause(_ id: Identifier) throws -> JobRun {
    try change(id, by: JobStatements.pause)
  }

  /// Lets a paused run go on, if a process waits for that.
  ///
  /// - Returns: the run. Where `isOwned` is false, nobody works on it, and it is still paused.
  /// - Throws: as `pause` does.
  public func unpause(_ id: Identifier) throws -> JobRun {
    let run = try run(id)
    if run.isOver { throw Self.finished(run) }
    guard run.isOwned, run.state == .paused else { return run }
    return try change(id, by: JobStatements.unpause)
  }

  /// Ends a run for good. What its chunks did so far stays.
  ///
  /// - Throws: as `pause` does, for a run that is done; to cancel one twice is no error.
  public func cancel(_ id: Identifier) throws -> JobRun {
    let run = try run(id)
    if run.state == .cancelled { return run }
    let cancelled = try change(id, by: JobStatements.cancel)
    // The process that owns it takes the planned chunks away; where there is none, nobody else would.
    if !run.isOwned { try session.query(JobStatements.dropChunks(id)) }
    return cancelled
  }

  private func change(_ id: Identifier, by statement: Statement) throws -> JobRun {
    _ = try unfinished(id)
    try session.query(statement(id))
    return try run(id)
  }

  private func unfinished(_ id: Identifier) throws -> JobRun {
    let run = try run(id)
    guard !run.state.isFinal else { throw Self.finished(run) }
    return run
  }

  static func finished(_ run: JobRun) -> SimpleFailure {
    SimpleFailure(
      .refused, code: "job_run_finished", message: "run \(run.id) is \(run.state.rawValue), which is final",
      hint: "start another one: ironforge job run \(run.job) …")
  }

  private static func notFound(_ message: String) -> SimpleFailure {
    SimpleFailure(.refused, code: "job_run_not_found", message: message, hint: "see `ironforge job list`")
  }

  /// Reads the columns that every statement on runs begins with.
  static func run(_ row: Row) throws(PostgresError) -> JobRun {
    let names: [String] = try row.decode(2)
    let values: [String] = try row.decode(3)
    guard let recorded = JobState(rawValue: try row.decode(4)) else {
      throw .decoding("an unknown state of a run")
    }
    let isOwned: Bool = try row.decode(28)
    return JobRun(
      id: try row.decode(0), job: try row.decode(1),
      options: Dictionary(zip(names, values)) { first, _ in first },
      state: recorded == .running && !isOwned ? .interrupted : recorded, isOwned: isOwned,
      attempt: try row.decode(5), owner: try row.decode(6), settings: try settings(row),
      keyColumns: try row.decode(12), plannedTo: try row.decodeIfPresent(13), total: try row.decode(14),
      isTotalExact: try row.decode(15), done: try row.decode(16), affected: try row.decode(17),
      failedCount: try row.decode(18), rowsPerSecond: try row.decode(19),
      throttledBy: try row.decodeIfPresent(20), throttleDetail: try row.decodeIfPresent(21),
      errorCode: try row.decodeIfPresent(22), errorMessage: try row.decodeIfPresent(23),
      createdAt: try row.decode(24), startedAt: try row.decode(25), heartbeatAt: try row.decode(26),
      finishedAt: try row.decodeIfPresent(27), awaitsReport: try row.decode(29))
  }

  private static func settings(_ row: Row) throws(PostgresError) -> RunSettings {
    RunSettings(
      chunkSize: Int(clamping: try row.decode(7, as: Int64.self)),
      concurrency: Int(clamping: try row.decode(8, as: Int64.self)),
      maxRate: try row.decodeIfPresent(9, as: Int64.self).map { Int(clamping: $0) },
      maxLagSeconds: try row.decodeIfPresent(10),
      maxFailures: Int(clamping: try row.decode(11, as: Int64.self)))
  }
}
