import Glibc
import Primitives
public import Sandbox

/// How a PostgreSQL server is told to stop (postgres(1), "Shutting Down the Server").
public enum ShutdownMode: Sendable {
  /// Connections are ended, transactions rolled back, a checkpoint is written.
  case fast
  /// As a crash: recovery at the next start.
  case immediate

  var signal: Int32 {
    switch self {
    case .fast: SIGINT
    case .immediate: SIGQUIT
    }
  }
}

/// A PostgreSQL of one test, which may be stopped, killed and frozen.
public final class PrivatePostgres: Sendable {
  /// Where it answers; the same before and after a restart.
  public let address: PostgresAddress
  private let sandbox: Sandbox
  private let options: SandboxOptions
  private let directory: TemporaryDirectory

  /// The database of the sandbox, as libpq URI.
  public var url: String { address.url(database: "ironforge") }

  /// The database of the sandbox.
  public var database: TestDatabase { TestDatabase(name: "ironforge", address: address) }

  /// Starts a server in a directory of its own.
  public init(options: SandboxOptions = SharedPostgres.options) async throws {
    directory = try TemporaryDirectory("private")
    sandbox = try Sandbox(directory: directory.path)
    self.options = options
    address = try PostgresAddress(try await sandbox.up(options), programs: sandbox.programs())
  }

  /// The path of the server's log.
  public var log: String { directory.file(".ironforge/sandbox/postgres.log") }

  /// Sends statements through psql to the database `ironforge`.
  @discardableResult
  public func sql(_ text: String, timeout: Duration = .seconds(60)) async throws -> [[String]] {
    try await address.sql(text, database: "ironforge", timeout: timeout)
  }

  /// The postmaster's process id; throws when it does not run.
  public func postmaster() throws -> Int32 {
    let servers = try sandbox.status().servers
    guard let process = servers.first(where: { $0.server == .postgres })?.processID else {
      throw TestFailure("PostgreSQL does not run in \(directory.path).")
    }
    return process
  }

  /// Stops the server and waits until it has gone.
  public func stop(mode: ShutdownMode) async throws {
    try await end(with: mode.signal)
  }

  /// `kill -9` of the postmaster: its children are left to notice.
  public func killPostmaster() async throws {
    try await end(with: SIGKILL)
  }

  /// Starts the server again.
  public func start() async throws {
    _ = try await sandbox.up(options)
  }

  /// Stops and starts; returns when connections are accepted again.
  public func restart(mode: ShutdownMode) async throws {
    try await stop(mode: mode)
    try await start()
  }

  /// Sends a signal to one process of the server: `SIGKILL` to a backend makes PostgreSQL end all of them and
  /// recover, `SIGSTOP` makes it hang until `SIGCONT`.
  public func signal(_ number: Int32, process: Int32) throws {
    try Signals.send(number, to: process)
  }

  /// Waits until a statement is answered, as after `SIGKILL` to a backend.
  public func waitUntilReady(timeout: Duration = .seconds(30)) async throws {
    let deadline = Deadline.after(timeout)
    while true {
      do {
        try await sql("select 1", timeout: timeout)
        return
      } catch {
        guard !deadline.hasPassed else { throw error }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  /// Stops the server and deletes its data.
  public func destroy() async throws {
    try await sandbox.destroy()
  }

  private func end(with signal: Int32) async throws {
    let process = try postmaster()
    try Signals.send(signal, to: process)
    let deadline = Deadline.after(.seconds(30))
    while try sandbox.status().servers.contains(where: { $0.processID == process }) {
      guard !deadline.hasPassed else { throw TestFailure("The postmaster did not end.") }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}

/// Lends a private PostgreSQL to `body` and destroys it afterwards.
public func withPrivatePostgres<R: Sendable>(
  options: SandboxOptions = SharedPostgres.options, isolation: isolated (any Actor)? = #isolation,
  _ body: (PrivatePostgres) async throws -> R
) async throws -> R {
  try await ServerSlots.shared.withSlot {
    let server = try await PrivatePostgres(options: options)
    let result: R
    do {
      result = try await body(server)
    } catch {
      // The reason of the test's failure counts; the watchdog stops a server that is left.
      _ = await Result.init(catching: server.destroy)
      throw error
    }
    try await server.destroy()
    return result
  }
}
