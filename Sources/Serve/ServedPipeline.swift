internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2
internal import NIOSSL
internal import NIOTLS

/// What a connection speaks, and the bounds that it has.
struct ServedPipeline: Sendable {
  let service: HTTPService
  /// Nil for clear text.
  let tls: NIOSSLContext?
  let limits = ServedLimits()

  /// Prepares an accepted connection: TLS and ALPN, or a look at the first bytes, decide between the versions.
  func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let pipeline = channel.pipeline.syncOperations
      // Until the version is known nothing else watches the clock.
      let patience = channel.eventLoop.scheduleTask(in: limits.request) { channel.close(promise: nil) }
      channel.closeFuture.whenComplete { _ in patience.cancel() }
      if let tls {
        try pipeline.addHandler(NIOSSLServerHandler(context: tls))
        try pipeline.addHandler(
          ApplicationProtocolNegotiationHandler { result, channel in
            patience.cancel()
            if case .negotiated("h2") = result { return configureHTTP2(channel) }
            return configureHTTP1(channel)
          })
      } else {
        try pipeline.addHandler(
          PrefaceReader { isHTTP2 in
            patience.cancel()
            return isHTTP2 ? configureHTTP2(channel) : configureHTTP1(channel)
          })
      }
    }
  }

  private func configureHTTP1(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let handler = RequestHandler(service, limits, isHTTP2: false)
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(ArrivalWatch(handler))
      var decoder = NIOHTTPDecoderLimitConfiguration()
      decoder.maxHeaderFieldSize = limits.headerBytes
      decoder.maxHeaderListSize = limits.headerBytes
      decoder.maxHeaderFieldCount = limits.headerFields
      try pipeline.configureHTTPServerPipeline(
        withPipeliningAssistance: true, withErrorHandling: false, withOutboundHeaderValidation: true,
        withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
      try pipeline.addHandler(handler)
    }
  }

  private func configureHTTP2(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let pipeline = channel.pipeline.syncOperations
      let manager = NIOHTTP2ServerConnectionManagementHandler(
        eventLoop: channel.eventLoop,
        configuration: .init(
          maxIdleTime: limits.idle, maxAge: nil, maxGraceTime: limits.grace,
          keepalive: .init(pingInterval: limits.ping, ackTimeout: limits.request)))
      var connection = NIOHTTP2Handler.ConnectionConfiguration()
      connection.initialSettings = [
        HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.streams),
        HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headerBytes),
      ]
      _ = try pipeline.configureHTTP2Pipeline(
        mode: .server, connectionConfiguration: connection, streamConfiguration: .init(),
        streamDelegate: manager.http2StreamDelegate
      ) { stream in
        stream.eventLoop.makeCompletedFuture {
          let handler = RequestHandler(service, limits, isHTTP2: true)
          try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
          try stream.pipeline.syncOperations.addHandler(handler)
        }
      }
      try pipeline.addHandler(manager)
      try pipeline.addHandler(ConnectionErrorCloser())
    }
  }
}

/// The bounds of one connection.
struct ServedLimits: Sendable {
  /// For a request to arrive whole, and for an answer to be taken.
  let request = TimeAmount.seconds(10)
  /// Between two requests.
  let idle = TimeAmount.seconds(60)
  /// Between two questions whether an HTTP/2 client is still there.
  let ping = TimeAmount.seconds(30)
  /// For the streams of an HTTP/2 connection that is to end.
  let grace = TimeAmount.seconds(30)
  /// All header fields together.
  let headerBytes = 16 << 10
  let headerFields = 100
  /// A body means nothing to a service that is read only; this much is read and forgotten.
  let bodyBytes = 64 << 10
  /// Requests of one HTTP/2 connection at a time.
  let streams = 100
}

/// Tells HTTP/2 with prior knowledge (RFC 9113 section 3.3) from HTTP/1.1 by the first bytes of a connection, and hands
/// them on.
final class PrefaceReader: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private let configure: (Bool) -> EventLoopFuture<Void>
  private var seen: ByteBuffer?
  private var isDecided = false

  init(_ configure: @escaping (Bool) -> EventLoopFuture<Void>) { self.configure = configure }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if seen == nil { seen = bytes } else { seen?.writeBuffer(&bytes) }
    guard !isDecided, let view = seen?.readableBytesView else { return }
    let isPrefix = Self.preface.starts(with: view.prefix(Self.preface.count))
    if isPrefix, view.count < Self.preface.count { return }
    isDecided = true
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    configure(isPrefix).whenComplete { result in
      let (reader, context) = bound.value
      switch result {
      case .success: context.pipeline.syncOperations.removeHandler(reader, promise: nil)
      case .failure: context.close(promise: nil)
      }
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    // Nothing has been asked yet.
    if event is ChannelShouldQuiesceEvent, !isDecided { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    guard let seen else { return }
    self.seen = nil
    context.fireChannelRead(wrapInboundOut(seen))
    context.fireChannelReadComplete()
  }
}

/// Ends an HTTP/2 connection whose client broke the rules, which has been told so by GOAWAY: too many resets, bad frames.
/// Otherwise it would stay until it is idle for long enough.
final class ConnectionErrorCloser: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A stream's error ends the stream.
    if error is NIOHTTP2Errors.StreamError { return }
    context.close(promise: nil)
  }
}

/// Sees the bytes of an HTTP/1.1 connection before they are parsed: a request that trickles in never becomes one.
final class ArrivalWatch: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let handler: RequestHandler

  init(_ handler: RequestHandler) { self.handler = handler }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    handler.bytesArrived()
    context.fireChannelRead(data)
  }
}
