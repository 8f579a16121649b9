import Glibc
internal import Primitives

/// `HOST:PORT`, `[IPv6]:PORT`.
struct ListenAddress: Sendable, Equatable {
  let text: String
  /// Without brackets.
  let host: String
  /// 0 for a free one.
  let port: Int

  /// - Throws: `listen_invalid`.
  init(_ text: String) throws(SimpleFailure) {
    let invalid = SimpleFailure(
      .usage, code: "listen_invalid", message: "\"\(text)\" is no address to listen on",
      hint: "HOST:PORT, such as 127.0.0.1:8088; an IPv6 address stands in brackets")
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw invalid
    }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw invalid
    }
    guard !host.isEmpty else { throw invalid }
    (self.text, self.host, self.port) = (text, String(host), Int(port))
  }

  /// Whether only programs of this machine reach it. A name other than `localhost` may be anything.
  var isLoopback: Bool {
    if host == "localhost" { return true }
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
    return withUnsafeBytes(of: &six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
  }
}
