import ArgumentParser
package import Bench
import Configuration
import Postgres
import Primitives
import Redis

/// A measurement from its options to its exit code, whatever the load is.
///
/// ```swift
/// let bench = try BenchRun("bench http", options, in: context)
/// try await bench.measure { run in
///   try await load.run(run)
/// } close: {
///   try await load.close()
/// }
/// ```
package struct BenchRun: Sendable {
  /// What is to be sent.
  package let plan: LoadPlan
  private let name: String
  private let context: CommandContext
  private let targets: LoadTargets
  private let log: HistogramLog?
  private let page: BenchPageFile?
  private let registration: Signals.Registration

  /// Opens the files, so that one that cannot be written is known before there is load. From here on the first signal ends the
  /// run in order, with a report.
  ///
  /// - Parameter name: of the command, as `bench transfer`.
  /// - Throws: `ConfigurationFailure`; `output_failed`.
  package init(_ name: String, _ options: BenchOptions, in context: CommandContext) throws {
    self.name = name
    self.context = context
    plan = try options.plan()
    targets = LoadTargets(try context.configuration().values.targets)
    log = try options.hdr.map { path in try HistogramLog(path) }
    page = try options.html.map { path in try BenchPageFile(path) }
    // Registering anything is what catches the signal.
    registration = try context.signals.onStop {}
  }

  /// Runs the load, prints what it has measured, writes the files, and judges it.
  ///
  /// - Parameters:
  ///   - servers: reads the counters of the servers that the load goes to.
  ///   - tiers: how many reads each tier of the cache has answered, for a load that goes through it.
  ///   - loops: how many threads send, where it is not a thread a connection.
  ///   - send: sends what the run asks for until it is over; what has to be made ready for that, is.
  ///   - close: closes the connections of the load.
  /// - Throws: what `send` and `close` throw; `output_failed`; the exit code 99 where a target was missed; `interrupted`,
  ///   `terminated`.
  package func measure(
    servers: ServerWatch = ServerWatch(postgres: nil, redis: nil),
    tiers: (@Sendable () -> TierAnswers)? = nil, loops: Int? = nil,
    _ send: (LoadRun) async throws -> Void, close: () async throws -> Void = {}
  ) async throws {
    let begunAt = Timestamp.now()
    let run = LoadRun(plan, keepsHistograms: log != nil) { [signals = context.signals] in
      signals.received != nil
    }
    let watching = Task { [log] in await LoadWatch(run, servers: servers, log: log).observe() }
    defer { watching.cancel() }
    try await send(run)
    let sample = run.finish()
    watching.cancel()
    var watch = await watching.value
    watch.endOfLoad()
    var closing: Result<Void, any Error> = .success(())
    do { try await close() } catch { closing = .failure(error) }
    let seen = await watch.finish()
    var generator = seen.generator
    generator.loops = loops
    let report = LoadReport(sample, plan: plan, generator: generator, targets: targets)
    try finish(
      BenchFigures(
        name: name, begunAt: begunAt, report: report, servers: seen.servers, tiers: tiers.map { $0() }),
      file: Result { try watch.checkFile() })
    // What was measured has been told; what is left open now is a failure all the same.
    try closing.get()
    try context.signals.check()
    if !report.isOK { throw ExitCode(.targetMissed) }
  }

  /// Prints and writes.
  private func finish(_ figures: BenchFigures, file: Result<Void, any Error>) throws {
    let report = figures.report
    if let warning = report.generatorWarning { context.messages.warning(warning) }
    if report.requests == 0 {
      context.messages.warning("no request was measured, so no target is met")
    }
    context.itemCount = Int64(report.requests)
    // The figures first: whatever becomes of the files, they are what the time was spent for.
    try context.output.render(BenchView(figures: figures))
    try file.get()
    try log?.commit()
    try page?.write(figures)
  }
}

/// All that a run has found.
struct BenchFigures: Sendable {
  /// Of the command.
  let name: String
  let begunAt: Timestamp
  let report: LoadReport
  let servers: ServerWatch.Findings
  /// Of a load that goes through the cache.
  let tiers: TierAnswers?
}

extension CommandContext {
  /// What reads the counters of the configured servers, over connections of its own. A PostgreSQL that has no room for one more
  /// is no reason not to measure: a warning says that its counters are left out.
  ///
  /// - Parameter readsRedis: whether the load uses Redis, if there is one.
  /// - Throws: `ConfigurationFailure`.
  package func serverWatch(readsRedis: Bool) async throws -> ServerWatch {
    let configuration = try configuration()
    var options = SessionOptions(configuration.values.database)
    options.applicationName = "ironforge bench (counters)"
    let target = try ConnectionString(try configuration.database().value)
    let redis = try readsRedis && configuration.findRedis() != nil ? redisConnections(1)[0] : nil
    do {
      return ServerWatch(
        postgres: try await Postgres.Connection.connect(to: target, options: options), redis: redis)
    } catch {
      messages.warning("the counters of PostgreSQL are left out: \(ErrorReport(error).message)")
      return ServerWatch(postgres: nil, redis: redis)
    }
  }
}

extension LoadTargets {
  init(_ targets: Configuration.Targets) {
    self.init(
      p50Milliseconds: targets.p50Milliseconds, p95Milliseconds: targets.p95Milliseconds,
      p99Milliseconds: targets.p99Milliseconds, requestsPerSecond: targets.requestsPerSecond,
      errorRate: targets.errorRate, availability: targets.availability)
  }
}
