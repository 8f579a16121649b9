import ArgumentParser
import Jobs
import Primitives

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
