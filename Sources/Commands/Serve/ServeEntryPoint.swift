import ArgumentParser
import Glibc
import Synchronization

/// What carries out `ironforge-serve`, with what its command line says.
package typealias Serving = @Sendable (CommandContext, ServeOptions) async throws -> Void

/// Runs `ironforge-serve` with `arguments` (without the name of the program), and returns its exit code. Errors are told as
/// those of every command.
package func runIronforgeServe(_ arguments: [String], _ serving: @escaping Serving) -> Int32 {
  ServeProcess.serving.withLock { $0 = serving }
  return runIronforge(arguments, from: ServeProcess.self)
}

/// The root command of `ironforge-serve`.
struct ServeProcess: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: ServeProgram.name, abstract: ServeCommand.configuration.abstract,
    discussion: ServeCommand.configuration.discussion, version: Version.text)

  @OptionGroup var options: ServeOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  /// Set before the command line is read: a parsed command cannot be handed anything.
  fileprivate static let serving = Mutex<Serving?>(nil)

  func runConcurrently(in context: CommandContext) async throws {
    guard let serving = Self.serving.withLock({ $0 }) else { return }
    try await serving(context, options)
  }
}
