import ArgumentParser
import Plans
import Postgres
import Primitives
import Workload

/// `ironforge query slow`.
struct QuerySlow: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "slow",
    abstract: "List the statements that cost the server most, from pg_stat_statements.",
    discussion: """
      Of this database alone, as the server normalises them: $1 stands where a constant was. Needs the extension \
      pg_stat_statements and pg_monitor; nothing is executed. Text cuts statements short; JSON and CSV have them whole.

      Left out, unless --all asks for them, are statements that do no work of their own: what ironforge asks a server to look at \
      it, EXPLAIN, SET, SHOW, BEGIN, SAVEPOINT and their like. Shares are of the time of what is listed.

      --sort io goes by the time spent on reading and writing blocks, or by the number of blocks where the server does not \
      measure it (track_io_timing). --plans asks for the plan of each statement, without values for its $1; the role needs \
      the right to read its tables. The planner calls functions of the statements that it plans: a superuser gets no plan of \
      those that reach a function of anybody else than a superuser.

      EXAMPLES:
        ironforge query slow
        ironforge query slow --sort mean --limit 5 --plans
        ironforge query slow --json | jq -r 'select(.hit_rate < 0.9) | .query'
      """)

  @Option(help: ArgumentHelp("The most statements to list, 1 to 10000.", valueName: "n"))
  var limit = 20

  @Option(help: ArgumentHelp("What to list first.", valueName: "order"))
  var sort = SlowOrder.total

  @Flag(help: "Also the plan of each.")
  var plans = false

  @Flag(help: "Also statements inside functions, where the server tracks them.")
  var nested = false

  @Flag(help: "Also EXPLAIN, SET and their like, and what ironforge itself asks.")
  var all = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000.") }
  }

  func run(in context: CommandContext) throws {
    let session = try context.openCancellableSession()
    let report = try StatementReport.read(
      session, limit: limit, order: sort.order, includesNested: nested, includesInspection: all)
    let rows = report.statements.map { SlowStatement(statistics: $0, report: report) }
    if plans {
      try printPlans(PlannedStatement.fitted(rows), session, context)
    } else {
      try context.output.render(SlowStatement.fitted(rows))
    }
    context.messages.info(Self.summary(of: report))
  }

  /// One after the other, because a plan can take its time.
  private func printPlans(_ rows: [SlowStatement], _ session: Session, _ context: CommandContext) throws {
    let planner = StatementPlanner(session)
    var list = context.output.list(of: PlannedStatement.self)
    for row in rows {
      try context.signals.check()
      do {
        let plan = try planner.plan(row.statistics.text, searchPath: row.statistics.searchPath)
        try list.append(PlannedStatement(row: row, plan: .success(plan)))
      } catch let error as any Failure {
        guard session.isOpen else { throw error }
        try list.append(PlannedStatement(row: row, plan: .failure(PlanFailure(error))))
      }
    }
    try list.finish()
  }

  private static func summary(of report: StatementReport) -> String {
    let since = report.since.map { "since \($0.minute)" } ?? "since nobody knows when"
    let evicted = report.evictions.map { $0 > 0 ? "; the rarest were thrown away \($0) times" : "" } ?? ""
    let total = humanMilliseconds(report.totalMilliseconds)
    return "\(report.statementCount) statements took \(total) in all, counted \(since)\(evicted)"
  }
}

/// `--sort` on a command line.
enum SlowOrder: String, ExpressibleByArgument, CaseIterable {
  case total, mean, calls, io

  var order: StatementStatistics.Order {
    switch self {
    case .total: .total
    case .mean: .mean
    case .calls: .calls
    case .io: .io
    }
  }
}

/// Why a statement has no plan.
struct PlanFailure: Error {
  let code: String
  let message: String

  init(_ error: any Failure) {
    code = error.code
    message = (error as? StatementNotExplainable)?.reason ?? error.message
  }
}

/// Milliseconds that the server counted, in units for people.
func humanMilliseconds(_ milliseconds: Double) -> String {
  // A thousand years; what is no number is none.
  let bounded = milliseconds.isFinite ? min(max(0, milliseconds), 3.2e13) : 0
  // Where a digit more tells something.
  if (1..<99.95).contains(bounded) {
    let tenths = Int((bounded * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
  }
  return humanDuration(.microseconds(Int64(bounded * 1000)))
}
