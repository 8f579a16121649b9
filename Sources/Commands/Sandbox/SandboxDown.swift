import ArgumentParser
import Sandbox

/// `ironforge sandbox down`.
struct SandboxDown: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stop the servers; the data stays.",
    discussion: """
      EXAMPLES:
        ironforge sandbox down
      """)

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let status = try await Sandbox(directory: ".").down()
    context.messages.info(status.stopped.isEmpty ? "nothing was running" : "stopped")
    try context.output.render(SandboxView(status: status), isSuccess: true)
  }
}
