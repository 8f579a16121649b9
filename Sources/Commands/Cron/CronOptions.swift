import ArgumentParser

/// What every command takes that cron may start.
struct CronOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How long to wait for another run of it to end (default 0); then exit 75.", valueName: "seconds"))
  var lockWait: Int?

  @Option(
    help: ArgumentHelp(
      "Begin after a random time of up to this long, so that not all begin at once.", valueName: "seconds"))
  var jitter = 0

  @Option(
    help: ArgumentHelp(
      "Write how it went in Prometheus' text format, as node_exporter's textfile collector reads it.",
      valueName: "file.prom"),
    completion: .file(extensions: ["prom"]))
  var metricsFile: String?

  /// A day: what waits longer meets its own next run.
  private static let secondsMax = 86_400

  func validate() throws {
    for (name, seconds) in [("lock-wait", lockWait ?? 0), ("jitter", jitter)]
    where !(0...Self.secondsMax).contains(seconds) {
      throw ValidationError("--\(name) must be from 0 to \(Self.secondsMax).")
    }
    if metricsFile?.isEmpty == true { throw ValidationError("--metrics-file must name a file.") }
  }
}
