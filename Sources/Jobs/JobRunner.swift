internal import Postgres
public import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs a job to its end, in this process: begins a run, or goes on with one that was left unfinished.
///
/// What makes a run safe to kill at any moment: a chunk is marked done in the transaction that does its work, and a run
/// stays open to the same command until somebody has been told that it is done.
/// What makes it safe to start twice: a lock that the server keeps for as long as the process lives, and
/// takes back when it dies.
public struct JobRunner: Sendable {
  private let job: any Job
  private let settings: RunSettings
  private let environment: RunEnvironment
  private let retries: Identifier?

  /// - Parameter retries: a run whose failed rows this one tries again; nil for a run over all rows.
  public init(
    _ job: any Job, settings: RunSettings, environment: RunEnvironment, retries: Identifier? = nil
  ) {
    self.job = job
    self.settings = settings.limited(by: job.limits)
    self.environment = environment
    self.retries = retries
  }

  /// Begins a run, or goes on with the open one of the same job and options.
  ///
  /// - Parameter report: tells how it ended: done, or cancelled by somebody. Called once, while the run is still this process's;
  ///   where it throws, or the process dies in it, the same call reports again and repeats nothing.
  /// - Throws: `job_running` while another process works on it, `job_paused` for a run that somebody paused,
  ///   `too_many_failures`, `CancellationError` after a signal, and what the job and the server throw. In all
  ///   these cases the same call goes on later.
  public func run(report: (JobStatus) throws -> Void) async throws {
    try await own(report) { control, prepared, fingerprint in
      let found = try await control.withSession { session in try JobRecords(session).open(fingerprint) }
      guard let found else { return try await begin(control, prepared, fingerprint) }
      if found.state == .paused { throw JobPaused(run: found) }
      if isBehind(found) {
        await markReported(found, control)
        return try await begin(control, prepared, fingerprint)
      }
      return try await goOn(found, control)
    }
  }

  /// Whether an open run is only untold, and of a job that finds by itself what is left to do.
  private func isBehind(_ run: JobRun) -> Bool { run.state == .done && job.isRepeatable }

  /// Goes on with the run `id`, also one that was paused.
  ///
  /// - Parameter report: as for `run`.
  /// - Throws: as `run` does, and `job_run_finished`.
  public func resume(_ id: Identifier, report: (JobStatus) throws -> Void) async throws {
    try await own(report) { control, _, _ in
      let found = try await control.withSession { session in try JobRecords(session).run(id) }
      if found.isOver { throw JobRecords.finished(found) }
      return try await goOn(found, control)
    }
  }

  /// Finds out what a run would do, and writes nothing, not even a record.
  ///
  /// - Throws: what `run` throws before it begins; for another process at work it does not wait.
  public func rehearse() async throws -> JobPlan {
    let control = ConnectionKeeper(environment.connect)
    do {
      let plan = try await control.withSession { [job, settings] session in
        if settings.maxLagSeconds != nil { try LoadProbe.requireSightOfStandbys(session) }
        let prepared = try session.transaction(.snapshot) { try job.prepare(session) }
        let found = try JobRecords(session).open(Fingerprint(job))
        if let found, found.isOwned { throw JobBusy(job: job.name, run: found) }
        if let found, found.state == .paused { throw JobPaused(run: found) }
        let open = found.flatMap { isBehind($0) ? nil : $0 }
        return try JobPlan(job, prepared, settings, open: open, session)
      }
      await control.close()
      return plan
    } catch {
      await control.close()
      throw error
    }
  }

  /// What there is to do with a run.
  private enum Choice {
    case work(JobRun, isContinued: Bool)
    case tell(JobRun)
  }

  /// Prepares the job, takes its lock, works on the run that `choose` comes up with, tells its end, and lets go.
  private func own(
    _ report: (JobStatus) throws -> Void,
    _ choose: (ConnectionKeeper, any PreparedJob, Fingerprint) async throws -> Choice
  ) async throws {
    let control = ConnectionKeeper(environment.connect)
    let fingerprint = Fingerprint(job)
    let lock = RunLock(key: fingerprint.lockKey, connect: environment.connect)
    do {
      let prepared = try await control.withSession { [job, settings] session in
        if settings.maxLagSeconds != nil { try LoadProbe.requireSightOfStandbys(session) }
        return try session.transaction(.snapshot) { try job.prepare(session) }
      }
      try await acquire(lock, control, fingerprint)
      let status: JobStatus
      switch try await choose(control, prepared, fingerprint) {
      case .work(let run, let isContinued):
        environment.onEvent(.began(run, isContinued: isContinued))
        let loop = RunLoop(
          run, prepared: prepared, retries: retries, settings: settings, environment: environment,
          control: control, lock: lock)
        let end = await loop.work()
        status = try await close(run, end, control)
      case .tell(let run):
        environment.onEvent(.foundDone(run))
        status = try await control.withSession { session in try JobRecords(session).status(of: run) }
      }
      FaultPoint.finished.reach()
      try report(status)
      FaultPoint.reported.reach()
      await markReported(status.run, control)
      await lock.release()
      await control.close()
    } catch {
      await lock.release()
      await control.close()
      throw error
    }
  }

