import ArgumentParser
package import Bench
import Configuration
import Primitives

/// A measurement from its options to its exit code, whatever the load is.
///
/// ```swift
/// let bench = try BenchRun(options, in: context)
/// try await bench.measure { run in try await load.run(run) }
/// ```
package struct BenchRun: Sendable {
  /// What is to be sent.
  package let plan: LoadPlan
  private let context: CommandContext
  private let targets: LoadTargets
  private let registration: Signals.Registration

  /// From here on the first signal ends the run in order, with a report.
  ///
  /// - Throws: `ConfigurationFailure`.
  package init(_ options: BenchOptions, in context: CommandContext) throws {
    self.context = context
    plan = try options.plan()
    targets = LoadTargets(try context.configuration().values.targets)
    // Registering anything is what catches the signal.
    registration = try context.signals.onStop {}
  }

  /// Runs the load, prints what it has measured, and judges it.
  ///
  /// - Parameter send: sends what the run asks for until it is over; what has to be made ready for that, is.
  /// - Throws: what `send` throws; the exit code 99 where a target was missed; `interrupted`, `terminated`.
  package func measure(_ send: (LoadRun) async throws -> Void) async throws {
    let run = LoadRun(plan) { [signals = context.signals] in signals.received != nil }
    let watching = Task { await LoadWatch(run).observe() }
    defer { watching.cancel() }
    try await send(run)
    let sample = run.finish()
    watching.cancel()
    let report = LoadReport(sample, plan: plan, generator: await watching.value.generator, targets: targets)
    if let warning = report.generatorWarning { context.messages.warning(warning) }
    if report.requests == 0 {
      context.messages.warning("no request was measured, so no target is met")
    }
    try context.output.render(LoadReportView(report: report))
    try context.signals.check()
    if !report.isOK { throw ExitCode(.targetMissed) }
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
