import ArgumentParser
import Jobs
import Ledger
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
