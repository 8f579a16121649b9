internal import Bench
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import NIOSSL
internal import Primitives

/// A connection of HTTP/2: several requests at a time, as many as the user and the server allow.
///
/// It stands on NIO's frames and its rules of the protocol. NIO's multiplexer, which would make a channel of every
/// request, is left out: that takes longer than the request itself.
final class HTTP2Connection: ChannelInboundHandler, LoadConnection {
  typealias InboundIn = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  private struct Stream {
    var request: PendingRequest
    var status = 0
    /// Bytes of the body that the server was not told to be taken.
    var unacknowledged = 0
  }

  let slot: Int
  let version = "HTTP/2"
  private(set) var hasServed = false
  var delegate: any LoadDelegate
  private let headers: EncodedRequest
  private let streamsWanted: Int
  private var context: ChannelHandlerContext?
  private var streams: [HTTP2StreamID: Stream] = [:]
  private var nextStream = 1
  /// What the server allows; nil until its first SETTINGS.
  private var streamsAllowed: Int?
  /// Nothing more is sent: the server has said GOAWAY, or it is being closed.
  private var isEnding = false
  private var isReading = false
  private var hasWritten = false
  private var unacknowledged = 0
  private(set) var trouble: LoadTrouble?

  /// RFC 9113 section 6.9.1: no window is larger. A window that never closes is what h2load takes too: the server's speed is
  /// measured, not the client's hesitation.
  static let windowMax = (1 << 31) - 1
  /// So much of a window may be used before the server is told that it was taken.
  private static let windowStep = 1 << 29
  private static let windowInitial = 65_535
  /// RFC 9113 section 5.1.1.
  private static let lastStream = (1 << 31) - 1

  private static let settings: HTTP2Settings = [
    HTTP2Setting(parameter: .enablePush, value: 0),
    HTTP2Setting(parameter: .initialWindowSize, value: windowMax),
    HTTP2Setting(parameter: .maxHeaderListSize, value: ResponseParser.headBytesMax),
  ]
  /// Of so many requests that timed out an answer may come yet, and is passed over. Behind them, NIO takes one for a breach
  /// of the protocol, and ends the connection: by default behind 32, and a connection may have a thousand under way.
  private static let expiredStreamsRemembered = 8_192

  /// NIO's rules of the protocol, as a load wants them.
  ///
  /// By default NIO leaves a peer that sends more than 200 RST_STREAM, or PING, in 30 seconds, or two empty DATA frames in
  /// a row. It guards servers so; but a load is there to count what a server does, however often, and each request has
  /// its timeout. A window of no time holds no second frame.
  static func frames() -> NIOHTTP2Handler {
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.initialSettings = settings
    connection.maximumRecentlyResetStreams = expiredStreamsRemembered
    connection.maximumSequentialEmptyDataFrames = .max
    connection.controlFrameRateLimit.windowLength = .zero
    var stream = NIOHTTP2Handler.StreamConfiguration()
    stream.streamResetFrameRateLimit.windowLength = .zero
    stream.streamErrorRateLimit.windowLength = .zero
    return NIOHTTP2Handler(mode: .client, connectionConfiguration: connection, streamConfiguration: stream)
  }

  init(slot: Int, request: EncodedRequest, streams: Int, delegate: any LoadDelegate) {
    self.slot = slot
    self.delegate = delegate
    headers = request
    streamsWanted = streams
  }

  var remoteAddress: SocketAddress? { context?.remoteAddress }
  var inFlight: Int { streams.count }
  var free: Int {
    guard !isEnding, context != nil, nextStream <= Self.lastStream, let streamsAllowed else { return 0 }
    return max(0, min(streamsWanted, streamsAllowed) - streams.count)
  }

  func send(_ request: PendingRequest) {
    guard context != nil else { return }
    let id = HTTP2StreamID(nextStream)
    nextStream += 2
    var request = request
    request.sent = monotonicNanoseconds()
    streams[id] = Stream(request: request)
    write(id, .headers(.init(headers: headers.http2, endStream: true)))
  }

  func expire(dueBefore instant: Int64) {
    for (id, stream) in streams where stream.request.turn.due < instant {
      write(id, .rstStream(.cancel))
      end(id, failure: LoadTrouble.timeout.code)
    }
    endIfDrained()
  }

