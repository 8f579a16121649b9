import Jobs
import Primitives

/// What a job has to say at the end of a run, beyond what every job says: of the process that ends, since it is not recorded.
protocol JobSummary: Sendable {
  var json: [(key: String, value: JSON)] { get }
  /// Lines of text.
  var lines: [String] { get }
  var warnings: [String] { get }
}

/// A run with its failed rows, as it is printed (SPEC section 9).
struct JobStatusView: Renderable {
  let status: JobStatus
  var summary: (any JobSummary)?

  private var run: JobRun { status.run }

  var json: JSON {
    .object(
      JobRow(run: run).members + [
        (
          "failed",
          .array(
            status.failed.map { failure in
              [
                "key": .object(
                  zip(run.keyColumns, failure.key).map { (key: $0, value: JSON.string($1)) }),
                "code": .string(failure.code), "message": .string(failure.message),
              ]
            })
        )
      ] + (summary?.json ?? []))
  }

  var text: String {
    var lines = [
      "run        \(run.id)", "job        \(run.job)", "state      \(run.state.rawValue)",
      "rows       \(run.done) of \(run.isTotalExact ? "" : "about ")\(run.total)\(share)",
      "changed    \(run.affected)",
    ]
    if run.rowsPerSecond > 0 {
      lines.append("rate       \(Int64(run.rowsPerSecond.rounded())) rows a second")
    }
    if let left = run.secondsLeft { lines.append("time left  \(humanDuration(.seconds(min(left, 1e9))))") }
    if let throttle = run.throttledBy {
      lines.append("throttled  \(throttle): \(run.throttleDetail ?? "")")
    }
    if let message = run.errorMessage { lines.append("error      \(message)") }
    lines.append("owner      \(run.owner)\(run.isOwned || run.state.isFinal ? "" : " (gone)")")
    lines.append("created    \(run.createdAt.second)")
    if let finished = run.finishedAt { lines.append("finished   \(finished.second)") }
    lines = lines.map { terminalSafe($0) }
    if let more = summary?.lines, !more.isEmpty { lines += [""] + more }
    if !status.failed.isEmpty {
      let rows = status.failed.map { [$0.key.joined(separator: ", "), $0.code, $0.message] }
      lines += ["", "\(counted(run.failedCount, "row")) failed:", table(["key", "code", "message"], rows)]
      if run.failedCount > Int64(status.failed.count) {
        lines.append("… and \(run.failedCount - Int64(status.failed.count)) more")
      }
    }
    return lines.joined(separator: "\n")
  }

  private var share: String {
    run.total > 0 ? " (\(Int64(min(100, Double(run.done) * 100 / Double(run.total)))) %)" : ""
  }

  var csv: (header: [String], rows: [[String]]) { JobRow(run: run).csv }
}

/// A run in a list.
struct JobRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "run", "job", "state", .number("done"), .number("total"), .number("failed"), "throttled_by", "created_at",
  ]
  static let csvHeader = [
    "run", "job", "state", "done", "total", "failed_count", "rows_per_second", "throttled_by", "created_at",
    "finished_at",
  ]
  let run: JobRun

  var tableRow: [String] {
    [
      run.id.description, run.job, run.state.rawValue, String(run.done), String(run.total),
      String(run.failedCount), run.throttledBy ?? "", run.createdAt.second,
    ]
  }

  var json: JSON { .object(members) }

  var members: [(key: String, value: JSON)] {
    let tenth = { (value: Double) in JSON.number((min(value, 1e15) * 10).rounded() / 10) }
    let error: JSON =
      run.errorCode.map {
        ["code": .string($0), "message": .string(run.errorMessage ?? "")]
      } ?? .null
    return [
      ("run", .id(run.id)), ("job", .string(run.job)), ("state", .string(run.state.rawValue)),
      ("done", .integer(run.done)), ("total", .integer(run.total)), ("total_exact", .bool(run.isTotalExact)),
      ("rows_per_second", tenth(run.rowsPerSecond)), ("eta_seconds", run.secondsLeft.map(tenth) ?? .null),
      ("throttled_by", .optional(run.throttledBy)), ("throttle_detail", .optional(run.throttleDetail)),
      ("affected", .integer(run.affected)), ("failed_count", .integer(run.failedCount)), ("error", error),
      (
        "options",
        .object(run.options.sorted { $0.key < $1.key }.map { (key: $0.key, value: JSON.string($0.value)) })
      ),
      ("planned_to", run.plannedTo.map { .array($0.map(JSON.string)) } ?? .null),
      ("attempt", .integer(Int64(run.attempt))), ("owner", .string(run.owner)), ("owned", .bool(run.isOwned)),
      ("created_at", .time(run.createdAt)), ("started_at", .time(run.startedAt)),
      ("heartbeat_at", .time(run.heartbeatAt)), ("finished_at", .time(run.finishedAt)),
    ]
  }
}

