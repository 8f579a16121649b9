import Primitives

/// How one run went, in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats).
struct RunMetrics: Equatable {
  /// The label that tells commands apart.
  let command: String
  /// The label that tells runs of one command apart, for two databases or two tables: node_exporter refuses two files
  /// with one series. The name of the metrics file without its directory.
  let file: String
  /// The moment of the run's end.
  let end: Timestamp
  /// How long the work took, without the waits before it.
  let nanoseconds: Int64
  let exitCode: Int32
  /// What the command has dealt with.
  let items: Int64

  private static let lastSuccess = "ironforge_last_success_timestamp_seconds"

  /// The whole file. `previous` is what stood there before: a run that failed repeats the last success from it.
  func text(previous: String) -> String {
    let success = exitCode == 0 ? seconds(end) : lastSuccess(in: previous) ?? "0"
    return metric(
      Self.lastSuccess, "When the command last ended with exit code 0, Unix time; 0 for never.", success)
      + metric(
        "ironforge_last_run_timestamp_seconds", "When the command last ended, Unix time.", seconds(end))
      + metric(
        "ironforge_last_run_duration_seconds", "How long the last run worked, without waiting for its turn.",
        decimal(nanoseconds / 1000))
      + metric("ironforge_last_run_exit_code", "The exit code of the last run.", String(exitCode))
      + metric(
        "ironforge_last_run_items", "How many things the last run dealt with: rows, transfers, checks.",
        String(items))
  }

  private func metric(_ name: String, _ help: String, _ value: String) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(series(name)) \(value)\n"
  }

  private func series(_ name: String) -> String {
    "\(name){command=\"\(escaped(command))\",file=\"\(escaped(file))\"}"
  }

  private func escaped(_ label: String) -> String {
    label.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  /// The value of an earlier run, as it stands there; nil for what is no number.
  private func lastSuccess(in previous: String) -> String? {
    let start = series(Self.lastSuccess) + " "
    guard let line = previous.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix(start) }) else {
      return nil
    }
    let value = line.dropFirst(start.count)
    return Double(value).map(\.isFinite) == true ? String(value) : nil
  }

  private func seconds(_ time: Timestamp) -> String { decimal(time.microseconds) }

  /// Microseconds as seconds. A float formatter would cost the start of every command its time.
  private func decimal(_ microseconds: Int64) -> String {
    let (whole, rest) = max(0, microseconds).quotientAndRemainder(dividingBy: 1_000_000)
    let digits = String(rest)
    return "\(whole).\(String(repeating: "0", count: 6 - digits.utf8.count))\(digits)"
  }
}
