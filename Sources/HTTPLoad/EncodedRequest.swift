internal import Bench
internal import NIOCore
internal import NIOHPACK

/// The one request of a load, ready to be sent.
struct EncodedRequest: Sendable {
  let http1: ByteBuffer
  let http2: HPACKHeaders
  let isHead: Bool

  /// Said to servers that are asked, unless the user says something else.
  private static let userAgent = "ironforge-bench"

  init(_ request: HTTPLoadRequest) {
    isHead = request.method == .head
    let target = request.target
    let host = request.fields.last { $0.name.lowercased() == "host" }?.value ?? target.authority
    var fields = request.fields.filter { $0.name.lowercased() != "host" }.map { ($0.name, $0.value) }
    if !fields.contains(where: { $0.0.lowercased() == "user-agent" }) {
      fields.append(("User-Agent", Self.userAgent))
    }
    var text = "\(request.method.rawValue) \(target.path) HTTP/1.1\r\nHost: \(host)\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    http1 = ByteBuffer(string: text + "\r\n")

    var headers = HPACKHeaders([
      (":method", request.method.rawValue), (":scheme", target.isTLS ? "https" : "http"),
      (":authority", host), (":path", target.path),
    ])
    for (name, value) in fields {
      let name = name.lowercased()
      // A secret must not stay in the tables of compression (RFC 7541 section 7.1.3).
      let isSecret = name == "authorization" || name == "cookie"
      headers.add(name: name, value: value, indexing: isSecret ? .neverIndexed : .indexable)
    }
    http2 = headers
  }
}