/// What a run would do, as it is printed.
struct JobPlanView: Renderable {
  let plan: JobPlan

  /// The most characters of a line of the server's plan.
  private static let widthMax = 160

  private var options: [(key: String, value: String)] { plan.options.sorted { $0.key < $1.key } }

  var json: JSON {
    [
      "job": .string(plan.job), "dry_run": true,
      "options": .object(options.map { (key: $0.key, value: .string($0.value)) }),
      "key": .array(plan.keyColumns.map(JSON.string)), "rows": .integer(plan.rows),
      "rows_exact": .bool(plan.isExact), "chunk_size": .integer(Int64(plan.chunkSize)),
      "chunks": .integer(plan.chunks), "concurrency": .integer(Int64(plan.concurrency)),
      "first_key": plan.firstKey.map { .array($0.map(JSON.string)) } ?? .null,
      "last_key": plan.lastKey.map { .array($0.map(JSON.string)) } ?? .null,
      "plan": .array(plan.details.map(JSON.string)),
      "open_run": plan.open.map { run in
        [
          "run": .id(run.id), "state": .string(run.state.rawValue), "done": .integer(run.done),
          "total": .integer(run.total),
        ]
      } ?? .null,
    ]
  }

  var text: String {
    let lines =
      options.map { option in
        let (name, value) = Self.spoken(option)
        return "\(padded(name, to: 12)) \(value)"
      } + size + going + details
    return (lines + ["", "Nothing was written."]).map { terminalSafe($0, keepingLineBreaks: true) }
      .joined(separator: "\n")
  }

  /// Numbers with their units; JSON has them as they are recorded.
  private static func spoken(_ option: (key: String, value: String)) -> (name: String, value: String) {
    guard let number = Int64(option.value) else { return (option.key, option.value) }
    if option.key == "min_waste" { return (option.key, humanSize(bytes: number)) }
    let unit = "_seconds"
    guard option.key.hasSuffix(unit) else { return (option.key, option.value) }
    return (String(option.key.dropLast(unit.count)), humanDuration(.seconds(number)))
  }

  /// How much there is to do. Tables and indexes are called by name below, one is a chunk, and nobody asks for their key.
  private var size: [String] {
    let pace = plan.concurrency == 1 ? "one at a time" : "\(plan.concurrency) at a time"
    guard plan.item == .row else {
      let isPaced = plan.rows > Int64(plan.concurrency)
      return ["\(padded(plan.item.plural, to: 12)) \(plan.rows)\(isPaced ? ", \(pace)" : "")"]
    }
    // Where the key was asked for it stands among the options.
    let key =
      plan.options["key"] == nil ? ["key          \(plan.keyColumns.joined(separator: ", "))"] : []
    return key + [
      "rows         \(plan.isExact ? "" : "about ")\(plan.rows)",
      "chunks       \(plan.chunks) of \(counted(plan.chunkSize, "row")), \(pace)",
    ]
  }

  /// What the command does first of all, where an earlier run is open.
  private var going: [String] {
    guard let run = plan.open else { return [] }
    let place = "\(padded("open run", to: 12)) \(run.id), \(run.state.rawValue)"
    return run.state == .done
      ? [place, "             A real run tells how that one ended, and does nothing again."]
      : [
        place,
        "             A real run goes on with it, at \(run.done) of "
          + counted(run.total, plan.item.singular, plan.item.plural) + ".",
      ]
  }

  private var details: [String] {
    guard !plan.details.isEmpty else { return [] }
    // A plan repeats the keys of the chunk: in whole they stand in JSON.
    let isCut = plan.item == .row
    return [""]
      + plan.details.map { isCut && $0.count > Self.widthMax ? $0.prefix(Self.widthMax) + "…" : $0 }
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["job", "rows", "rows_exact", "chunk_size", "chunks", "concurrency"],
      [
        [
          plan.job, String(plan.rows), String(plan.isExact), String(plan.chunkSize), String(plan.chunks),
          String(plan.concurrency),
        ]
      ]
    )
  }
}
