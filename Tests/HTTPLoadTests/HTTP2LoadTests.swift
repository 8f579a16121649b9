import Foundation
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import HTTPLoad

/// Loads over HTTP/2, against a server that answers frame by frame as each test says.
@Suite struct HTTP2LoadTests {
  private static let brief = [
    "--http2", "--duration", "500ms", "--warmup", "0s", "--connections", "2", "--streams", "5",
  ]

  @Test func streamsShareAConnectionUpToTheServersLimit() async throws {
    for (limit, most) in [(100, 5), (3, 3)] {
      try await withFrames(limit: limit) { _ in
        .answer(200)
      } _: { server in
        let figures = try await load(server.url, Self.brief)
        #expect(figures.errors == 0 && figures.requests > 9 && figures.requests == server.seen.requests)
        #expect(server.seen.streamsMost == most)
        #expect(server.seen.connections == 3)
        #expect(figures.stderr.contains("\"protocol\":\"HTTP/2\""))
      }
    }
  }

  @Test func errorsAreCountedByCode() async throws {
    try await withFrames {
      $0 % 3 == 0 ? .answer(503) : $0 % 3 == 1 ? .reset(.internalError) : .answer(200)
    } _: {
      server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors("http_503") > 0 && figures.errors("stream_reset") > 0)
      #expect(figures.errors == figures.errors("http_503") + figures.errors("stream_reset"))
    }
  }

  @Test func aServerMayResetAndPingAsOftenAsItLikes() async throws {
    // A thousand resets and a thousand pings a second: NIO by itself would hang up after 200 of either.
    try await withFrames {
      $0 % 2 == 0 ? .pings(4) : .reset(.internalError)
    } _: { server in
      let figures = try await load(server.url, Self.brief + ["--duration", "2s", "--connections", "1"])
      #expect(figures.errors > 200 && figures.errors == figures.errors("stream_reset"), "\(figures.json)")
      #expect(server.seen.connections == 2)
    }
  }

  @Test func anAnswerMayHaveEmptyFrames() async throws {
    try await withFrames { _ in
      .gaps(20)
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == 0 && figures.requests > 9, "\(figures.json)")
    }
  }

  @Test func answersThatComeTooLateHarmNothing() async throws {
    // The server stands still over the hundredth request, and answers all the
    // others before it reads that nobody waits for them any more.
    try await withFrames {
      $0 < 99 ? .late(200, .milliseconds(100)) : $0 == 99 ? .stall(.milliseconds(900)) : .answer(200)
    } _: { server in
      let figures = try await load(
        server.url,
        [
          "--http2", "--duration", "3s", "--warmup", "0s", "--connections", "1", "--streams", "100",
          "--timeout", "500ms",
        ])
      #expect(figures.errors == figures.errors("timeout") && figures.errors > 32, "\(figures.json)")
      #expect(figures.requests > figures.errors && server.seen.connections == 2, "\(figures.json)")
    }
  }

  @Test func aRequestThatIsHandedBackIsSentAgainWithinABound() async throws {
    // A connection takes three requests and leaves: what was behind them goes elsewhere, and nothing is lost.
    try await withFrames {
      $0 < 10 ? .answer(200) : .goAway
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == 0 && figures.requests > 9, "\(figures.json)")
      #expect(server.seen.connections > 3)
    }
    try await withFrames { _ in
      .reset(.refusedStream)
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == figures.requests && figures.errors("stream_refused") > 0)
    }
  }

  @Test func aSilentStreamTimesOutAlone() async throws {
    try await withFrames {
      $0 == 1 ? .silence : .answer(200)
    } _: { server in
      let figures = try await load(server.url, Self.brief + ["--timeout", "3s"])
      #expect(figures.errors == 2 && figures.errors("timeout") == 2, "\(figures.json)")
      #expect(figures.requests > 3 && server.seen.connections == 3)
    }
  }

  @Test func aLargeAnswerIsReadBeyondTheFirstWindow() async throws {
    // More than the 64 KiB that a connection may send unasked.
    try await withFrames { _ in
      .large(1 << 20)
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == 0 && figures.requests > 2)
    }
  }
}

/// What becomes of a stream; the closure gets the number of the request on its connection, from 0.
private enum FrameReply {
  case answer(Int)
  case late(Int, TimeAmount)
  /// Nothing else happens on this server meanwhile.
  case stall(Duration)
  /// So many pings, and the answer.
  case pings(Int)
  /// So many DATA frames without a byte, before the answer's body.
  case gaps(Int)
  case large(Int)
  case reset(HTTP2ErrorCode)
  case goAway
  case silence
}

