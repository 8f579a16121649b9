import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A server that answers HTTP/1.1 byte for byte as a test says, on a port of its own.
final class TestServer: Sendable {
  /// What becomes of a request.
  enum Reply {
    case bytes(String)
    case bytesThenClose(String)
    /// After a while.
    case later(TimeAmount, String)
    case reset
    case silence
  }

  /// Which request of which connection asks, both from 1, and how long ago the first request of all came.
  struct Question {
    let connection: Int
    let request: Int
    let age: Duration
    let text: String
  }

  static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  let port: Int
  private let state: Mutex<State>
  fileprivate let behave: @Sendable (Question) -> Reply

  private struct State {
    var connections = 0
    var open = 0
    var openMost = 0
    var openAtRequests: [Int] = []
    var first: ContinuousClock.Instant?
  }

  private init(port: Int, _ behave: @escaping @Sendable (Question) -> Reply) {
    self.port = port
    self.behave = behave
    state = Mutex(State())
  }

  /// Connections that were ever opened, those that are open, and the most at a time.
  var connections: (ever: Int, open: Int, most: Int) {
    state.withLock { ($0.connections, $0.open, $0.openMost) }
  }
  var requests: Int { openAtRequests.count }
  /// How many connections were open when each request came.
  var openAtRequests: [Int] { state.withLock(\.openAtRequests) }
  var url: String { "http://127.0.0.1:\(port)/" }

  /// Lends a server to `body`.
  static func with<R>(
    _ behave: @escaping @Sendable (Question) -> Reply, isolation: isolated (any Actor)? = #isolation,
    _ body: (TestServer) async throws -> R
  ) async throws -> R {
    let server = TestServer(port: try PrivateRedis.freePort(), behave)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let listener = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Conversation(server))
        }
      }
      .bind(host: "127.0.0.1", port: server.port).get()
    do {
      let result = try await body(server)
      try await listener.close()
      try await group.shutdownGracefully()
      return result
    } catch {
      try await group.shutdownGracefully()
      throw error
    }
  }

  fileprivate func opened() -> Int {
    state.withLock { state in
      state.connections += 1
      state.open += 1
      state.openMost = max(state.openMost, state.open)
      return state.connections
    }
  }

  fileprivate func closed() { state.withLock { $0.open -= 1 } }

  fileprivate func asked() -> Duration {
    state.withLock { state in
      state.openAtRequests.append(state.open)
      let now = ContinuousClock.now
      let first = state.first ?? now
      state.first = first
      return now - first
    }
  }
}

/// One connection of the server.
private final class Conversation: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let server: TestServer
  private var number = 0
  private var requests = 0
  private var text = ""

  init(_ server: TestServer) { self.server = server }

  func channelActive(context: ChannelHandlerContext) { number = server.opened() }
  func channelInactive(context: ChannelHandlerContext) { server.closed() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    text += String(buffer: unwrapInboundIn(data))
    // Requests have no body, and none is sent before the last is answered.
    guard text.contains("\r\n\r\n") else { return }
    let question = text
    text = ""
    requests += 1
    let age = server.asked()
    let reply = server.behave(.init(connection: number, request: requests, age: age, text: question))
    switch reply {
    case .bytes(let bytes): write(bytes, context)
    case .bytesThenClose(let bytes):
      write(bytes, context)
      context.close(promise: nil)
    case .later(let time, let bytes):
      context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.write(bytes, context) }
    case .reset:
      // With no time to linger a close is a reset.
      guard let socket = context.channel as? any SocketOptionProvider else { return }
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in
        context.value.close(promise: nil)
      }
    case .silence: break
    }
  }

  private func write(_ bytes: String, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
  }
}
