internal import NIOHTTP1
internal import Primitives

/// A request as the routes see it.
struct ServedRequest: Sendable {
  let method: HTTPMethod
  /// Path and query, as they were sent.
  let target: String
  let headers: HTTPHeaders
  /// `HTTP/1.1`, `HTTP/2`.
  let version: String
  /// The address of the client, without its port.
  let client: String

  /// - Parameter target: as it stands in the request. Of the absolute form, which proxies may send (RFC 9112 section 3.2.2), the
  ///   scheme and the host are left out: there is one host here.
  init(method: HTTPMethod, target: String, headers: HTTPHeaders, version: String, client: String) {
    (self.method, self.headers, self.version, self.client) = (method, headers, version, client)
    self.target = Self.originForm(of: target)
  }

  private static func originForm(of target: String) -> String {
    guard !target.hasPrefix("/"), let scheme = target.firstRange(of: "://"),
      ["http", "https"].contains(target[..<scheme.lowerBound].lowercased())
    else { return target }
    let rest = target[scheme.upperBound...].drop { $0 != "/" && $0 != "?" }
    return rest.hasPrefix("/") ? String(rest) : "/\(rest)"
  }

  /// The target up to the question mark.
  var path: Substring { target.prefix { $0 != "?" } }

  /// Names and values of the query, percent-decoded; nil where an escape is none, or the bytes are no UTF-8.
  var query: [(name: String, value: String)]? {
    guard let mark = target.firstIndex(of: "?") else { return [] }
    var pairs: [(name: String, value: String)] = []
    for part in target[target.index(after: mark)...].split(separator: "&") {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = percentDecoded(halves[0], plusIsBlank: true),
        let value = percentDecoded(halves.count > 1 ? halves[1] : "", plusIsBlank: true)
      else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }
}

/// RFC 3986 escapes resolved; nil for text that holds a bad one, bytes that are no UTF-8, or a NUL, which no name has.
///
/// - Parameter plusIsBlank: as forms write it in a query. In a path a plus is a plus.
func percentDecoded(_ text: Substring, plusIsBlank: Bool = false) -> String? {
  var bytes: [UInt8] = []
  var rest = text.utf8.makeIterator()
  while let byte = rest.next() {
    switch byte {
    case UInt8(ascii: "+") where plusIsBlank: bytes.append(UInt8(ascii: " "))
    case UInt8(ascii: "%"):
      guard let high = rest.next().flatMap(hexadecimalDigit), let low = rest.next().flatMap(hexadecimalDigit),
        high << 4 | low != 0
      else { return nil }
      bytes.append(high << 4 | low)
    default: bytes.append(byte)
    }
  }
  return String(validating: bytes, as: UTF8.self)
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// What a route answers, before the headers that every answer gets.
struct ServedResponse: Sendable {
  var status: HTTPResponseStatus
  var headers: HTTPHeaders
  var body: [UInt8]
  /// The tier that a wallet came from, for the log and the counters.
  var tier: String?
  /// What went wrong in the server's own words, for the log alone.
  var trouble: String?

  init(_ status: HTTPResponseStatus = .ok, type: String, body: [UInt8]) {
    self.status = status
    self.body = body
    headers = ["content-type": type]
  }

  init(_ status: HTTPResponseStatus, _ json: JSON) {
    var body: [UInt8] = []
    json.write(to: &body)
    body.append(UInt8(ascii: "\n"))
    self.init(status, type: "application/json", body: body)
    headers.add(name: "cache-control", value: "no-store")
  }

  /// For the log and the counters alone: the client hung up before it was answered. 499 is what nginx calls that; as a 5xx it
  /// would count against the service.
  static let clientGone: ServedResponse = {
    var response = ServedResponse(
      .custom(code: 499, reasonPhrase: "Client Closed Request"), type: "text/plain", body: [])
    response.trouble = "the client hung up"
    return response
  }()

  /// `{"error":{"code":…,"message":…,"hint":…}}`.
  static func error(
    _ status: HTTPResponseStatus, code: String, _ message: String, hint: String? = nil
  ) -> ServedResponse {
    ServedResponse(
      status,
      ["error": ["code": .string(code), "message": .string(message), "hint": .optional(hint)]])
  }
}
