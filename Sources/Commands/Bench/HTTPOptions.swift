import ArgumentParser
import Bench
import Glibc
import Primitives

/// What `bench http` sends, and how.
struct HTTPOptions: ParsableArguments, Sendable {
  @Flag(name: .customLong("http1"), help: "Speak HTTP/1.1 only; with TLS the server chooses otherwise.")
  var wantsHTTP1 = false

  @Flag(
    name: .customLong("http2"),
    help: "Speak HTTP/2 only: by prior knowledge in clear text, by ALPN with TLS.")
  var wantsHTTP2 = false

  @Option(
    help: ArgumentHelp(
      "With --http2: requests at a time on each connection, 1 to 1000, as far as the server allows.",
      valueName: "n"))
  var streams: Int?

  @Option(
    help: ArgumentHelp("GET or HEAD; GET if absent.", valueName: "method"), transform: HTTPOptions.method)
  var method: HTTPLoadRequest.Method?

  @Option(
    name: .customLong("header"),
    help: ArgumentHelp(
      "A field of the request's header; may be given several times.", valueName: "name: value"))
  var headers: [String] = []

  @Option(
    help: ArgumentHelp(
      "How long a request may take from when it is due, and a connection to be opened.", valueName: "time"))
  var timeout = HumanDuration(seconds: 30)

  @Option(
    name: .customLong("tls-ca"),
    help: ArgumentHelp("Trust the certificates in this PEM file, and no others.", valueName: "file"),
    completion: .file())
  var authority: String?

  @Flag(help: "Trust any certificate.")
  var insecure = false

  @Option(
    help: ArgumentHelp(
      "Threads that generate load, up to one a processor; half of them, four at most, if absent.",
      valueName: "n"))
  var threads: Int?

  static let headersMax = 100

  func validate() throws {
    if wantsHTTP1, wantsHTTP2 { throw ValidationError("--http1 and --http2 contradict each other.") }
    if let streams {
      guard wantsHTTP2 else { throw ValidationError("--streams needs --http2: HTTP/1.1 has none.") }
      guard (1...1000).contains(streams) else { throw ValidationError("--streams must be from 1 to 1000.") }
    }
    guard headers.count <= Self.headersMax else {
      throw ValidationError("--header may be given \(Self.headersMax) times at most.")
    }
    guard timeout.duration >= .milliseconds(10), timeout.duration <= .seconds(3600) else {
      throw ValidationError("--timeout must be from 10ms to 1h.")
    }
    if insecure, authority != nil { throw ValidationError("--insecure and --tls-ca contradict each other.") }
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    if let threads, !(1...processors).contains(threads) {
      throw ValidationError("--threads must be from 1 to \(processors), the processors of this machine.")
    }
  }

  /// The request to `url`.
  ///
  /// - Throws: `url_invalid`, `header_invalid`, `tls_not_used`.
  func request(to url: String) throws -> HTTPLoadRequest {
    var request = HTTPLoadRequest(try HTTPTarget(url))
    if !request.target.isTLS, insecure || authority != nil {
      throw SimpleFailure(
        .usage, code: "tls_not_used", message: "--tls-ca and --insecure mean nothing to an http:// URL",
        hint: "leave them out, or use https://")
    }
    request.method = method ?? .get
    request.fields = try headers.map { try HTTPField($0) }
    request.version = wantsHTTP1 ? .http1 : wantsHTTP2 ? .http2 : .any
    request.streams = streams ?? 1
    request.timeout = timeout.duration
    request.trust = insecure ? .all : authority.map { .file($0) } ?? .system
    request.threads = threads
    return request
  }

  private static func method(_ text: String) throws -> HTTPLoadRequest.Method {
    guard let method = HTTPLoadRequest.Method(rawValue: text.uppercased()) else {
      throw ValidationError("only GET and HEAD are sent: they change nothing on a server")
    }
    return method
  }
}
