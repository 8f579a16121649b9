import Glibc
import Primitives
import Sandbox

/// How a program ended and what it printed.
public struct ProgramResult: Sendable {
  /// The exit code, or 128 and the signal's number, as a shell reports it.
  public let exitCode: Int32
  /// Standard output.
  public let stdout: String
  /// Standard error.
  public let stderr: String
}

/// A program with its surroundings, ready to be run.
public struct Program: Sendable {
  /// Output beyond this fails the test instead of filling the memory, in bytes a stream.
  public static let outputLimit = 64 << 20

  /// Absolute path.
  public var path: String
  /// Without the program's own name.
  public var arguments: [String]
  /// Variables that are set, or removed where nil, in the environment of the test process.
  public var environment: [String: String?]
  /// The whole standard input.
  public var stdin: String
  /// The directory in which it starts; nil is that of the test process.
  public var directory: String?

  /// A program without input in the directory of the tests.
  public init(
    _ path: String, _ arguments: [String] = [], environment: [String: String?] = [:], stdin: String = "",
    directory: String? = nil
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.stdin = stdin
    self.directory = directory
  }

  /// Runs to the end; at `timeout` the program is killed and the call throws.
  public func run(timeout: Duration = .seconds(60)) async throws -> ProgramResult {
    let running = try await start()
    return try await running.finish(timeout: timeout)
  }

  /// Starts the program and returns while it runs.
  public func start() async throws -> RunningProgram {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      next += 1
    }
    for (name, value) in environment { variables[name] = value }
    let child = try ChildProcess(
      ChildProcess.Command(
        path: path, arguments: arguments, environment: variables.map { "\($0)=\($1)" },
        directory: directory, input: Array(stdin.utf8), outputLimit: Self.outputLimit))
    return RunningProgram(command: ([path] + arguments).joined(separator: " "), child: child)
  }
}

/// A program in the background. It is killed when its `finish` times out; otherwise by the watchdog at the latest.
public struct RunningProgram: Sendable {
  let command: String
  let child: ChildProcess

  /// For `kill(2)`.
  public var processID: Int32 { child.processID }

  /// Sends a signal, for instance `SIGINT`.
  public func signal(_ number: Int32) throws {
    try Signals.send(number, to: processID)
  }

  /// SIGKILL, unless it has ended already.
  public func kill() { child.signal(SIGKILL) }

  /// Waits for the end; at `timeout` the program is killed and the call throws.
  public func finish(timeout: Duration = .seconds(60)) async throws -> ProgramResult {
    let limit = Task { [child] in
      try await Task.sleep(for: timeout)
      child.signal(SIGKILL)
    }
    let outcome = await withTaskCancellationHandler {
      await child.outcome()
    } onCancel: { [child] in
      child.signal(SIGKILL)
    }
    limit.cancel()
    let isOver: Bool
    if case .success = await limit.result { isOver = true } else { isOver = false }
    guard !isOver, !Task.isCancelled else { throw TestFailure("Killed after \(timeout): \(command)") }
    guard !outcome.isTruncated else { throw TestFailure("It prints without end: \(command)") }
    return ProgramResult(
      exitCode: outcome.exitCode, stdout: String(decoding: outcome.stdout, as: UTF8.self),
      stderr: String(decoding: outcome.stderr, as: UTF8.self))
  }
}
