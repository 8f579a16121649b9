import Postgres
import Primitives

/// One run of a command that cron may start: a random wait, the lock, and at the end the metrics.
final class CronRun {
  private let command: any CronCommand
  private let context: CommandContext
  private var start = monotonicNanoseconds()
  private var lock: HeldLock?
  private var metrics: MetricsFile?

  init(_ command: any CronCommand, in context: CommandContext) {
    self.command = command
    self.context = context
  }

  /// Waits as `--jitter` says, and takes the lock.
  ///
  /// - Throws: a failure of kind `busy` when another run has the lock; one of kind `interrupted` or `terminated` after a
  ///   signal; `output_failed` for metrics that could not be written in the end.
  func begin() throws {
    if let path = command.cron.metricsFile { metrics = try MetricsFile(path) }
    try waitAtRandom()
    start = monotonicNanoseconds()
    if let name = command.lockName { lock = try acquire(name) }
    // What comes now cancels its statements by itself; a signal that came before would find none.
    try context.signals.check()
    start = monotonicNanoseconds()
  }

  /// Writes the metrics, and then lets the next run in. What fails here is told; the work is what counts.
  func end(exitCode: Int32) {
    if let metrics {
      let run = RunMetrics(
        command: command.runName, file: metrics.name, end: .now(),
        nanoseconds: monotonicNanoseconds() - start,
        exitCode: exitCode,
        items: context.itemCount)
      do throws(SimpleFailure) {
        try metrics.write(run)
      } catch {
        context.messages.warning(error.message)
      }
    }
    if let lock, !lock.release() {
      context.messages.warning(
        "the connection that held the lock of `\(command.runName)` was lost; another run may have begun meanwhile"
      )
    }
  }

  private func waitAtRandom() throws {
    guard command.cron.jitter > 0 else { return }
    let delay = Duration.milliseconds(Int64.random(in: 0...Int64(command.cron.jitter) * 1000))
    context.messages.info(
      "beginning in \(humanDuration(delay))",
      fields: [("delay_ms", .integer(Int64(delay.settingMilliseconds)))])
    try withSignals { try pause(for: delay, check: context.signals.check) }
  }

  private func acquire(_ name: String) throws -> HeldLock {
    try withSignals {
      let session = try context.openCancellableSession(as: "ironforge \(command.runName)")
      let wait = Duration.seconds(command.cron.lockWait ?? 0)
      let acquisition = try Self.lock(name).acquire(on: session, wait: wait, check: context.signals.check) {
        holder in
        if wait > .zero { context.messages.info(busy(holder) + "; waiting") }
      }
      switch acquisition {
      case .held(let lock): return lock
      case .busy(let holder):
        throw SimpleFailure(
          .busy, code: "run_lock_busy", message: busy(holder),
          hint: "let it end, or wait for it with --lock-wait SECONDS", isRetryable: true)
      }
    }
  }

  private func busy(_ holder: String?) -> String {
    "another run of `\(command.runName)` is at work on this database" + (holder.map { ": \($0)" } ?? "")
  }

  /// From now on the first signal asks to stop, also where nothing is there yet that it could cancel.
  private func withSignals<T>(_ body: () throws -> T) throws -> T {
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    return try body()
  }

  /// 'ifcm' in ASCII is the space of commands; the name's hash is the number. Two names with one number would take
  /// turns, no more.
  private static func lock(_ name: String) -> AdvisoryLock {
    let number = SHA256.digest(of: name.utf8).bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return AdvisoryLock(space: 1_768_317_805, number: Int32(bitPattern: number))
  }
}
