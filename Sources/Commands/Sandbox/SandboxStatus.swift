import ArgumentParser
import Sandbox

/// `ironforge sandbox status`.
struct SandboxStatusCommand: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show which servers run, and where.",
    discussion: """
      EXAMPLES:
        ironforge sandbox status --json
      """)

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(SandboxView(status: try Sandbox(directory: ".").status()))
  }
}
