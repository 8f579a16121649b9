import ArgumentParser
import Jobs
import Ledger
import Postgres
import Primitives

/// `ironforge job list`.
struct JobList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List runs of jobs, newest first.",
    discussion: """
      EXAMPLES:
        ironforge job list
        ironforge job list --job sql --limit 5 --json
      """)

  @Option(help: ArgumentHelp("Only runs of this job.", valueName: "name"))
  var job: String?

  @OptionGroup var page: PageOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let (runs, hasMore) = try JobRecords(try context.openSession())
      .runs(of: job, before: try page.request().cursor?.id, limit: page.limit)
    let next = hasMore ? runs.last.map { Cursor(time: $0.id.timestamp, id: $0.id).description } : nil
    try context.output.render(runs.map(JobRow.init), nextCursor: next)
  }
}

/// `ironforge job status`.
struct JobStatusCommand: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how far a run is, what slows it down, and which rows failed.",
    discussion: """
      EXAMPLES:
        ironforge job status
        ironforge job status 01939bb7-9d52-7000-8000-000000000000 --json
      """)

  @Argument(help: "The run; the newest if absent.")
  var run: Identifier?

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let records = JobRecords(try context.openSession())
    try context.output.render(
      JobStatusView(status: try records.status(of: try run.map(records.run) ?? records.latest())))
  }
}

/// `ironforge job pause`.
struct JobPause: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Let a run rest until it is resumed.",
    discussion: """
      Chunks at work end, and none is started, within a second. A run that no process works on is kept from going on.

      EXAMPLES:
        ironforge job pause 01939bb7-9d52-7000-8000-000000000000
      """)

  @Argument(help: "The run.")
  var run: Identifier

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let records = JobRecords(try context.openSession())
    try context.output.render(JobStatusView(status: try records.status(of: try records.pause(run))))
  }
}

/// `ironforge job cancel`.
struct JobCancel: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "End a run for good; what it did so far stays.",
    discussion: """
      EXAMPLES:
        ironforge job cancel 01939bb7-9d52-7000-8000-000000000000
      """)

  @Argument(help: "The run.")
  var run: Identifier

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let records = JobRecords(try context.openSession())
    try context.output.render(JobStatusView(status: try records.status(of: try records.cancel(run))))
  }
}

/// `ironforge job resume`.
struct JobResume: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Go on with a run that was paused, stopped, or left by a process that died.",
    discussion: """
      A run whose process waits goes on there. Otherwise this process works on it, as hard as it was allowed to \
      before, unless the options say otherwise.

      EXAMPLES:
        ironforge job resume 01939bb7-9d52-7000-8000-000000000000
        ironforge job resume 01939bb7-9d52-7000-8000-000000000000 --max-rate 200
      """)

  @Argument(help: "The run.")
  var run: Identifier

  @OptionGroup var pace: JobPace
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let found = try look(in: context)
    if found.run.isOwned {
      context.messages.info("a process works on it: \(found.run.owner)")
      return try context.output.render(JobStatusView(status: found))
    }
    let settings = try pace.applied(to: found.run.settings, in: context)
    let retries = found.run.options["retry_failed"].flatMap { Identifier($0) }
    try await JobExecution(try JobCatalog.job(of: found.run), settings, retries: retries, in: context)
      .run(resuming: run)
  }

  private func look(in context: CommandContext) throws -> JobStatus {
    let session = try context.openSession()
    defer { session.close() }
    let records = JobRecords(session)
    return try records.status(of: try records.unpause(run))
  }
}
