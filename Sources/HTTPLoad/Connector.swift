internal import Bench
internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import Primitives

/// Opens connections to the target of a load.
struct Connector: Sendable {
  let request: HTTPLoadRequest
  let encoded: EncodedRequest
  /// Nil for clear text.
  private let tls: NIOSSLContext?

  /// - Throws: `tls_unusable` for a file of certificates that cannot be used.
  init(_ request: HTTPLoadRequest) throws {
    self.request = request
    encoded = EncodedRequest(request)
    tls = try request.target.isTLS ? Self.context(request) : nil
  }

  /// Opens a connection on `loop`; `delegate` is told what became of it, in time.
  ///
  /// - Parameter address: nil to look the target's name up, and to take the first of its addresses that works.
  func open(
    slot: Int, at address: SocketAddress?, on loop: any EventLoop, telling delegate: any LoadDelegate
  ) {
    let opening = Opening(slot: slot, connector: self, delegate: delegate)
    let bound = NIOLoopBound(opening, eventLoop: loop)
    let patience = loop.assumeIsolated().scheduleTask(in: TimeAmount(request.timeout)) {
      opening.fail(.connectTimeout)
    }
    opening.patience = patience
    let bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(TimeAmount(request.timeout))
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try prepare(channel, for: bound.value) }
      }
    let channel =
      address.map { bootstrap.connect(to: $0) }
      ?? bootstrap.connect(host: request.target.host, port: request.target.port)
    channel.assumeIsolated().whenComplete { result in
      switch result {
      case .success(let channel): opening.connected(channel)
      case .failure(let error): opening.fail(LoadTrouble(error))
      }
    }
  }

  private func prepare(_ channel: any Channel, for opening: Opening) throws {
    let pipeline = channel.pipeline.syncOperations
    guard let tls else { return }
    // An address is no name to ask for (RFC 6066 section 3); the certificate is then held against the address.
    let name = request.target.isAddress ? nil : request.target.host
    try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
    try pipeline.addHandler(HandshakeHandler(opening))
  }

  /// Puts the connection's own handler where it belongs, once the version is known.
  fileprivate func speak(_ version: String?, on channel: any Channel, for opening: Opening) throws {
    let isHTTP2: Bool
    switch request.version {
    case .http1: isHTTP2 = false
    case .http2 where request.target.isTLS && version != "h2":
      throw LoadTrouble(
        code: "http2_not_spoken",
        message: "the server does not choose h2 (ALPN: \(version ?? "nothing chosen"))")
    case .http2: isHTTP2 = true
    case .any: isHTTP2 = version == "h2"
    }
    let pipeline = channel.pipeline.syncOperations
    guard isHTTP2 else {
      let connection = HTTP1Connection(slot: opening.slot, request: encoded, delegate: opening)
      try pipeline.addHandler(connection)
      // Nothing has to come before the first request.
      return opening.opened(connection)
    }
    try pipeline.addHandler(HTTP2Connection.frames())
    try pipeline.addHandler(
      HTTP2Connection(
        slot: opening.slot, request: encoded, streams: request.streams, delegate: opening))
  }

  private static func context(_ request: HTTPLoadRequest) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    switch request.version {
    case .any: configuration.applicationProtocols = ["h2", "http/1.1"]
    case .http1: configuration.applicationProtocols = ["http/1.1"]
    case .http2: configuration.applicationProtocols = ["h2"]
    }
    switch request.trust {
    case .system: break
    case .file(let path): configuration.trustRoots = .file(path)
    case .all: configuration.certificateVerification = .none
    }
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      guard case .file(let path) = request.trust else {
        throw LoadTrouble(error).failure(loading: request.target.place)
      }
      throw SimpleFailure(
        .usage, code: "tls_unusable", message: "\(path) cannot be used: \(error)",
        hint: "--tls-ca names a PEM file with certificates")
    }
  }
}

/// A connection between being asked for and being open: whatever happens, exactly one outcome is told.
private final class Opening: LoadDelegate {
  let slot: Int
  var patience: Scheduled<Void>?
  private let connector: Connector
  private let delegate: any LoadDelegate
  private var channel: (any Channel)?
  private var isDecided = false

  init(slot: Int, connector: Connector, delegate: any LoadDelegate) {
    self.slot = slot
    self.connector = connector
    self.delegate = delegate
  }

  /// TCP stands.
  func connected(_ channel: any Channel) {
    self.channel = channel
    if isDecided { return channel.close(promise: nil) }
    if connector.request.target.isTLS { return }
    speak(nil, on: channel)
  }

  /// TLS stands, or was not wanted.
  func speak(_ version: String?, on channel: any Channel) {
    guard !isDecided else { return }
    self.channel = channel
    do {
      try connector.speak(version, on: channel, for: self)
    } catch {
      fail(LoadTrouble(error))
    }
  }

  func fail(_ trouble: LoadTrouble) {
    guard !isDecided else { return }
    isDecided = true
    patience?.cancel()
    channel?.close(promise: nil)
    delegate.failedToOpen(slot: slot, trouble)
  }

  func opened(_ connection: any LoadConnection) {
    guard !isDecided else { return connection.close() }
    isDecided = true
    patience?.cancel()
    // From here on the connection speaks for itself.
    connection.delegate = delegate
    delegate.opened(connection)
  }

  /// Before its SETTINGS: whoever is there speaks something else.
  func closed(_ connection: any LoadConnection) {
    let reason = connection.trouble.map { ": \($0.message)" } ?? ""
    fail(LoadTrouble(code: "http2_not_spoken", message: "the server does not answer in HTTP/2\(reason)"))
  }

  func failedToOpen(slot: Int, _ trouble: LoadTrouble) { fail(trouble) }
  // Nothing was sent yet.
  func hasRoom(_ connection: any LoadConnection) {}
  func ended(_ request: PendingRequest, on connection: any LoadConnection, failure: String?) {}
  func handedBack(_ request: PendingRequest, by connection: any LoadConnection) {}
}

/// Waits for TLS, and learns which version of HTTP the server has chosen.
private final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let opening: Opening
  private var isDone = false

  init(_ opening: Opening) { self.opening = opening }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case TLSUserEvent.handshakeCompleted(let version)? = event as? TLSUserEvent else {
      return context.fireUserInboundEventTriggered(event)
    }
    isDone = true
    opening.speak(version, on: context.channel)
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if isDone { return context.fireErrorCaught(error) }
    opening.fail(LoadTrouble(error))
  }

  func channelInactive(context: ChannelHandlerContext) {
    if !isDone {
      opening.fail(LoadTrouble(code: "tls_failed", message: "TLS: the server closed the connection"))
    }
    context.fireChannelInactive()
  }
}