  private func acquire(
    _ lock: RunLock, _ control: ConnectionKeeper, _ fingerprint: Fingerprint
  ) async throws {
    let deadline = Deadline.after(settings.lockWait)
    var isFirst = true
    while try await !lock.acquire() {
      if environment.shouldStop() { throw CancellationError() }
      if deadline.hasPassed {
        let run = try await control.withSession { session in try JobRecords(session).open(fingerprint) }
        throw JobBusy(job: job.name, run: run)
      }
      if isFirst { environment.onEvent(.waiting) }
      isFirst = false
      await nap(for: min(.milliseconds(250), deadline.remaining))
    }
  }

  private static let owner: String = {
    var name = [CChar](repeating: 0, count: 256)
    let status = gethostname(&name, name.count - 1)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "process \(getpid()) on \(status == 0 ? host : "this host")"
  }()

  private func begin(
    _ control: ConnectionKeeper, _ prepared: any PreparedJob, _ fingerprint: Fingerprint
  ) async throws -> Choice {
    var identifiers = IdentifierGenerator()
    let id = identifiers.next()
    let run = try await control.withSession { [job, settings] session in
      let size = try RunSize(prepared.keys, session)
      let options = job.options.sorted { $0.key < $1.key }
      try session.query(JobStatements.prune(job.name))
      try session.query(
        JobStatements.insertRun(
          id, job.name, options.map(\.key), options.map(\.value), fingerprint.text, fingerprint.lockKey,
          Self.owner,
          Int64(settings.chunkSize), Int64(settings.concurrency), settings.maxRate.map { Int64($0) },
          settings.maxLagSeconds, Int64(settings.maxFailures), prepared.keys.columns.map(\.name),
          size.lastKey, size.rows, size.isExact))
      return try JobRecords(session).run(id)
    }
    return .work(run, isContinued: false)
  }

  private func goOn(_ run: JobRun, _ control: ConnectionKeeper) async throws -> Choice {
    if run.state == .done { return .tell(run) }
    let taken = try await control.withSession { [settings] session in
      let rows = try session.query(
        JobStatements.takeOver(
          run.id, Self.owner, Int64(settings.chunkSize), Int64(settings.concurrency),
          settings.maxRate.map { Int64($0) }, settings.maxLagSeconds, Int64(settings.maxFailures)))
      let run = try JobRecords(session).run(run.id)
      if rows.isEmpty { throw JobRecords.finished(run) }
      return run
    }
    return .work(taken, isContinued: true)
  }

  /// Closes a run that is done to the same command. Where that stays impossible, the command tells the same end again.
  private func markReported(_ run: JobRun, _ control: ConnectionKeeper) async {
    guard run.state == .done else { return }
    do {
      try await insist(on: control, for: settings.outagePatience) { session in
        _ = try session.query(JobStatements.markReported(run.id))
      }
    } catch { return }
  }

  /// Records how the work ended, and turns that into what the caller gets.
  private func close(_ run: JobRun, _ end: RunEnd, _ control: ConnectionKeeper) async throws -> JobStatus {
    let (state, failure) = verdict(on: end, run)
    let isOutage = if case .gaveUp = end { true } else { false }
    let status: JobStatus
    do {
      status = try await insist(on: control, for: isOutage ? .zero : settings.outagePatience) { session in
        try record(end, as: state, failure, of: run, session)
      }
    } catch {
      // Where nothing helps, the lock is given back all the same, and the run shows as interrupted.
      throw failure ?? error
    }
    if let failure { throw failure }
    return status
  }

  /// Does what may be done twice, and does it again for a while where the connection is lost meanwhile.
  private func insist<Result: Sendable>(
    on control: ConnectionKeeper, for patience: Duration, _ body: @Sendable (Session) throws -> Result
  ) async throws -> Result {
    let deadline = Deadline.after(patience)
    while true {
      do {
        return try await control.withSession(body)
      } catch {
        guard case .lost = ChunkError(error), !deadline.hasPassed, !environment.shouldStop() else {
          throw error
        }
        await nap(for: .milliseconds(250))
      }
    }
  }

  private func record(
    _ end: RunEnd, as state: JobState?, _ failure: (any Error)?, of run: JobRun, _ session: Session
  ) throws -> JobStatus {
    let ticket = RunTicket(run: run.id, attempt: run.attempt, retries: retries)
    let records = JobRecords(session)
    // What is done is folded in first: a finished run has no chunks.
    if let state, try ChunkPlanner.fold(ticket, rowsPerSecond: 0, throttle: nil, session) != nil {
      let report = failure as? any Failure
      try session.query(
        JobStatements.finish(run.id, run.attempt, state.rawValue, report?.code, report?.message))
      if case .cancelled = end { try session.query(JobStatements.dropChunks(run.id)) }
    }
    return try records.status(of: try records.run(run.id))
  }

  /// The state to record, where this process still has a say; and the error to end with.
  private func verdict(on end: RunEnd, _ run: JobRun) -> (state: JobState?, failure: (any Error)?) {
    switch end {
    case .done: (.done, nil)
    case .cancelled: (.cancelled, nil)
    case .stopped: (.interrupted, CancellationError())
    case .superseded: (nil, OwnershipLost())
    case .tooManyFailures: (.failed, TooManyFailures(run: run.id, limit: settings.maxFailures))
    case .gaveUp(let error): (.interrupted, error)
    case .failed(let error): (.failed, error)
    }
  }
}
