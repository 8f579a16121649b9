internal import NIOHTTP1
internal import Primitives

/// A request as the routes see it.
struct ServedRequest: Sendable {
  let method: HTTPMethod
  /// As it was sent: path and query.
  let target: String
  let headers: HTTPHeaders
  /// `HTTP/1.1`, `HTTP/2`.
  let version: String
  /// The address of the client, without its port.
  let client: String

  /// The target up to the question mark.
  var path: Substring { target.prefix { $0 != "?" } }

  /// Names and values of the query, percent-decoded; nil where an escape is none, or the bytes are no UTF-8.
  var query: [(name: String, value: String)]? {
    guard let mark = target.firstIndex(of: "?") else { return [] }
    var pairs: [(name: String, value: String)] = []
    for part in target[target.index(after: mark)...].split(separator: "&") {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = percentDecoded(halves[0]),
        let value = percentDecoded(halves.count > 1 ? halves[1] : "")
      else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }
}

/// RFC 3986 escapes resolved, and `+` as a blank, as forms write it; nil for text that holds a bad one.
func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = text.utf8.makeIterator()
  while let byte = rest.next() {
    switch byte {
    case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
    case UInt8(ascii: "%"):
      guard let high = rest.next().flatMap(hexadecimalDigit), let low = rest.next().flatMap(hexadecimalDigit)
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

  /// `{"error":{"code":…,"message":…,"hint":…}}`.
  static func error(
    _ status: HTTPResponseStatus, code: String, _ message: String, hint: String? = nil
  ) -> ServedResponse {
    ServedResponse(
      status,
      ["error": ["code": .string(code), "message": .string(message), "hint": .optional(hint)]])
  }
}
