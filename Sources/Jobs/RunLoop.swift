internal import Postgres
internal import Primitives

/// Why the work on a run ended.
enum RunEnd: Sendable {
  case done
  /// The process was asked to stop.
  case stopped
  /// Somebody cancelled the run.
  case cancelled
  /// More rows failed than are allowed.
  case tooManyFailures
  /// Another process is the owner now.
  case superseded
  /// The server stayed away, or a lock stayed locked, longer than is waited for.
  case gaveUp(any Error & Sendable)
  /// No chunk would fare better.
  case failed(any Error & Sendable)
}

/// Works on a run until it ends: plans chunks, hands them to workers, looks what others want of it.
///
/// Everything is decided in one place, between two events; workers carry out one transaction and report.
actor RunLoop {
  private enum Event: Sendable {
    case tick
    case finished(worker: Int, ChunkTask, ChunkResult)
    case replicaLag(Double?)
  }

  /// How often it looks around, reads what others want of the run, and asks the server for lag and lock
  /// waits.
  private static let tick = Duration.milliseconds(50)
  private static let pollInterval: Int64 = 250_000_000
  private static let probeInterval: Int64 = 500_000_000
  /// Rows that one statement of planning reads at most, unless a single chunk has more.
  private static let plannedRowsMax = 20_000
  /// Attempts at a chunk that others are in the way of, before it is cut in two.
  private static let conflictsMax = 5
  private static let conflictDelay: Int64 = 100_000_000
  private static let relockDelay: Int64 = 200_000_000
  private static let cancelGrace = Duration.milliseconds(500)

  private let ticket: RunTicket
  private let settings: RunSettings
  private let environment: RunEnvironment
  private let planner: ChunkPlanner
  private let control: ConnectionKeeper
  private let lock: RunLock
  private let workers: [ChunkWorker]
  private let total: Int64

  private var idle: [Int]
  private var inFlight = 0
  private var queue = ChunkQueue()
  private var governor: Governor
  private var meter = RateMeter()
  private var standbyLag = StandbyLag()
  private var replicaLag: Double?
  private var end: RunEnd?
  private var stopDeadline: Deadline?

  private var done: Int64
  private let failedBefore: Int64
  private var failed: Int64
  private var isPlanned = false
  private var mustReload = true
  private var polledAt: Int64 = .min / 2
  private var probedAt: Int64 = .min / 2
  private var relockedAt: Int64 = .min / 2
  private var lockLostAt: Int64?
  private var outageSince: Int64?
  private var throttle: Throttle?
  /// A worker had nothing to do since the last poll, because of the rate.
  private var wasHeldByRate = false

  init(
    _ run: JobRun, prepared: any PreparedJob, retries: Identifier?, settings: RunSettings,
    environment: RunEnvironment, control: ConnectionKeeper, lock: RunLock
  ) {
    let ticket = RunTicket(run: run.id, attempt: run.attempt, retries: retries)
    self.ticket = ticket
    self.settings = settings
    self.environment = environment
    self.control = control
    self.lock = lock
    planner = ChunkPlanner(ticket: ticket, keys: prepared.keys)
    workers = (0..<settings.concurrency).map { _ in
      ChunkWorker(prepared, ticket: ticket, connect: environment.connect)
    }
    idle = Array((0..<settings.concurrency).reversed())
    governor = Governor(settings)
    total = run.total
    done = run.done
    failed = run.failedCount
    failedBefore = run.failedCount
  }

  /// Works until the run ends, and everything that was in flight with it.
  func work() async -> RunEnd {
    let (events, announce) = AsyncStream.makeStream(of: Event.self)
    await withDiscardingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          announce.yield(.tick)
          await nap(for: Self.tick)
        }
      }
      if settings.maxLagSeconds != nil, !environment.replicas.isEmpty {
        group.addTask { [environment] in
          await ReplicaWatch(environment.replicas).run { announce.yield(.replicaLag($0)) }
        }
      }
      for await event in events {
        take(event)
        await attend()
        while let (worker, task) = nextAssignment() {
          group.addTask { [workers] in
            announce.yield(.finished(worker: worker, task, await workers[worker].perform(task)))
          }
        }
        if end != nil, inFlight == 0 { break }
        // Cancelling the tasks cancels their statements on the server.
        if let stopDeadline, stopDeadline.hasPassed { group.cancelAll() }
      }
      group.cancelAll()
    }
    for worker in workers { await worker.close() }
    return end ?? .stopped
  }

  // MARK: Events

  private func take(_ event: Event) {
    switch event {
    case .tick: break
    case .replicaLag(let lag):
      replicaLag = lag
      governor.isReplicaUnreachable = lag == nil
    case .finished(let worker, let task, let result):
      inFlight -= 1
      idle.append(worker)
      take(result, of: task, at: monotonicNanoseconds())
    }
  }

  private func take(_ result: ChunkResult, of task: ChunkTask, at now: Int64) {
    var task = task
    switch result {
    case .done(let work):
      outageSince = nil
      for failure in work.failures { setAside(failure) }
    case .setAside(let failure):
      outageSince = nil
      setAside(failure)
    case .split(let halves):
      for half in halves.reversed() { queue.putBack(ChunkTask(chunk: half)) }
    case .gone: break
    case .locked:
      let since = task.lockedSince ?? now
      task.lockedSince = since
      task.notBefore = now + Self.relockDelay
      queue.putBack(task)
      if Duration.nanoseconds(now - since) > settings.leftoverPatience { finish(.gaveUp(ChunkLocked())) }
    case .failed(.transient(let code, let message)):
      task.conflicts += 1
      if task.conflicts < Self.conflictsMax {
        let delay = Self.conflictDelay << min(task.conflicts, 6)
        task.notBefore = now + Int64.random(in: delay / 2...delay)
      } else {
        task.conflicts = 0
        task.kind = .isolate(code: code, message: message)
      }
      queue.putBack(task)
    case .failed(.bad(let code, let message)):
      task.kind = .isolate(code: code, message: message)
      queue.putBack(task)
    case .failed(.lost(let error)):
      task.notBefore = now + Self.relockDelay
      queue.putBack(task)
      noteOutage(error, at: now)
    case .failed(.cancelled):
      queue.putBack(task)
      finish(.stopped)
    case .failed(.fatal(let error)): finish(.failed(error))
    }
  }

  private func setAside(_ failure: ItemFailure) {
    failed += 1
    environment.onEvent(.rowFailed(failure))
    if failed - failedBefore > settings.maxFailures { finish(.tooManyFailures) }
  }

  /// Ends the work once chunks in flight have ended. The first reason counts.
  private func finish(_ reason: RunEnd) {
    guard end == nil else { return }
    end = reason
    // Whoever stops or cancels a run does not want to wait for a long chunk: it is rolled back.
    switch reason {
    case .stopped: stopDeadline = .after(settings.stopGrace)
    case .cancelled: stopDeadline = .after(Self.cancelGrace)
    case .done, .tooManyFailures, .superseded, .gaveUp, .failed: break
    }
  }

  /// The server has gone, or a connection to it: what may be repeated is repeated, for a while.
  private func noteOutage(_ error: any Error & Sendable, at now: Int64) {
    guard let since = outageSince else {
      outageSince = now
      environment.onEvent(.outage((error as? any Failure)?.message ?? "\(error)"))
      return
    }
    if Duration.nanoseconds(now - since) > settings.outagePatience { finish(.gaveUp(error)) }
  }

  // MARK: Looking around

  private func attend() async {
    if environment.shouldStop() {
      finish(.stopped)
      // A signal during another end has its way as well.
      stopDeadline = stopDeadline ?? .after(settings.stopGrace)
    }
    guard end == nil else { return }
    let now = monotonicNanoseconds()
    do {
      await keepLock(at: now)
      if now - polledAt >= Self.pollInterval {
        polledAt = now
        try await poll()
        outageSince = nil
      }
      if now - probedAt >= Self.probeInterval {
        probedAt = now
        try await probe()
      }
      if mustReload { try await reload() }
      try await plan()
      try await settle()
    } catch {
      switch ChunkError(error) {
      case .lost(let error):
        mustReload = true
        polledAt = now
        noteOutage(error, at: now)
      case .transient: break  // A pause or a cancellation was in the way; the next look is soon.
      case .cancelled: finish(.stopped)
      case .bad, .fatal: finish(.failed(error))
      }
    }
  }

  /// Takes the lock again where its connection was lost. Perhaps the server has not noticed the loss and still keeps
  /// it for us; perhaps another process has it, which the next poll finds out.
  private func keepLock(at now: Int64) async {
    governor.isOwner = lock.isHeld
    if governor.isOwner {
      lockLostAt = nil
      return
    }
    let since = lockLostAt ?? now
    lockLostAt = since
    guard now - relockedAt >= Self.pollInterval else { return }
    relockedAt = now
    do {
      governor.isOwner = try await lock.acquire()
      if !governor.isOwner, Duration.nanoseconds(now - since) > settings.outagePatience {
        finish(.gaveUp(OwnershipLost()))
      }
    } catch {
      noteOutage(error, at: now)
    }
  }

  /// Folds what is done into the run, tells how it goes, and reads what others want of it.
  private func poll() async throws {
    let now = monotonicNanoseconds()
    updateThrottle(at: now)
    let state = try await control.withSession { [ticket, meter, throttle] session in
      try ChunkPlanner.fold(ticket, rowsPerSecond: meter.rowsPerSecond, throttle: throttle, session)
    }
    guard let state else { return finish(.superseded) }
    FaultPoint.folded.reach()
    done = state.done
    failed = max(failed, state.failed)
    meter.update(done: done, at: now)
    switch state.state {
    case .paused where !governor.isPaused:
      governor.isPaused = true
      environment.onEvent(.paused(true))
    case .running where governor.isPaused:
      governor.isPaused = false
      environment.onEvent(.paused(false))
    case .cancelled: finish(.cancelled)
    default: break
    }
    environment.onEvent(
      .progress(
        JobProgress(
          done: done, total: total, failed: failed, rowsPerSecond: meter.rowsPerSecond, throttle: throttle)))
  }

  private func updateThrottle(at now: Int64) {
    throttle = governor.throttle(at: now)
    if throttle == nil, wasHeldByRate { throttle = settings.maxRate.map { .rate($0) } }
    wasHeldByRate = false
    if throttle == nil, inFlight == 0, queue.isResting(at: now) { throttle = .conflicts }
  }

  private func probe() async throws {
    let backends = workers.compactMap(\.backend)
    let wantsLag = settings.maxLagSeconds != nil
    let (waits, report) = try await control.withSession { session in
      (
        backends.isEmpty ? 0 : try LoadProbe.lockWaits(for: backends, session),
        wantsLag ? try LoadProbe.standbys(session) : nil
      )
    }
    governor.lockWaits = waits
    guard let report else { return }
    let lags = [standbyLag.update(report, at: monotonicNanoseconds()), replicaLag].compactMap { $0 }
    governor.lag = lags.max()
  }

  // MARK: Planning

  /// Reads the chunks that are recorded: those of an earlier owner, or after a loss those that may have been
  /// planned without an answer.
  private func reload() async throws {
    guard inFlight == 0 else { return }
    let chunks = try await control.withSession { [planner] session in try planner.openChunks(session) }
    queue.removeAll()
    queue.append(chunks)
    mustReload = false
  }

  private func plan() async throws {
    guard !isPlanned, !mustReload, !governor.isPaused, queue.count < settings.concurrency else { return }
    let size = settings.chunkSize
    let count = max(1, min(2 * settings.concurrency, Self.plannedRowsMax / size))
    let planned = try await control.withSession { [planner] session in
      try planner.plan(size: Int64(size), count: Int64(count), session)
    }
    guard let planned else { return }
    FaultPoint.planned.reach()
    queue.append(planned.chunks)
    isPlanned = planned.isComplete
  }

  /// Looks whether all is done, once nothing is left to do.
  private func settle() async throws {
    guard isPlanned, !mustReload, queue.isEmpty, inFlight == 0, end == nil else { return }
    let left = try await control.withSession { [planner] session in try planner.openChunks(session) }
    if left.isEmpty { finish(.done) } else { queue.append(left) }
  }

  private func nextAssignment() -> (worker: Int, task: ChunkTask)? {
    let now = monotonicNanoseconds()
    guard end == nil, !idle.isEmpty, !mustReload, !queue.isEmpty else { return nil }
    if let throttle = governor.throttle(at: now) {
      if case .rate = throttle { wasHeldByRate = true }
      return nil
    }
    guard let task = queue.next(at: now), let worker = idle.popLast() else { return nil }
    governor.take(task.chunk.rows, at: now)
    inFlight += 1
    return (worker, task)
  }
}

/// A chunk stayed locked by a transaction of a process that has gone.
struct ChunkLocked: Failure {
  var code: String { "job_chunk_locked" }
  var message: String { "a transaction of an earlier process still holds a chunk of this run" }
  var hint: String? {
    "find it in pg_stat_activity (application_name ironforge job run …) and end it, then run the job again"
  }
  var isRetryable: Bool { true }
  var kind: FailureKind { .busy }
}

/// The lock was lost with its connection, and could not be had again.
struct OwnershipLost: Failure {
  var code: String { "job_lock_lost" }
  var message: String { "the connection that held the run's lock was lost, and another one has the lock now" }
  var hint: String? { "see `ironforge job status`; run the job again once no process works on it" }
  var isRetryable: Bool { true }
  var kind: FailureKind { .busy }
}
