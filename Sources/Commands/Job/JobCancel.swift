import ArgumentParser
import Jobs
import Primitives

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
