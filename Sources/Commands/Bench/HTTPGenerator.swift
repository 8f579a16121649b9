package import Bench
import Synchronization

/// Generates load over HTTP. `ironforge` itself has none: an event loop and TLS are parts of `ironforge-serve` alone.
package protocol HTTPGenerator: Sendable {
  /// What the server speaks: `HTTP/1.1`, `HTTP/2`.
  var version: String { get }
  /// How many threads generate.
  var threads: Int { get }
  /// Sends what the run asks for until it is over.
  func run(_ run: LoadRun) async throws
  /// Ends its threads.
  func close() async throws
}

/// Connects to the target of a request, for a load of so many connections.
package typealias HTTPGenerating = @Sendable (HTTPLoadRequest, Int) async throws -> any HTTPGenerator

/// Runs the command that `arguments` (without the name of the program) ask for, in the program that generates HTTP load.
/// Returns its exit code.
package func runIronforge(_ arguments: [String], generating: @escaping HTTPGenerating) -> Int32 {
  HTTPGeneration.generating.withLock { $0 = generating }
  return runIronforge(arguments)
}

/// Set before the command line is read: a parsed command cannot be handed anything.
enum HTTPGeneration {
  fileprivate static let generating = Mutex<HTTPGenerating?>(nil)

  /// Nil in the program without a generator.
  static var current: HTTPGenerating? { generating.withLock { $0 } }
}
