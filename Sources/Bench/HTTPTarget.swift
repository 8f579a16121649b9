public import Primitives

/// An `http://` or `https://` URL, taken apart for a client.
public struct HTTPTarget: Sendable, Equatable {
  public let isTLS: Bool
  /// A name or an address, without brackets.
  public let host: String
  public let port: Int
  /// Host and port as the Host field has them: IPv6 in brackets, no port that the scheme implies.
  public let authority: String
  /// Path and query; begins with a slash. A fragment is never sent.
  public let path: String

  /// - Throws: `url_invalid`.
  public init(_ url: String) throws(SimpleFailure) {
    guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Self.invalid("it has characters that must be percent-encoded")
    }
    guard let mark = Self.schemeEnd(url) else {
      throw Self.invalid("it does not begin with http:// or https://")
    }
    isTLS = url[..<mark].lowercased() == "https://"
    let rest = url[mark...].prefix { $0 != "#" }
    let place = rest.prefix { $0 != "/" && $0 != "?" }
    let tail = rest[place.endIndex...]
    path = tail.hasPrefix("/") ? String(tail) : "/" + tail
    // Whoever reads a process list would read it too.
    guard !place.contains("@") else {
      throw Self.invalid("it has a user or a password; send them as --header 'Authorization: …'")
    }
    let (name, digits) = try Self.split(place)
    let implied = isTLS ? 443 : 80
    guard let digits else {
      (host, port) = (name, implied)
      authority = name.contains(":") ? "[\(name)]" : name
      return
    }
    guard let number = UInt16(digits), number > 0, digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }) else {
      throw Self.invalid("its port is not a number from 1 to 65535")
    }
    (host, port) = (name, Int(number))
    let bracketed = name.contains(":") ? "[\(name)]" : name
    authority = port == implied ? bracketed : "\(bracketed):\(port)"
  }

  /// The URL as messages may show it: a query may hold secrets.
  public var place: String {
    "\(isTLS ? "https" : "http")://\(authority)\(path.prefix { $0 != "?" })"
  }

  /// Whether the host is an address, and no name.
  public var isAddress: Bool {
    host.contains(":") || host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
  }

  private static func schemeEnd(_ url: String) -> String.Index? {
    for scheme in ["http://", "https://"] where url.lowercased().hasPrefix(scheme) {
      return url.index(url.startIndex, offsetBy: scheme.count)
    }
    return nil
  }

  /// The host without brackets, and the digits behind its colon.
  private static func split(_ place: Substring) throws(SimpleFailure) -> (String, Substring?) {
    var name = place
    var digits: Substring?
    if place.hasPrefix("[") {
      guard let bracket = place.firstIndex(of: "]") else {
        throw invalid("an IPv6 address has no closing bracket")
      }
      name = place[place.index(after: place.startIndex)..<bracket]
      let tail = place[place.index(after: bracket)...]
      guard tail.isEmpty || tail.hasPrefix(":") else {
        throw invalid("something stands behind its IPv6 address")
      }
      digits = tail.isEmpty ? nil : tail.dropFirst()
      guard name.contains(":") else { throw invalid("only an IPv6 address stands in brackets") }
    } else if let colon = place.firstIndex(of: ":") {
      name = place[..<colon]
      digits = place[place.index(after: colon)...]
    }
    guard !name.isEmpty else { throw invalid("it names no host") }
    return (String(name), digits)
  }

  private static func invalid(_ reason: String) -> SimpleFailure {
    SimpleFailure(
      .usage, code: "url_invalid", message: "the URL cannot be used: \(reason)",
      hint: "as in http://127.0.0.1:8088/api/health or https://wallets.example.com/api/v1/wallets?limit=10")
  }
}
