import Glibc
import Primitives
import Redis
import TestSupport

/// A real redis-server of its own, in a new directory, on a Unix socket and if wanted on a loopback port.
///
/// Unlike `PrivateRedis` it takes any option of redis-server (passwords, limits), and is used in plain calls.
/// The watchdog over the tests' directories ends it should the test process be killed.
final class RedisServer {
  private let home: TemporaryDirectory
  let socketPath: String
  let port: UInt16?
  private let arguments: [String]
  private var process: pid_t?

  init(_ arguments: [String] = [], tcp: Bool = false) throws {
    home = try TemporaryDirectory("redis")
    socketPath = home.file("redis.sock")
    port = tcp ? try Self.freePort() : nil
    self.arguments = arguments
    try start()
  }

  var directory: String { home.path }

  deinit { kill() }

  func endpoint(user: String? = nil, password: String? = nil, database: Int = 0) throws -> Endpoint {
    try Endpoint(.unix(path: socketPath), user: user, password: password, database: database)
  }

  func tcpEndpoint() throws -> Endpoint {
    guard let port else { throw TestFailure("the server has no port") }
    return try Endpoint(.tcp(host: "localhost", port: port))
  }

  func session(commandTimeout: Duration = .seconds(20)) throws -> Session {
    try Session(connecting: endpoint(), commandTimeout: commandTimeout)
  }

  /// Starts it (again) and waits until it answers.
  func start() throws {
    process = try Self.spawn(
      [
        "redis-server", "--unixsocket", socketPath, "--port", String(port ?? 0), "--bind", "127.0.0.1",
        "--dir",
        directory, "--save", "", "--appendonly", "no", "--logfile", directory + "/log",
      ] + arguments)
    let deadline = Deadline.after(.seconds(20))
    while true {
      do {
        _ = try Session(connecting: endpoint(), connectTimeout: .seconds(1))
        return
      } catch RedisError.unreachable where !deadline.hasPassed {
        usleep(5000)
      } catch RedisError.server {
        return  // It answers, and wants a password.
      }
    }
  }

  /// `kill -9`, and waits until it is gone.
  func kill() {
    guard let process else { return }
    var status: Int32 = 0
    Glibc.kill(process, SIGKILL)
    waitpid(process, &status, 0)
    self.process = nil
  }

  func restart() throws {
    kill()
    try start()
  }

  func signal(_ number: Int32) {
    guard let process else { return }
    Glibc.kill(process, number)
  }

  private static func spawn(_ words: [String]) throws -> pid_t {
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var child = pid_t()
    let status = posix_spawnp(&child, words[0], nil, nil, &pointers, environ)
    guard status == 0 else { throw TestFailure("\(words[0]): errno \(status)") }
    return child
  }

  private static func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
      }
    }
    guard status == 0 else { throw TestFailure("no free port: errno \(errno)") }
    return UInt16(bigEndian: address.sin_port)
  }
}
