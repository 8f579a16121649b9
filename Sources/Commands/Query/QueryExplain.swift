import ArgumentParser
import Plans
import Primitives
import Workload

/// `ironforge query explain`.
struct QueryExplain: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract:
      "Explain a statement, or a plan that somebody else has: where its time goes, and the root cause.",
    discussion: """
      Without --analyze nothing is executed. With it the statement is executed, in a read-only transaction: one that writes is \
      refused, unless --rollback says that it may run and be rolled back. It waits as long as database.statement_timeout_secs \
      and for locks as long as database.lock_timeout_secs; Ctrl-C cancels it.

      A plan from a file is EXPLAIN's output as text or JSON with any options, as psql, pgAdmin or auto_explain print it.

      COLUMNS:
        OWN      time of the node itself; TIME with all that it runs. What workers do at the same time counts once.
        OFF      rows against the planner's estimate: x120 came 120 times more, /12 came 12 times fewer
        BUFFERS  pages that the node itself touched
      Of a plan without ANALYZE cost takes the place of time, and ROWS are those expected.

      An index that a finding asks for is tried with HypoPG where that is installed in the database. \
      Findings do not fail the command.

      EXAMPLES:
        ironforge query explain "select * from orders where customer_id = \\$1"
        ironforge query explain --analyze --file report.sql --html report.html
        psql -c 'explain (analyze, buffers) select …' | ironforge query explain --plan -
        ironforge query explain --analyze --parameter 42 'select * from orders where customer_id = $1'
      """)

  @Argument(help: ArgumentHelp("The statement, without EXPLAIN.", valueName: "sql"))
  var sql: String?

  @Option(help: ArgumentHelp("A file with the statement, or -.", valueName: "file"), completion: .file())
  var file: String?

  @Option(
    help: ArgumentHelp("A file with a plan, or -; no server is asked.", valueName: "file"),
    completion: .file())
  var plan: String?

  @Flag(help: "Execute the statement, and tell what it did.")
  var analyze = false

  @Flag(help: "With --analyze: a statement that writes may run, in a transaction that is rolled back.")
  var rollback = false

  @Option(
    name: .customLong("parameter"), parsing: .singleValue,
    help: ArgumentHelp("A value of $1, $2, …; once for each, in their order.", valueName: "value"))
  var parameters: [String] = []

  @Option(
    help: ArgumentHelp("Write a page with a flame graph, which stands on its own.", valueName: "file"),
    completion: .file())
  var html: String?

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard [sql, file, plan].count(where: { $0 != nil }) == 1 else {
      throw ValidationError("Give one of: a statement, --file FILE, --plan FILE.")
    }
    if plan != nil, analyze || rollback || !parameters.isEmpty {
      throw ValidationError(
        "--plan reads a plan; --analyze, --rollback and --parameter belong to a statement.")
    }
    if rollback, !analyze {
      throw ValidationError("--rollback is for --analyze; without it nothing is executed.")
    }
  }

  func run(in context: CommandContext) throws {
    // What cannot be written fails before anything is executed.
    let page = try html.map { path in try DurableFile(path) }
    let view = try plan.map { try read($0) } ?? explain(in: context)
    try context.signals.check()
    if let page {
      try page.write { $0 += PlanPage(view).document }
      try page.commit()
    }
    try context.output.render(view)
    if let note = view.note { context.messages.info(note) }
  }

  private func read(_ path: String) throws -> PlanView {
    let plan = try Plan(parsing: try contents(path, max: 32 << 20))
    let analysis = PlanAnalysis(plan)
    let found = StatisticsAdvice.written(PlanReview(analysis).findings())
    let findings = IndexProof.unverified(found, because: "no server was asked")
    return PlanView(analysis: analysis, findings: findings, sql: plan.query, note: nil)
  }

  private func contents(_ path: String, max: Int) throws(SimpleFailure) -> [UInt8] {
    do throws(SimpleFailure) {
      return try InputFile(path).bytes(max: max)
    } catch {
      var failure = error
      failure.hint = error.hint ?? "name a file that can be read, or - for standard input"
      throw failure
    }
  }

  private func explain(in context: CommandContext) throws -> PlanView {
    let text =
      try sql ?? file.map { try String(decoding: contents($0, max: 1 << 20), as: UTF8.self) } ?? ""
    var request = StatementExplainer.Request(text)
    request.isAnalyzed = analyze
    request.mayWrite = rollback
    request.parameters = parameters
    let session = try context.openCancellableSession()
    let outcome = try StatementExplainer(session).explain(request)
    try context.signals.check()
    let analysis = PlanAnalysis(outcome.plan)
    let found = PlanReview(analysis, context: outcome.context).findings()
    let findings = try IndexProof(session).verified(StatisticsAdvice.written(found), of: request)
    var note: String?
    if rollback { note = "the statement was executed and rolled back" }
    if outcome.isGeneric {
      note = "a plan for any values of the parameters; --parameter VALUE explains one for these"
    }
    return PlanView(analysis: analysis, findings: findings, sql: text, note: note)
  }
}

extension InputFile {
  /// The whole file.
  ///
  /// - Throws: `input_unreadable`, also for more than `max` bytes.
  fileprivate func bytes(max: Int) throws(SimpleFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      var failure: SimpleFailure?
      let count = buffer.withUnsafeMutableBytes { space -> Int in
        do throws(SimpleFailure) {
          return try read(into: space)
        } catch {
          failure = error
          return 0
        }
      }
      if let failure { throw failure }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      guard bytes.count <= max else {
        throw SimpleFailure(
          .malformedInput, code: "input_unreadable", message: "\(name) is larger than \(max >> 20) MB",
          hint: "give one statement, or one plan, at a time")
      }
    }
  }
}
