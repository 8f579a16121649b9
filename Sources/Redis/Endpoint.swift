/// Where a Redis server is, as whom to log in, and which database to select.
///
/// No description, dump or error of it ever holds the password.
public struct Endpoint: Sendable, Hashable {
  /// The address of the server's socket.
  public enum Address: Sendable, Hashable {
    /// A host name or an address (IPv6 without brackets), and a port.
    case tcp(host: String, port: UInt16)
    /// The path of a Unix socket.
    case unix(path: String)
  }

  /// The server's socket.
  public let address: Address
  /// The ACL user (Redis 6); nil is the user `default`.
  public let user: String?
  /// Held by a type that prints nothing.
  let secret: Secret?
  /// The number for SELECT.
  public let database: Int

  /// - Throws: `RedisError.invalidEndpoint` for a Unix path that is empty or longer than the 107 bytes of
  ///   `sockaddr_un`, an empty host, a negative database, or a user without a password.
  public init(_ address: Address, user: String? = nil, password: String? = nil, database: Int = 0) throws {
    switch address {
    case .tcp(let host, let port):
      guard !host.isEmpty, !host.utf8.contains(0) else {
        throw RedisError.invalidEndpoint("the host is empty")
      }
      guard port > 0 else { throw RedisError.invalidEndpoint("port 0 cannot be connected to") }
    case .unix(let path):
      guard (1...107).contains(path.utf8.count), !path.utf8.contains(0) else {
        throw RedisError.invalidEndpoint(
          "the path of a Unix socket has 1 to 107 bytes, not \(path.utf8.count)")
      }
    }
    guard (0...Int(Int32.max)).contains(database) else {
      throw RedisError.invalidEndpoint("\(database) is not the number of a database")
    }
    guard user == nil || password != nil else {
      throw RedisError.invalidEndpoint("a user is given without a password")
    }
    self.address = address
    self.user = user
    self.secret = password.map(Secret.init)
    self.database = database
  }

  private init(_ address: Address, likeNode other: Endpoint) {
    self.address = address
    user = other.user
    secret = other.secret
    database = 0
  }

  /// Another node of the same cluster, for the same user.
  func node(at address: Address) -> Endpoint { Endpoint(address, likeNode: self) }
}

extension Endpoint: CustomStringConvertible, CustomDebugStringConvertible {
  /// The address alone, for messages: `redis at 127.0.0.1:6379`.
  public var description: String {
    switch address {
    case .tcp(let host, let port):
      host.utf8.contains(UInt8(ascii: ":")) ? "redis at [\(host)]:\(port)" : "redis at \(host):\(port)"
    case .unix(let path): "redis at \(path)"
    }
  }

  /// The address, the database and the user, and whether there is a password.
  public var debugDescription: String {
    "\(description), database \(database)" + (user.map { ", user \($0)" } ?? "")
      + (secret == nil ? "" : ", with a password")
  }
}

/// Text that must not show up anywhere by accident: printing, interpolating and dumping yield three dots.
struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  let text: String

  init(_ text: String) {
    self.text = text
  }

  var description: String { "…" }
  var debugDescription: String { "…" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
