import Glibc
import Synchronization

/// What a proxy does to the bytes that pass.
public enum ProxyFault: Sendable, Equatable {
  /// Nothing: the bytes pass.
  case none
  /// Every portion of bytes is held for so many milliseconds.
  case delay(milliseconds: Int)
  /// Nothing is forwarded any more, and nothing closed: a network that swallows packets.
  case hang
  /// The connection ends when the client has sent so many bytes; the rest of that portion is not forwarded.
  case cutAfterClientBytes(Int)
  /// The connection ends when the server has sent so many bytes; the rest of that portion is not forwarded.
  case cutAfterServerBytes(Int)
  /// The portion of the client's bytes that completes `needle` is not forwarded, and the connection ends: the
  /// request never reached the server.
  case loseRequest(needle: [UInt8])
  /// The portion that completes `needle` is forwarded; once the server begins to answer, the answer is dropped and
  /// the connection ends: the server did the work and the client does not know.
  case loseReply(needle: [UInt8])

  /// `loseReply` for a text.
  public static func loseReply(after text: String) -> ProxyFault { .loseReply(needle: Array(text.utf8)) }
  /// `loseRequest` for a text.
  public static func loseRequest(at text: String) -> ProxyFault { .loseRequest(needle: Array(text.utf8)) }
}

/// A byte-level proxy before a PostgreSQL or Redis server, with faults.
///
/// A fault holds for every connection until another is set; `loseRequest` and `loseReply` strike once and then make
/// way for `none`, so that the client's next attempt goes through. One thread serves all of it.
public final class Proxy: Sendable {
  /// Where the server listens.
  public enum Upstream: Sendable {
    /// The path of a Unix socket.
    case unix(String)
    /// A port of 127.0.0.1.
    case tcp(port: UInt16)
  }

  struct State {
    var fault = ProxyFault.none
    var accepts = true
    var cutGeneration = 0
    var stopped = false
    var connections = 0
    var strikes = 0
  }

  /// The directory of the proxy's Unix socket: libpq's `host`.
  public let host: String
  /// The port of 127.0.0.1 on which it listens as well.
  public let port: UInt16
  let upstream: Upstream
  let state = Mutex(State())
  private let directory: TemporaryDirectory

  /// Starts a proxy on a Unix socket, named as PostgreSQL names its own, and on a TCP port.
  public init(to upstream: Upstream) throws {
    directory = try TemporaryDirectory("proxy")
    host = directory.path
    self.upstream = upstream
    let unix = try SocketAddress.unix(directory.file(".s.PGSQL.5432")).listen()
    let tcp: Int32
    do {
      tcp = try SocketAddress.tcp(port: 0).listen()
      port = try SocketAddress.port(of: tcp)
    } catch {
      close(unix)
      throw error
    }
    let loop = ProxyLoop(proxy: self, listeners: [unix, tcp])
    try Threads.detach { loop.run() }
  }

  /// A proxy before a PostgreSQL of the tests.
  public convenience init(to address: PostgresAddress) throws {
    try self.init(to: .unix("\(address.host)/.s.PGSQL.\(address.port)"))
  }

  /// libpq URI through the proxy's Unix socket.
  public func url(database: String) -> String {
    "postgresql:///\(database)?host=\(host)&port=5432&user=ironforge"
  }

  /// Sets what happens to the bytes from now on, on open connections too.
  public func set(_ fault: ProxyFault) { state.withLock { $0.fault = fault } }

  /// Ends every open connection; returns after at most 10 ms before it has happened.
  public func cutAll() { state.withLock { $0.cutGeneration += 1 } }

  /// While false, new connections are closed as soon as they are made.
  public func accept(_ accepts: Bool) { state.withLock { $0.accepts = accepts } }

  /// How many connections were forwarded so far.
  public var connections: Int { state.withLock { $0.connections } }

  /// How often `loseRequest` or `loseReply` struck.
  public var strikes: Int { state.withLock { $0.strikes } }

  /// Ends the proxy and its connections.
  public func stop() { state.withLock { $0.stopped = true } }

  deinit { stop() }
}
