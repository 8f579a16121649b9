import Glibc
import Subprocess
import SystemPackage

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

  /// A child that ends before it has read its input would otherwise end the test process by SIGPIPE.
  private static let brokenPipesAreIgnored: Void = { _ = Glibc.signal(SIGPIPE, SIG_IGN) }()

  /// Starts the program and returns while it runs.
  public func start() async throws -> RunningProgram {
    Self.brokenPipesAreIgnored
    var changes: [Subprocess.Environment.Key: String?] = [:]
    for (name, value) in environment {
      guard let key = Subprocess.Environment.Key(rawValue: name) else {
        throw TestFailure("\(name) is not a name of a variable.")
      }
      changes[key] = .some(value)
    }
    let configuration = Configuration(
      executable: .path(FilePath(path)), arguments: Arguments(arguments),
      environment: .inherit.updating(changes), workingDirectory: directory.map { FilePath($0) })
    let (started, announce) = AsyncStream.makeStream(of: Int32.self)
    let input = stdin
    let task = Task {
      defer { announce.finish() }
      let result = try await Subprocess.run(
        configuration, input: .string(input), output: .string(limit: Self.outputLimit),
        error: .string(limit: Self.outputLimit)
      ) { execution in
        announce.yield(execution.processIdentifier.value)
      }
      let code: Int32 =
        switch result.terminationStatus {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
      return ProgramResult(
        exitCode: code, stdout: result.standardOutput, stderr: result.standardError)
    }
    for await processID in started {
      return RunningProgram(
        processID: processID, command: ([path] + arguments).joined(separator: " "), task: task)
    }
    // It could not be started: the task holds the reason.
    _ = try await task.value
    throw TestFailure("\(path) ended before it could be watched.")
  }
}

/// A program in the background. It is killed when its `finish` times out; otherwise by the watchdog at the latest.
public struct RunningProgram: Sendable {
  /// For `kill(2)`.
  public let processID: Int32
  let command: String
  let task: Task<ProgramResult, any Error>

  /// Sends a signal, for instance `SIGINT`.
  public func signal(_ number: Int32) throws {
    try Signals.send(number, to: processID)
  }

  /// Waits for the end; at `timeout` the program is killed and the call throws.
  public func finish(timeout: Duration = .seconds(60)) async throws -> ProgramResult {
    let command = command
    let limit = Task { [task] in
      try await Task.sleep(for: timeout)
      task.cancel()
    }
    defer { limit.cancel() }
    let result: ProgramResult
    do {
      result = try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    } catch {
      guard task.isCancelled else { throw error }
      throw TestFailure("Killed after \(timeout): \(command)")
    }
    // A killed program is no error to the spawning library.
    guard !task.isCancelled else { throw TestFailure("Killed after \(timeout): \(command)") }
    return result
  }
}