private final class FrameServer: Sendable {
  struct Seen {
    var connections = 0
    var requests = 0
    var streamsMost = 0
  }

  let port: Int
  let limit: Int
  let behave: @Sendable (Int) -> FrameReply
  let state = Mutex(Seen())

  init(port: Int, limit: Int, _ behave: @escaping @Sendable (Int) -> FrameReply) {
    self.port = port
    self.limit = limit
    self.behave = behave
  }

  var seen: Seen { state.withLock { $0 } }
  var url: String { "http://127.0.0.1:\(port)/" }
}

private func withFrames<R>(
  limit: Int = 100, _ behave: @escaping @Sendable (Int) -> FrameReply,
  isolation: isolated (any Actor)? = #isolation, _ body: (FrameServer) async throws -> R
) async throws -> R {
  let server = FrameServer(port: try PrivateRedis.freePort(), limit: limit, behave)
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  _ = try await ServerBootstrap(group: group)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [HTTP2Setting(parameter: .maxConcurrentStreams, value: limit)]
        // It is the client that is tried: this server takes any number of its resets and answers to pings.
        configuration.controlFrameRateLimit.windowLength = .zero
        var streams = NIOHTTP2Handler.StreamConfiguration()
        streams.streamResetFrameRateLimit.windowLength = .zero
        try channel.pipeline.syncOperations.addHandler(
          NIOHTTP2Handler(
            mode: .server, connectionConfiguration: configuration, streamConfiguration: streams))
        try channel.pipeline.syncOperations.addHandler(FrameConversation(server))
      }
    }
    .bind(host: "127.0.0.1", port: server.port).get()
  do {
    let result = try await body(server)
    try await group.shutdownGracefully()
    return result
  } catch {
    try await group.shutdownGracefully()
    throw error
  }
}

private final class FrameConversation: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  private let server: FrameServer
  private var requests = 0
  private var last = HTTP2StreamID.rootStream
  private var open: Set<HTTP2StreamID> = []
  private var isLeaving = false

  init(_ server: FrameServer) { self.server = server }

  func handlerAdded(context: ChannelHandlerContext) { server.state.withLock { $0.connections += 1 } }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    if case .rstStream = frame.payload { open.remove(frame.streamID) }
    guard case .headers = frame.payload, !isLeaving else { return }
    open.insert(frame.streamID)
    server.state.withLock { seen in
      seen.requests += 1
      seen.streamsMost = max(seen.streamsMost, open.count)
    }
    let reply = server.behave(requests)
    requests += 1
    // A moment later, so that several are open at a time.
    var delay = TimeAmount.milliseconds(2)
    if case .late(_, let time) = reply { delay = time }
    context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
      self.answer(frame.streamID, reply, context)
    }
  }

  private func answer(_ id: HTTP2StreamID, _ reply: FrameReply, _ context: ChannelHandlerContext) {
    guard context.channel.isActive, !isLeaving, open.contains(id) else { return }
    switch reply {
    case .pings(let count):
      for number in 0..<count {
        write(.ping(.init(withInteger: UInt64(number)), ack: false), .rootStream, context)
      }
      answer(id, .answer(200), context)
    case .gaps(let count):
      write(.headers(.init(headers: [":status": "200"], endStream: false)), id, context)
      for number in 0...count {
        let bytes = ByteBuffer(string: number == count ? "ok" : "")
        write(.data(.init(data: .byteBuffer(bytes), endStream: number == count)), id, context)
      }
      (last, _) = (id, open.remove(id))
    case .stall(let time):
      Thread.sleep(forTimeInterval: time / .seconds(1))
      answer(id, .answer(200), context)
    case .answer(let status), .late(let status, _):
      write(.headers(.init(headers: [":status": "\(status)", "x": "y"], endStream: false)), id, context)
      write(.data(.init(data: .byteBuffer(ByteBuffer(string: "ok")), endStream: true)), id, context)
      (last, _) = (id, open.remove(id))
    case .large(let size):
      write(.headers(.init(headers: [":status": "200"], endStream: false)), id, context)
      for part in 0..<(size >> 14) {
        let bytes = ByteBuffer(repeating: 0x78, count: 1 << 14)
        write(.data(.init(data: .byteBuffer(bytes), endStream: part == size >> 14 - 1)), id, context)
      }
      (last, _) = (id, open.remove(id))
    case .reset(let code):
      write(.rstStream(code), id, context)
      open.remove(id)
    case .goAway:
      isLeaving = true
      write(.goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil), .rootStream, context)
    case .silence: break
    }
    context.flush()
  }

  private func write(
    _ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID, _ context: ChannelHandlerContext
  ) {
    context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
  }
}
