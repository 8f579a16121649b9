import Bench
import Glibc
import Primitives
import Wallet

/// What a load run measured, as it is printed (SPEC section 9).
struct BenchView: Renderable {
  let figures: BenchFigures

  private var report: LoadReport { figures.report }

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
    if let tiers = figures.tiers { members.append(("tiers", json(tiers))) }
    members.append(("server", serverJSON))
    return .object(members)
  }

  private func json(_ tiers: TierAnswers) -> JSON {
    [
      "l1": ["hits": .integer(Int64(tiers.l1)), "hit_ratio": .number(tiers.l1HitRatio)],
      "l2": ["hits": .integer(Int64(tiers.l2)), "hit_ratio": .number(tiers.l2HitRatio)],
      "database": ["reads": .integer(Int64(tiers.database))],
    ]
  }

  private var serverJSON: JSON {
    .object(
      figures.serverCounters.map { server in
        let counts = server.counters.counts.map { count in
          (key: count.name, value: count.isFraction ? JSON.number(count.value) : .integer(Int64(count.value)))
        }
        let notes: (key: String, value: JSON) = ("notes", .array(server.counters.notes.map(JSON.string)))
        return (key: server.key, value: JSON.object(counts + [notes]))
      })
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
        report.targets.map { [$0.name, $0.shown($0.target), $0.shown($0.value), $0.isOK ? "met" : "MISSED"] })
    )
    if !errors.isEmpty {
      parts.append(table(["error", .number("count")], errors.map { [$0.code, String($0.count)] }))
    }
    if let tiers = figures.tiers {
      parts.append(
        table(
          ["tier", .number("reads"), .number("hit_ratio")],
          [
            ["L1", String(tiers.l1), rounded(tiers.l1HitRatio)],
            ["Redis", String(tiers.l2), rounded(tiers.l2HitRatio)],
            ["PostgreSQL", String(tiers.database), ""],
          ]))
    }
    for server in figures.serverCounters {
      let rows = server.counters.counts.map { [$0.title, $0.shown] }
      if !rows.isEmpty {
        parts.append(table([TableColumn(stringLiteral: server.key), .number("counted")], rows))
      }
      parts += server.counters.notes.map { "note: \($0)" }
    }
    if !figures.serverCounters.isEmpty {
      parts.append("The servers count everybody who uses them, not this run alone.")
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
      [$0.name, $0.shown($0.value), $0.shown($0.target), String($0.isOK)]
    }
    return (
      ["name", "value", "target", "ok"],
      [["requests", String(report.requests), "", ""]] + latencyRows + targetRows
    )
  }

  /// Three digits after the point at most.
  private func rounded(_ value: Double) -> String { BenchView.rounded(value) }

  private func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) / 1e18
  }

  /// So many digits after the point, without the zeros at the end.
  static func rounded(_ value: Double, places: Int = 3) -> String {
    let scaled = (value * pow(10, Double(places))).rounded()
    guard scaled.magnitude < 1e15 else { return value.description }
    var text = Amount.format(Int128(scaled), scale: places)
    while text.contains("."), text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}

extension LoadReport.Judgement {
  /// A number of its kind: shares differ in digits in which times do not.
  func shown(_ number: Double) -> String {
    BenchView.rounded(number, places: ["error_rate", "availability"].contains(name) ? 6 : 3)
  }
}

extension BenchFigures {
  /// The servers that were asked, by the names that they have in JSON.
  var serverCounters: [(key: String, counters: ServerCounters)] {
    [("postgresql", servers.postgres), ("redis", servers.redis)].compactMap { key, counters in
      counters.map { (key: key, counters: $0) }
    }
  }
}

extension ServerCounters.Count {
  /// Whether it is more than a whole number of things.
  var isFraction: Bool { name.hasSuffix("_seconds") || name.hasSuffix("_mean") }

  /// The name for people.
  var title: String { name.split(separator: "_").joined(separator: " ") }

  /// The value for people, with its unit.
  var shown: String {
    name.hasSuffix("_bytes") ? humanSize(bytes: Int64(value)) : BenchView.rounded(value)
  }
}
