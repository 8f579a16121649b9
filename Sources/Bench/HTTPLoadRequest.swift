public import Primitives

/// What an HTTP load sends, and how.
public struct HTTPLoadRequest: Sendable {
  /// Methods that change nothing on a server that keeps to RFC 9110.
  public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
  }

  /// Which versions of HTTP may be spoken.
  public enum Version: Sendable {
    /// HTTP/1.1 in clear text; with TLS what the server chooses.
    case any
    case http1
    /// By prior knowledge in clear text, by ALPN with TLS.
    case http2
  }

  /// Whom to believe, with TLS.
  public enum Trust: Sendable, Equatable {
    case system
    /// The certificates of a PEM file, and no others.
    case file(String)
    /// Anybody.
    case all
  }

  public var target: HTTPTarget
  public var method = Method.get
  public var fields: [HTTPField] = []
  public var version = Version.any
  /// Requests at a time on one connection of HTTP/2.
  public var streams = 1
  /// How long a request may take from when it is due, and a connection from when it is asked for.
  public var timeout = Duration.seconds(30)
  public var trust = Trust.system
  /// Threads that generate load; nil leaves it to the machine.
  public var threads: Int?

  public init(_ target: HTTPTarget) { self.target = target }
}

/// A field of a request's header.
public struct HTTPField: Sendable, Equatable {
  /// As it was written.
  public let name: String
  public let value: String

  /// Fields that say where a message ends, or speak of the connection: those are the generator's own.
  private static let reserved: Set<String> = [
    "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
  ]

  /// Reads `Name: value`.
  ///
  /// - Throws: `header_invalid`. No message has the value in it: it may be a secret.
  public init(_ text: String) throws(SimpleFailure) {
    guard let colon = text.firstIndex(of: ":") else { throw Self.invalid("it has no colon") }
    let name = text[..<colon]
    guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else {
      throw Self.invalid("its name is not a word of letters, digits and -")
    }
    let value = text[text.index(after: colon)...].trimming { $0 == " " || $0 == "\t" }
    guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
      throw Self.invalid("the value of \(name) has control characters")
    }
    guard !Self.reserved.contains(name.lowercased()) else {
      throw Self.invalid("\(name) says how messages are framed, which is not for the caller to choose")
    }
    (self.name, self.value) = (String(name), String(value))
  }

  /// RFC 9110 section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }

  private static func invalid(_ reason: String) -> SimpleFailure {
    SimpleFailure(
      .usage, code: "header_invalid", message: "a header cannot be sent: \(reason)",
      hint: "as in --header 'Accept-Encoding: gzip'")
  }
}

extension Substring {
  fileprivate func trimming(_ isBlank: (Character) -> Bool) -> Substring {
    var trimmed = drop(while: isBlank)
    while let last = trimmed.last, isBlank(last) { trimmed.removeLast() }
    return trimmed
  }
}
