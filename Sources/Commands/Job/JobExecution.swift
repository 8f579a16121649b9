import ArgumentParser
import Configuration
import Jobs
import Postgres
import Primitives
import Synchronization

/// A job at work in this process: events become messages and progress, the end becomes output and an exit
/// code.
struct JobExecution: Sendable {
  private let context: CommandContext
  private let job: any Job
  private let settings: RunSettings
  private let retries: Identifier?

  init(_ job: any Job, _ settings: RunSettings, retries: Identifier? = nil, in context: CommandContext) {
    self.context = context
    self.job = job
    self.settings = settings
    self.retries = retries
  }

  /// Runs the job to its end and prints how it went.
  ///
  /// - Parameters:
  ///   - id: a run to go on with; nil for the unfinished one of this job, or a new one.
  ///   - summary: what this process has done, asked at the end.
  /// - Throws: `ExitCode(.partial)` when rows failed, `ExitCode(.terminated)` when somebody cancelled it, and
  ///   the failures of `JobRunner`.
  func run(resuming id: Identifier? = nil, with summary: (() -> any JobSummary)? = nil) async throws {
    // Registering anything makes the first signal end the run in order.
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let display = JobDisplay(context, job: job.name)
    let runner = JobRunner(
      job, settings: settings, environment: try environment { display.show($0) }, retries: retries)
    var code: ExitCode?
    let report = { (status: JobStatus) in
      display.finish()
      code = try show(status, summary?())
      // Told is what somebody can read.
      try context.output.flush()
    }
    do {
      if let id { try await runner.resume(id, report: report) } else { try await runner.run(report: report) }
    } catch {
      display.finish()
      throw Self.explained(error, run: display.run, context)
    }
    if let code { throw code }
  }

  /// Prints how the run ended.
  ///
  /// - Returns: the exit code, where it is not 0.
  private func show(_ status: JobStatus, _ summary: (any JobSummary)?) throws -> ExitCode? {
    context.itemCount = status.run.done
    try context.output.render(
      JobStatusView(status: status, summary: summary),
      isSuccess: status.run.state != .cancelled && status.run.failedCount == 0)
    for warning in summary?.warnings ?? [] { context.messages.warning(warning) }
    if status.run.state == .cancelled {
      context.messages.warning("somebody cancelled the run; what its chunks did stays")
      return ExitCode(.terminated)
    }
    return status.run.failedCount > 0 ? ExitCode(.partial) : nil
  }

  /// Says what a run would do.
  func rehearse() async throws {
    let plan = try await JobRunner(job, settings: settings, environment: try environment { _ in }).rehearse()
    try context.output.render(JobPlanView(plan: plan))
    // As the real run would end, that tells the end of this one.
    if let open = plan.open, open.state == .done, open.failedCount > 0 { throw ExitCode(.partial) }
  }

  private func environment(_ onEvent: @escaping @Sendable (JobEvent) -> Void) throws -> RunEnvironment {
    let configuration = try context.configuration()
    let database = configuration.values.database
    let target = try ConnectionString(try configuration.database().value)
    var options = SessionOptions(database)
    options.applicationName = "ironforge job run \(job.name)"
    return RunEnvironment(
      connect: { [options] in try await Connection.connect(to: target, options: options) },
      replicas: try database.replicas.map { url in
        let replica = try ConnectionString(url)
        return { [options] in try await Connection.connect(to: replica, options: options) }
      },
      shouldStop: { [signals = context.signals] in signals.received != nil }, onEvent: onEvent)
  }

  /// A signal, with how to go on after it.
  private static func explained(_ error: any Error, run: Identifier?, _ context: CommandContext) -> any Error
  {
    guard error is CancellationError, let signal = context.signals.received else { return error }
    var failure = Signals.failure(for: signal)
    if let run {
      failure.hint = "run \(run) keeps its place: the same command goes on, or `ironforge job resume \(run)`"
    }
    return failure
  }
}

/// What a run says while it goes on.
private final class JobDisplay: Sendable {
  private struct State {
    var run: Identifier?
    var progress: Progress?
  }

  private let context: CommandContext
  private let job: String
  private let state = Mutex(State())

  init(_ context: CommandContext, job: String) {
    self.context = context
    self.job = job
  }

  /// The run, once it is known.
  var run: Identifier? { state.withLock { $0.run } }

  func show(_ event: JobEvent) {
    let messages = context.messages
    switch event {
    case .waiting: messages.info("another process works on this job; waiting")
    case .began(let run, let isContinued):
      let progress = context.progress(job, total: run.total, doneBefore: run.done)
      state.withLock { $0 = State(run: run.id, progress: progress) }
      messages.info(
        isContinued
          ? "continuing run \(run.id), which was left at \(run.done) of \(run.total) rows" : "run \(run.id)",
        fields: [("run", .id(run.id)), ("continued", .bool(isContinued)), ("done", .integer(run.done))])
    case .foundDone(let run):
      messages.warning(
        "run \(run.id) is done; its process ended before it could say so, and nothing is done again",
        fields: [("run", .id(run.id)), ("done", .integer(run.done))])
    case .progress(let progress):
      state.withLock { $0.progress }?.update(done: progress.done, note: progress.throttle?.detail)
    case .paused(let isPaused):
      messages.info(isPaused ? "paused; `ironforge job resume` lets it go on" : "resumed")
    case .rowFailed(let failure):
      // All of them are listed at the end; while it runs, only a person at a terminal wants to know.
      if messages.isTerminal {
        messages.info("row \(failure.key.joined(separator: ", ")): \(failure.message)")
      }
    case .outage(let reason): messages.warning("\(reason); trying again")
    }
  }

  func finish() { state.withLock { $0.progress }?.finish() }
}
