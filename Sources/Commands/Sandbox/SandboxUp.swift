import ArgumentParser
import Sandbox

/// `ironforge sandbox up`.
struct SandboxUp: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Start the servers; those that run already are left alone.",
    discussion: """
      EXAMPLES:
        ironforge sandbox up
      """)

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let status = try await Sandbox(directory: ".").up()
    context.messages.info(status.started.isEmpty ? "runs already" : "started")
    try context.output.render(SandboxView(status: status), isSuccess: true)
  }
}
