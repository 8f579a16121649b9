internal import NIOCore
internal import NIOHTTP1
internal import Primitives

/// The requests of one HTTP/1.1 connection, or the one of an HTTP/2 stream: takes them whole, has them answered in a task,
/// and watches the clock.
///
/// Lives on its event loop; only `NIOLoopBound` leaves it.
final class RequestHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// No byte of a request has come.
    case idle
    /// Some have.
    case arriving
    /// It is being answered.
    case answering
    /// The last answer has been given.
    case ended
  }

  private let service: HTTPService
  private let limits: ServedLimits
  private let isHTTP2: Bool
  private var state = State.idle
  private var head: HTTPRequestHead?
  private var bodyBytes = 0
  private var task: Task<Void, Never>?
  /// Whether an answer is being written further up the stack.
  private var isWriting = false
  /// Whether a whole request waits for its client to take the answers to those before.
  private var isParked = false
  /// When what is waited for must have come; looked at once a second, which costs less than a timer for each wait.
  private var deadline: NIODeadline?
  private var clock: RepeatedTask?

  init(_ service: HTTPService, _ limits: ServedLimits, isHTTP2: Bool) {
    self.service = service
    self.limits = limits
    self.isHTTP2 = isHTTP2
  }

  func handlerAdded(context: ChannelHandlerContext) {
    deadline = .now() + limits.request
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    clock = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
      let (handler, context) = bound.value
      guard let deadline = handler.deadline, deadline <= .now() else { return }
      context.close(promise: nil)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) { stop() }

  func channelInactive(context: ChannelHandlerContext) {
    stop()
    context.fireChannelInactive()
  }

  private func stop() {
    clock?.cancel()
    clock = nil
    // Nobody waits for the answer any more.
    task?.cancel()
    task = nil
  }

  func bytesArrived() {
    guard case .idle = state else { return }
    state = .arriving
    deadline = .now() + limits.request
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      if case .ended = state { return }
      if case .idle = state { deadline = .now() + limits.request }
      state = .arriving
      self.head = head
      bodyBytes = 0
      checkHead(head, context)
    case .body(let buffer):
      guard head != nil else { return }
      bodyBytes += buffer.readableBytes
      if bodyBytes > limits.bodyBytes {
        refuse(context, .payloadTooLarge, code: "body_too_large", "this service takes no request bodies")
      }
    case .end:
      guard let head, case .arriving = state else { return }
      // Whoever takes no answers gets no further ones, or they would pile up here; the clock ends it.
      guard context.channel.isWritable else {
        isParked = true
        deadline = .now() + limits.request
        return
      }
      answer(head, context)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if isParked, context.channel.isWritable, let head, case .arriving = state {
      isParked = false
      answer(head, context)
    }
    context.fireChannelWritabilityChanged()
  }

  /// What HTTP/1.1 asks of a server before it looks at what is wanted; HTTP/2 sees to it by itself.
  private func checkHead(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard !isHTTP2 else { return }
    let hosts = head.headers["host"].count
    if hosts > 1 || (hosts == 0 && head.version != .http1_0) {
      // RFC 9112 section 3.2: two hosts may mean two things to a proxy and to us.
      refuse(context, .badRequest, code: "host_invalid", "a request names its host, and once")
    } else if head.headers.contains(name: "transfer-encoding"), head.headers.contains(name: "content-length")
    {
      // RFC 9112 section 6.3: whoever sends both tries to smuggle a request past a proxy.
      refuse(context, .badRequest, code: "framing_invalid", "a body has one length, not two")
    } else if head.headers.contains(name: "expect") {
      // RFC 9110 section 10.1.1: the client waits for a word before it sends its body, and nobody wants that.
      refuse(context, .expectationFailed, code: "body_unwanted", "this service takes no request bodies")
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch (error as? HTTPParserError, state) {
    case (.headerOverflow?, .idle), (.headerOverflow?, .arriving):
      refuse(
        context, .requestHeaderFieldsTooLarge, code: "header_too_large",
        "the header is larger than \(limits.headerBytes) bytes, or has more than \(limits.headerFields) fields"
      )
    case (.some, .idle), (.some, .arriving):
      refuse(context, .badRequest, code: "request_malformed", "this is no HTTP request")
    // What comes behind a refused request.
    case (_, .ended): return
    default: context.close(promise: nil)
    }
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    state = .answering
    // Statements, locks and commands have their own bounds.
    deadline = nil
    let request = ServedRequest(
      method: head.method, target: head.uri, headers: head.headers,
      version: isHTTP2 ? "HTTP/2" : "HTTP/\(head.version.major).\(head.version.minor)",
      client: Self.client(of: context))
    let begin = monotonicNanoseconds()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let (service, loop) = (service, context.eventLoop)
    service.metrics.begin()
    let write: @Sendable (ServedResponse) -> Void = { response in
      let (handler, context) = bound.value
      guard context.channel.isActive, case .answering = handler.state else { return }
      handler.task = nil
      handler.write(response, for: head, context)
    }
    let note: @Sendable (ServedResponse) -> Void = { response in
      let bytes = request.method == .HEAD ? 0 : response.body.count
      service.note(request, response, nanoseconds: monotonicNanoseconds() - begin, bytes: bytes)
    }
    switch service.outcome(of: request) {
    case .answered(let response):
      note(response)
      // The end of an answer brings the next request of a pipeline, from within; a long pipeline must not become a deep stack.
      if isWriting { loop.execute { write(response) } } else { write(response) }
    case .read(let reading):
      task = Task {
        var response = await service.respond(to: request, with: reading)
        if Task.isCancelled { response = .clientGone }
        note(response)
        let last = response
        loop.execute { write(last) }
      }
    }
  }

  private func write(
    _ response: ServedResponse, for request: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    let isLast = isHTTP2 || !request.isKeepAlive || service.connections.isDraining
    isWriting = true
    defer { isWriting = false }
    send(response, version: request.version, hasBody: request.method != .HEAD, isLast: isLast, context)
  }

  /// Answers what never became a request, and ends the connection.
  private func refuse(
    _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, code: String, _ message: String
  ) {
    let hasBody = head?.method != .HEAD
    head = nil
    var response = ServedResponse.error(status, code: code, message)
    response.headers.add(name: "content-length", value: String(response.body.count))
    response.headers.add(name: "date", value: service.date.text)
    service.metrics.count(route: "unknown", status: Int(status.code), seconds: 0, tier: nil)
    service.log.write([
      "time": .time(Timestamp.now()), "client": .string(Self.client(of: context)),
      "status": .integer(Int64(status.code)), "error": .string(code),
    ])
    send(response, version: .http1_1, hasBody: hasBody, isLast: true, isUnread: true, context)
  }

  private func send(
    _ response: ServedResponse, version: HTTPVersion, hasBody: Bool, isLast: Bool,
    isUnread: Bool = false, _ context: ChannelHandlerContext
  ) {
    var headers = response.headers
    if !isHTTP2 {
      if isLast {
        headers.replaceOrAdd(name: "connection", value: "close")
      } else if version == .http1_0 {
        headers.replaceOrAdd(name: "connection", value: "keep-alive")
      }
    }
    state = isLast ? .ended : .idle
    head = nil
    deadline = .now() + limits.request
    let version = isHTTP2 ? HTTPVersion.http2 : version
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: version, status: response.status, headers: headers))),
      promise: nil)
    if hasBody, !response.body.isEmpty {
      let buffer = context.channel.allocator.buffer(bytes: response.body)
      context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
    }
    let written = context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      let (handler, context) = bound.value
      if isLast {
        // Closing a socket with unread bytes resets the connection, and the client never sees the answer: it gets a while
        // to take it and hang up.
        if !handler.isHTTP2 { context.close(mode: isUnread ? .output : .all, promise: nil) }
      } else if case .idle = handler.state {
        handler.deadline = .now() + handler.limits.idle
      }
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
  }

  private static func client(of context: ChannelHandlerContext) -> String {
    // A stream has its connection's.
    let address = context.channel.remoteAddress ?? context.channel.parent?.remoteAddress
    return address?.ipAddress ?? address?.pathname ?? ""
  }
}
