import Advice
import ArgumentParser
import Postgres
import Primitives
import Workload

/// `ironforge index advise`.
struct IndexAdvise: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "advise",
    abstract: "Find the indexes that serve a workload best, within a budget; builds none.",
    discussion: """
      The workload is a file of statements, each counted as often as it stands there, or what pg_stat_statements has seen, \
      weighed by the time that it took. Candidates come from conditions, joins and orderings; PostgreSQL's planner judges them \
      hypothetically by HypoPG, which must be installed in the database (CREATE EXTENSION hypopg). Nothing is written. What an \
      existing index does is not advised again; what could not be taken into account is named.

      Look at the plans of what you build: the planner's costs are estimates.

      EXAMPLES:
        ironforge index advise --max-size 500MB
        ironforge index advise --workload slow.sql --max-indexes 3
        ironforge index advise --workload slow.sql --html advice.html --json
      """)

  @Option(
    help: ArgumentHelp("A file of statements with semicolons between them; - for stdin.", valueName: "file"),
    completion: .file(extensions: ["sql"]))
  var workload: String?

  @Flag(help: "What pg_stat_statements has seen; so it is without --workload too.")
  var fromStatements = false

  @Option(
    help: ArgumentHelp(
      "The most that all indexes together may take, such as 100MB (default: no limit).", valueName: "size"))
  var maxSize: ByteCount?

  @Option(help: ArgumentHelp("The most indexes, 1 to 100.", valueName: "n"))
  var maxIndexes = 10

  @Option(
    help: ArgumentHelp("Also write a page for people to this file.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var html: String?

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard workload == nil || !fromStatements else {
      throw ValidationError("Give --workload or --from-statements, not both.")
    }
    guard maxSize.map({ $0.bytes > 0 }) ?? true else { throw ValidationError("--max-size must be above 0.") }
    guard (1...100).contains(maxIndexes) else {
      throw ValidationError("--max-indexes must be from 1 to 100.")
    }
  }

  func run(in context: CommandContext) throws {
    let given = try workload.map { try WorkloadFile.read(InputFile($0)) }
    let page = try html.map { try DurableFile($0) }
    let session = try context.openCancellableSession()
    let statements = try given ?? seen(session)
    let limits = ChoiceLimits(bytes: maxSize?.bytes ?? .max, indexes: maxIndexes)
    let advisor = Advisor(session, Advisor.Request(limits: limits)) { try context.signals.check() }
    let advice = try advisor.advise(statements)
    if let page {
      try page.write { $0 += AdvicePage(advice).document }
      try page.commit()
    }
    try context.output.render(AdviceView(advice: advice))
    if advice.isCutShort {
      context.messages.warning(
        "the search was stopped when its time was up; a smaller workload is searched further")
    }
  }

  private func seen(_ session: Session) throws -> [WorkloadStatement] {
    do {
      return try StatisticsWorkload.read(session)
    } catch let error as StatementStatisticsError where !fromStatements {
      throw SimpleFailure(
        .usage, code: "workload_missing", message: "no --workload was given, and \(error.message)",
        hint: "give --workload FILE, or: \(error.hint ?? "pg_stat_statements")")
    }
  }
}
