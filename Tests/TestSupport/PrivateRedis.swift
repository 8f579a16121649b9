import Glibc
import Primitives
import Sandbox

/// A Redis of one test, which may be stopped, killed and frozen. It starts in some 20 ms.
public final class PrivateRedis: Sendable {
  /// The path of its socket.
  public let socket: String
  private let sandbox: Sandbox
  private let directory: TemporaryDirectory

  private static let options = SandboxOptions(servers: [.redis])

  /// `unix://` URL.
  public var url: String { "unix://\(socket)?db=0" }

  /// Starts a server in a directory of its own.
  public init() async throws {
    directory = try TemporaryDirectory("redis")
    sandbox = try Sandbox(directory: directory.path)
    let status = try await sandbox.up(Self.options)
    guard let server = status.servers.first(where: { $0.server == .redis }), server.isRunning else {
      throw TestFailure("Redis does not run in \(directory.path).")
    }
    socket = server.socket
  }

  /// The server's process id; throws when it does not run.
  public func process() throws -> Int32 {
    let servers = try sandbox.status().servers
    guard let process = servers.first(where: { $0.server == .redis })?.processID else {
      throw TestFailure("Redis does not run in \(directory.path).")
    }
    return process
  }

  /// Sends a signal to the server, for instance `SIGSTOP`.
  public func signal(_ number: Int32) throws {
    try Signals.send(number, to: try process())
  }

  /// A port of the loopback interface that nobody listens on, for `CONFIG SET port`: a replica knows no sockets.
  public static func freePort() throws -> Int {
    let listener = try SocketAddress.tcp(port: 0).listen()
    defer { close(listener) }
    return Int(try SocketAddress.port(of: listener))
  }

  /// Stops the server; everything that it held is gone, but for what a test has saved by `SAVE`.
  public func stop() async throws {
    _ = try await sandbox.down()
  }

  /// Starts the server again, empty or from what was saved.
  public func start() async throws {
    _ = try await sandbox.up(Self.options)
  }

  /// `kill -9`, and a start from the last dump (`SAVE`), or empty.
  public func crash() async throws {
    let process = try process()
    try Signals.send(SIGKILL, to: process)
    let deadline = Deadline.after(.seconds(30))
    while try sandbox.status().servers.contains(where: { $0.processID == process }) {
      guard !deadline.hasPassed else { throw TestFailure("Redis did not end.") }
      try await Task.sleep(for: .milliseconds(5))
    }
    try await start()
  }

  /// Stops the server and deletes its directory.
  public func destroy() async throws {
    try await sandbox.destroy()
  }
}

/// Lends a private Redis to `body` and destroys it afterwards.
public func withRedis<R: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ body: (PrivateRedis) async throws -> R
) async throws -> R {
  try await ServerSlots.shared.withSlot {
    let server = try await PrivateRedis()
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
