import ArgumentParser
import Jobs
import Primitives

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