  func close() {
    streams = [:]
    hangUp()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    write(.rootStream, .windowUpdate(windowSizeIncrement: Self.windowMax - Self.windowInitial))
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    isReading = true
    let frame = unwrapInboundIn(data)
    switch frame.payload {
    case .headers(let headers): read(headers, of: frame.streamID)
    case .data(let data): read(data, of: frame.streamID)
    case .rstStream(let code): reset(frame.streamID, code)
    case .goAway(let last, let code, _): goAway(last, code)
    case .settings(.settings(let settings)): read(settings)
    case .settings(.ack), .ping, .windowUpdate, .priority, .pushPromise, .alternativeService, .origin: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    if hasWritten {
      hasWritten = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }

  func channelInactive(context: ChannelHandlerContext) {
    isEnding = true
    for id in Array(streams.keys) { end(id, failure: (trouble ?? .closed).code) }
    delegate.closed(self)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case NIOSSLError.uncleanShutdown = error { return }
    trouble = trouble ?? LoadTrouble(error)
    hangUp()
  }

  // MARK: Frames

  private func read(_ headers: HTTP2Frame.FramePayload.Headers, of id: HTTP2StreamID) {
    guard let stream = streams[id] else { return }
    if stream.status < 200 {
      guard let status = headers.headers.first(name: ":status").flatMap({ Int($0) }) else {
        return fail(id, LoadTrouble(code: "http2_error", message: "an answer has no status"))
      }
      streams[id]?.status = status
    }
    if headers.endStream { complete(id) }
  }

  private func read(_ data: HTTP2Frame.FramePayload.Data, of id: HTTP2StreamID) {
    let size = data.data.readableBytes + (data.paddingBytes.map { $0 + 1 } ?? 0)
    unacknowledged += size
    if unacknowledged >= Self.windowStep {
      write(.rootStream, .windowUpdate(windowSizeIncrement: unacknowledged))
      unacknowledged = 0
    }
    guard streams[id] != nil else { return }
    if data.endStream { return complete(id) }
    streams[id]?.unacknowledged += size
    if let taken = streams[id]?.unacknowledged, taken >= Self.windowStep {
      write(id, .windowUpdate(windowSizeIncrement: taken))
      streams[id]?.unacknowledged = 0
    }
  }

  private func read(_ settings: HTTP2Settings) {
    let limit = settings.last { $0.parameter == .maxConcurrentStreams }.map { Int($0.value) }
    let isFirst = streamsAllowed == nil
    streamsAllowed = limit ?? streamsAllowed ?? .max
    isFirst ? delegate.opened(self) : delegate.hasRoom(self)
  }

  private func reset(_ id: HTTP2StreamID, _ code: HTTP2ErrorCode) {
    guard let stream = streams[id] else { return }
    if code == .refusedStream {
      handBack(id, stream.request)
    } else {
      end(id, failure: "stream_reset")
    }
    endIfDrained()
  }

  /// The server takes no more requests, and has not looked at those behind `last`.
  private func goAway(_ last: HTTP2StreamID, _ code: HTTP2ErrorCode) {
    isEnding = true
    for (id, stream) in streams where id > last { handBack(id, stream.request) }
    if code != .noError {
      trouble =
        trouble ?? LoadTrouble(code: "http2_error", message: "the server ended the connection: \(code)")
    }
    endIfDrained()
  }

  // MARK: Requests

  private func complete(_ id: HTTP2StreamID) {
    guard let status = streams[id]?.status, status >= 200 else {
      return fail(id, LoadTrouble(code: "http2_error", message: "an answer ends before it has begun"))
    }
    hasServed = true
    end(id, failure: LoadTrouble.code(ofStatus: status))
    endIfDrained()
  }

  private func fail(_ id: HTTP2StreamID, _ trouble: LoadTrouble) {
    write(id, .rstStream(.protocolError))
    end(id, failure: trouble.code)
    endIfDrained()
  }

  private func end(_ id: HTTP2StreamID, failure: String?) {
    guard let stream = streams.removeValue(forKey: id) else { return }
    delegate.ended(stream.request, on: self, failure: failure)
  }

  private func handBack(_ id: HTTP2StreamID, _ request: PendingRequest) {
    streams[id] = nil
    delegate.handedBack(request, by: self)
  }

  /// Closes a connection that takes nothing more, once nothing is in flight.
  private func endIfDrained() {
    if streams.isEmpty, isEnding || nextStream > Self.lastStream { hangUp() }
  }

  private func write(_ id: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload) {
    guard let context else { return }
    context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    // What is written while frames are read goes out together.
    if isReading { hasWritten = true } else { context.flush() }
  }

  private func hangUp() {
    isEnding = true
    context?.close(promise: nil)
  }
}
