import ArgumentParser
import Jobs
import Postgres
import Primitives

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
    try await JobExecution(
      try JobCatalog.job(of: found.run, in: context), settings, retries: retries, in: context
    )
    .run(resuming: run)
  }

  private func look(in context: CommandContext) throws -> JobStatus {
    let session = try context.openSession()
    defer { session.close() }
    let records = JobRecords(session)
    return try records.status(of: try records.unpause(run))
  }
}
