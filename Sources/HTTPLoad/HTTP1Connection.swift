internal import Bench
internal import NIOCore
internal import NIOSSL
internal import Primitives

/// A connection of HTTP/1.1: one request at a time, kept alive as long as the server says so.
final class HTTP1Connection: ChannelInboundHandler, LoadConnection {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  let slot: Int
  let version = "HTTP/1.1"
  private(set) var hasServed = false
  var delegate: any LoadDelegate
  /// Every request is the same: its bytes are made once for all.
  private let bytes: ByteBuffer
  private let isHead: Bool
  private var parser = ResponseParser()
  private var context: ChannelHandlerContext?
  private var current: PendingRequest?
  /// Nothing more is sent: it is being closed, or the server has said that it will close.
  private var isEnding = false
  /// Why it is closed, where an error came before the close.
  private(set) var trouble: LoadTrouble?

  init(slot: Int, request: EncodedRequest, delegate: any LoadDelegate) {
    self.slot = slot
    self.delegate = delegate
    bytes = request.http1
    isHead = request.isHead
  }

  var free: Int { current == nil && !isEnding && context != nil ? 1 : 0 }
  var remoteAddress: SocketAddress? { context?.remoteAddress }
  var inFlight: Int { current == nil ? 0 : 1 }

  func send(_ request: PendingRequest) {
    guard let context else { return }
    var request = request
    request.sent = monotonicNanoseconds()
    current = request
    parser.begin(isHead: isHead)
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }

  func expire(dueBefore instant: Int64) {
    guard let request = current, request.turn.due < instant else { return }
    // Before the end is told: nothing more may be sent on it.
    isEnding = true
    end(request, failure: LoadTrouble.timeout.code)
    hangUp()
  }

  func close() {
    current = nil
    hangUp()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard let request = current else {
      // Bytes that nobody asked for would be taken for the next answer.
      return hangUp()
    }
    let count: Int
    do {
      count = try buffer.withUnsafeReadableBytes { try parser.read($0) }
    } catch {
      isEnding = true
      end(request, failure: LoadTrouble(error).code)
      return hangUp()
    }
    guard parser.isComplete else { return }
    hasServed = true
    if !parser.keepsAlive || count < buffer.readableBytes { isEnding = true }
    end(request, failure: LoadTrouble.code(ofStatus: parser.status))
    if isEnding { hangUp() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isEnding = true
    if let request = current {
      // The end of the connection may be that of the answer.
      let isWhole = trouble == nil && parser.end()
      hasServed = hasServed || isWhole
      let code = isWhole ? LoadTrouble.code(ofStatus: parser.status) : (trouble ?? .closed).code
      end(request, failure: code)
    }
    delegate.closed(self)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A server that hangs up without the farewell of TLS: its answers have ends of their own.
    if case NIOSSLError.uncleanShutdown = error { return }
    trouble = trouble ?? LoadTrouble(error)
    hangUp()
  }

  private func end(_ request: PendingRequest, failure: String?) {
    current = nil
    delegate.ended(request, on: self, failure: failure)
  }

  private func hangUp() {
    isEnding = true
    context?.close(promise: nil)
  }
}
