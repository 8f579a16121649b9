internal import Glibc
internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import Primitives

/// What goes wrong between a client and a server, by its stable code.
struct LoadTrouble: Error {
  let code: String
  /// What happened, for people.
  let message: String

  static let closed = LoadTrouble(
    code: "connection_closed", message: "the server closed the connection before the answer was complete")
  static let timeout = LoadTrouble(code: "timeout", message: "no answer came in time")
  static let connectTimeout = LoadTrouble(
    code: "connect_timeout", message: "the connection could not be opened in time")
  static let malformed = LoadTrouble(
    code: "response_malformed", message: "the server's answer is not HTTP/1.1")
  static let refused = LoadTrouble(
    code: "stream_refused", message: "the server handed the request back again and again")

  init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  /// By the type of the error.
  init(_ error: any Error) {
    switch error {
    case let trouble as LoadTrouble: self = trouble
    case let error as IOError: self.init(errno: error.errnoCode)
    case let error as NIOConnectionError: self.init(connecting: error)
    case ChannelError.connectTimeout: self = .connectTimeout
    case let fault as ResponseParser.Fault:
      self =
        fault == .malformed
        ? .malformed
        : LoadTrouble(
          code: "response_header_too_large",
          message: "the header of the answer is larger than \(ResponseParser.headBytesMax >> 10) KiB")
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
      self.init(code: "tls_failed", message: "TLS: \(error)")
    case is any NIOHTTP2Error: self.init(code: "http2_error", message: "HTTP/2: \(error)")
    default: self.init(code: "connection_failed", message: "\(error)")
    }
  }

  /// By the system's number.
  init(errno number: CInt) {
    let code =
      switch number {
      case ECONNREFUSED: "connect_refused"
      case ECONNRESET, EPIPE, ECONNABORTED: "connection_reset"
      case ETIMEDOUT: "connect_timeout"
      case EHOSTUNREACH, ENETUNREACH, ENETDOWN: "host_unreachable"
      case EMFILE, ENFILE: "too_many_files"
      case EADDRNOTAVAIL, EADDRINUSE: "no_free_port"
      default: "connection_failed"
      }
    self.init(code: code, message: String(cString: strerror(number)))
  }

  /// By the first address that did not work; names have several.
  private init(connecting error: NIOConnectionError) {
    if let first = error.connectionErrors.first {
      self.init(first.error)
    } else {
      self.init(code: "name_unresolved", message: "the name \(error.host) has no address")
    }
  }

  /// The code of an answer with an error status, nil for others: `http_503`.
  static func code(ofStatus status: Int) -> String? { status >= 400 ? "http_\(status)" : nil }

  /// For a load that cannot begin.
  func failure(loading url: String) -> SimpleFailure {
    let hint =
      switch code {
      case "connect_refused", "connect_timeout", "host_unreachable":
        "is the server running, and is this its address? curl -v asks it once"
      case "name_unresolved": "check the name in the URL"
      case "tls_failed":
        "name the server's own authority with --tls-ca FILE, or take anybody's word with --insecure"
      case "http2_not_spoken": "leave --http2 out, or name a server that speaks it"
      case "response_malformed": "is this an HTTP server? TLS needs https://"
      case "too_many_files": "raise the limit: ulimit -n, or take fewer --connections"
      default: "curl -v asks the server once"
      }
    return SimpleFailure(
      .unreachable, code: code, message: "\(url) cannot be loaded: \(message)", hint: hint, isRetryable: true)
  }
}
