import Bench
import Primitives
import Wallet

/// What a load run measured, as it is printed (SPEC section 9).
struct LoadReportView: Renderable {
  let report: LoadReport

  private var seconds: Double {
    let (seconds, attoseconds) = report.duration.components
    return Double(seconds) + Double(attoseconds) / 1e18
  }

  private var latencies: [(name: String, milliseconds: Double)] {
    let latency = report.latency
    return [
      ("p50", latency.p50), ("p90", latency.p90), ("p95", latency.p95), ("p99", latency.p99),
      ("p99_9", latency.p99_9), ("max", latency.max),
    ]
  }

  var json: JSON {
    [
      "requests": .integer(Int64(report.requests)), "errors": .integer(Int64(report.errors)),
      "errors_by_code": .object(
        report.errorsByCode.sorted { $0.key < $1.key }.map { (key: $0.key, value: .integer(Int64($0.value))) }
      ),
      "duration_seconds": .number(seconds), "requests_per_second": .number(report.requestsPerSecond),
      "error_rate": .number(report.errorRate), "availability": .number(report.availability),
      "latency_ms": .object(latencies.map { (key: $0.name, value: .number($0.milliseconds)) }),
      "targets": .array(
        report.targets.map { target in
          [
            "name": .string(target.name), "target": .number(target.target), "value": .number(target.value),
            "ok": .bool(target.isOK),
          ]
        }),
    ]
  }

  var text: String {
    var parts = [
      "\(report.requests) requests in \(rounded(seconds)) s: \(rounded(report.requestsPerSecond)) a second, "
        + "\(report.errors) errors",
      table(
        ["latency", .number("ms")], latencies.map { [$0.name, rounded($0.milliseconds)] }),
      table(
        ["target", .number("wanted"), .number("measured"), "verdict"],
        report.targets.map { [$0.name, rounded($0.target), rounded($0.value), $0.isOK ? "met" : "MISSED"] }),
    ]
    if !report.errorsByCode.isEmpty {
      parts.append(
        table(
          ["error", .number("count")],
          report.errorsByCode.sorted { $0.key < $1.key }.map { [$0.key, String($0.value)] }))
    }
    return parts.joined(separator: "\n\n")
  }

  var csv: (header: [String], rows: [[String]]) {
    let latencyRows = latencies.map { ["latency_\($0.name)_ms", rounded($0.milliseconds), "", ""] }
    let targetRows = report.targets.map {
      [$0.name, rounded($0.value), rounded($0.target), String($0.isOK)]
    }
    return (
      ["name", "value", "target", "ok"],
      [["requests", String(report.requests), "", ""]] + latencyRows + targetRows
    )
  }

  /// Three digits after the point, without the zeros at the end.
  private func rounded(_ value: Double) -> String {
    let thousandths = (value * 1000).rounded()
    guard thousandths.magnitude < 1e15 else { return value.description }
    var text = Amount.format(Int128(thousandths), scale: 3)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
