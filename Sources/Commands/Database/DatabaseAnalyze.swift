import ArgumentParser
import Indexes
import Maintenance
import Postgres
import Primitives

/// `ironforge db analyze`.
struct DatabaseAnalyze: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Say which tables' statistics are stale and why, and refresh them with --execute.",
    discussion: """
      Without --execute nothing is done. Without --stale-only it is about all tables. A partitioned table is analysed with its \
      partitions. One at a time, each within lock_timeout_secs; what the role may not analyse is named and passed over, and the \
      exit code is 3. For large databases `ironforge job run analyze-stale` does the same with several connections, throttled \
      and resumable.

      EXAMPLES:
        ironforge db analyze --stale-only
        ironforge db analyze --stale-only --execute
        ironforge db analyze --table public.orders --execute --json
      """)

  @Flag(help: "Only tables whose statistics are missing or out of date.")
  var staleOnly = false

  @Flag(help: "Do it.")
  var execute = false

  @OptionGroup var tables: TableOptions
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "db analyze" }

  func run(in context: CommandContext) throws {
    let session = try context.openCancellableSession()
    let catalog = try CatalogReader(session).read(bloatBytes: .max)
    try context.signals.check()
    let names = try tables.selection.names(in: catalog)
    let analysis = TableAnalysis(session)
    let plan = try analysis.checked(
      TableAnalysis.plan(catalog, staleOnly: staleOnly) { names.contains($0) })
    var lines = plan.map { AnalyzedTable(plan: $0, outcome: $0.isAllowed ? .planned : .refused) }
    if execute { try analyze(&lines, analysis, context) }
    context.itemCount = Int64(lines.count)
    let failed = lines.count { $0.outcome.isFailure }
    let view = AnalyzeView(tables: lines, isExecuted: execute, staleOnly: staleOnly)
    try context.output.render(view, isSuccess: failed == 0 && execute)
    warnOfLockedTables(catalog.facts, context.messages)
    if execute, failed > 0 { throw ExitCode(.partial) }
  }

  private func analyze(
    _ lines: inout [AnalyzedTable], _ analysis: TableAnalysis, _ context: CommandContext
  ) throws {
    let progress = context.progress("analysing", total: Int64(lines.count))
    defer { progress.finish() }
    for place in lines.indices where lines[place].outcome == .planned {
      try context.signals.check()
      let table = lines[place].plan
      progress.update(done: Int64(place), note: table.name.description)
      let start = monotonicNanoseconds()
      do {
        if let warning = try analysis.analyze(quoted: table.name.quoted) {
          lines[place].outcome = .failed(code: "analyze_skipped", message: warning)
        } else {
          lines[place].outcome = .done(milliseconds: (monotonicNanoseconds() - start) / 1_000_000)
        }
      } catch let error as PostgresError {
        // Dropped or locked meanwhile: the next table may fare better.
        guard ["42P01", "55P03", "40P01", "57014", "42501"].contains(error.sqlState ?? "") else {
          throw error
        }
        lines[place].outcome = .failed(code: error.code, message: error.message)
      }
    }
  }
}

/// A table of the plan, and what has become of it.
struct AnalyzedTable {
  enum Outcome: Equatable {
    case planned
    /// The role may not.
    case refused
    case done(milliseconds: Int64)
    case failed(code: String, message: String)

    var isFailure: Bool {
      switch self {
      case .planned, .done: false
      case .refused, .failed: true
      }
    }
  }

  let plan: PlannedAnalysis
  var outcome: Outcome
}

/// What `db analyze` prints.
struct AnalyzeView: Renderable {
  let tables: [AnalyzedTable]
  let isExecuted: Bool
  let staleOnly: Bool

  var json: JSON {
    [
      "executed": .bool(isExecuted), "stale_only": .bool(staleOnly),
      "tables": .array(
        tables.map { table in
          let plan = table.plan
          return [
            "schema": .string(plan.name.schema), "table": .string(plan.name.name),
            "stale": .bool(plan.reason != nil), "code": .optional(plan.reason?.code),
            "reason": .optional(plan.reason?.sentence), "rows": plan.rows.map(JSON.integer) ?? .null,
            "n_mod_since_analyze": .integer(plan.modifiedSinceAnalyze),
            "last_analyze": .time(plan.lastAnalyze),
            "size_bytes": .integer(plan.sizeBytes), "partitions": .integer(Int64(plan.partitionCount)),
            "ddl": .string("ANALYZE \(plan.name.quoted);"), "outcome": .string(Self.word(table.outcome)),
            "ms": Self.milliseconds(table.outcome), "error": Self.error(table.outcome),
          ]
        }),
    ]
  }

  private static func word(_ outcome: AnalyzedTable.Outcome) -> String {
    switch outcome {
    case .planned: "planned"
    case .refused: PlannedAnalysis.refusalCode
    case .done: "analyzed"
    case .failed: "failed"
    }
  }

  private static func milliseconds(_ outcome: AnalyzedTable.Outcome) -> JSON {
    if case .done(let milliseconds) = outcome { .integer(milliseconds) } else { .null }
  }

  private static func error(_ outcome: AnalyzedTable.Outcome) -> JSON {
    switch outcome {
    case .planned, .done: .null
    case .refused:
      ["code": .string(PlannedAnalysis.refusalCode), "message": .string(PlannedAnalysis.refusal)]
    case .failed(let code, let message): ["code": .string(code), "message": .string(message)]
    }
  }

  var text: String {
    guard !tables.isEmpty else {
      return staleOnly ? "No table's statistics are stale." : "There are no tables."
    }
    let rows = tables.map { table in
      let plan = table.plan
      let partitions = plan.partitionCount > 0 ? " and \(counted(plan.partitionCount, "partition"))" : ""
      return [
        plan.name.description + partitions,
        plan.rows.map(String.init) ?? "?", humanSize(bytes: plan.sizeBytes), Self.state(table.outcome),
        plan.reason?.sentence ?? "",
      ].map { terminalSafe($0) }
    }
    let list = Commands.table(
      ["table", .number("rows"), .number("size"), isExecuted ? "outcome" : "plan", "why"], rows)
    return [list, "", closing].joined(separator: "\n")
  }

  private static func state(_ outcome: AnalyzedTable.Outcome) -> String {
    switch outcome {
    case .planned: "analyze"
    case .refused: "may not"
    case .done(let milliseconds): humanDuration(.milliseconds(milliseconds))
    case .failed(_, let message): message
    }
  }

  private var closing: String {
    let refused = tables.count { $0.outcome == .refused }
    let note = refused > 0 ? " This role may not analyse \(refused) of them: \(PlannedAnalysis.refusal)." : ""
    guard isExecuted else { return "Nothing was done; --execute does it.\(note)" }
    return "\(tables.count { !$0.outcome.isFailure }) of \(tables.count) tables were analysed.\(note)"
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["schema", "table", "code", "reason", "rows", "size_bytes", "outcome"],
      tables.map { table in
        [
          table.plan.name.schema, table.plan.name.name, table.plan.reason?.code ?? "",
          table.plan.reason?.sentence ?? "", table.plan.rows.map(String.init) ?? "",
          "\(table.plan.sizeBytes)",
          Self.word(table.outcome),
        ]
      }
    )
  }
}
