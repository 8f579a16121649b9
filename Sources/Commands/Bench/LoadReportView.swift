import Bench
import Primitives
import Wallet

/// What a load run measured, as it is printed (SPEC section 9).
struct LoadReportView: Renderable {
  let report: LoadReport

  private func latencies(_ latency: LoadReport.Latency) -> [(name: String, milliseconds: Double)] {
    [
      ("p50", latency.p50), ("p90", latency.p90), ("p95", latency.p95), ("p99", latency.p99),
      ("p99_9", latency.p99_9), ("max", latency.max),
    ]
  }

  var json: JSON {
    var members: [(key: String, value: JSON)] = [
      ("requests", .integer(Int64(report.requests))), ("errors", .integer(Int64(report.errors))),
      ("errors_by_code", .object(errors.map { (key: $0.code, value: .integer(Int64($0.count))) })),
      ("not_sent", .integer(Int64(report.unsent))),
      ("duration_seconds", .number(seconds(report.duration))),
      ("requests_per_second", .number(report.requestsPerSecond)),
      ("error_rate", .number(report.errorRate)), ("availability", .number(report.availability)),
      ("latency_ms", json(report.latency)),
      ("targets", .array(report.targets.map(json))),
      ("plan", planJSON), ("generator", generatorJSON),
    ]
    if !report.stages.isEmpty { members.append(("stages", .array(report.stages.map(json)))) }
    return .object(members)
  }

  private func json(_ latency: LoadReport.Latency) -> JSON {
    .object(latencies(latency).map { (key: $0.name, value: .number($0.milliseconds)) })
  }

  private func json(_ target: LoadReport.Judgement) -> JSON {
    [
      "name": .string(target.name), "target": .number(target.target), "value": .number(target.value),
      "ok": .bool(target.isOK),
    ]
  }

  private func json(_ stage: LoadReport.Stage) -> JSON {
    [
      "seconds": .number(seconds(stage.stage.duration)), "rate": .number(stage.stage.rate),
      "requests": .integer(Int64(stage.requests)), "errors": .integer(Int64(stage.errors)),
      "not_sent": .integer(Int64(stage.unsent)), "latency_ms": json(stage.latency),
    ]
  }

  private var planJSON: JSON {
    [
      "loop": .string(report.plan.isOpen ? "open" : "closed"),
      "connections": .integer(Int64(report.plan.connections)),
      "seconds": .number(seconds(report.plan.duration)),
      "warmup_seconds": .number(seconds(report.plan.warmup)),
      "rate": report.plan.stages.count == 1 ? .number(report.plan.stages[0].rate) : .null,
    ]
  }

  private var generatorJSON: JSON {
    [
      "cpu_seconds": .number(report.generator.cpuSeconds),
      "cpu_wait_seconds": report.generator.waitSeconds.map(JSON.number) ?? .null,
      "processors": .integer(Int64(report.generator.processors)),
      "warning": .optional(report.generatorWarning),
    ]
  }

  var text: String {
    var parts = [
      "\(report.requests) requests in \(rounded(seconds(report.duration))) s: "
        + "\(rounded(report.requestsPerSecond)) a second, \(report.errors) errors",
      table(
        ["latency", .number("ms")], latencies(report.latency).map { [$0.name, rounded($0.milliseconds)] }),
    ]
    if !report.stages.isEmpty {
      parts.append(
        table(
          [
            "stage", .number("rate"), .number("requests"), .number("errors"), .number("p50_ms"),
            .number("p99_ms"),
            .number("max_ms"),
          ],
          report.stages.map { stage in
            [
              humanDuration(stage.stage.duration), rounded(stage.stage.rate), String(stage.requests),
              String(stage.errors), rounded(stage.latency.p50), rounded(stage.latency.p99),
              rounded(stage.latency.max),
            ]
          }))
    }
    parts.append(
      table(
        ["target", .number("wanted"), .number("measured"), "verdict"],
        report.targets.map { [$0.name, rounded($0.target), rounded($0.value), $0.isOK ? "met" : "MISSED"] }))
    if !errors.isEmpty {
      parts.append(table(["error", .number("count")], errors.map { [$0.code, String($0.count)] }))
    }
    return parts.joined(separator: "\n\n")
  }

  private var errors: [(code: String, count: Int)] {
    report.errorsByCode.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
      (code: $0.key, count: $0.value)
    }
  }

  var csv: (header: [String], rows: [[String]]) {
    let latencyRows = latencies(report.latency).map {
      ["latency_\($0.name)_ms", rounded($0.milliseconds), "", ""]
    }
    let targetRows = report.targets.map {
      [$0.name, rounded($0.value), rounded($0.target), String($0.isOK)]
    }
    return (
      ["name", "value", "target", "ok"],
      [["requests", String(report.requests), "", ""]] + latencyRows + targetRows
    )
  }

  private func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) / 1e18
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
