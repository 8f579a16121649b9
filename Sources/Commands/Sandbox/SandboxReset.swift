import ArgumentParser
import Sandbox

/// `ironforge sandbox reset`.
struct SandboxReset: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset",
    abstract: "Throw the sandbox's data away and start afresh.",
    discussion: """
      Says what it would delete, and does it with --execute.

      EXAMPLES:
        ironforge sandbox reset --execute
      """)

  @Flag(help: "Do it.")
  var execute = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let sandbox = try Sandbox(directory: ".")
    guard execute else {
      let status = try sandbox.status()
      try context.output.render(SandboxView(status: status))
      context.messages.info(
        status.servers.isEmpty
          ? "there is nothing to delete" : "would delete the data of these servers; do it with --execute")
      return
    }
    try context.output.render(SandboxView(status: try await sandbox.reset()))
  }
}
