/// Reads `redis://[user][:password@]host[:port][/db]` and `unix://[user][:password@]/path[?db=N]`.
///
/// The host defaults to nothing and the port to 6379; an IPv6 address stands in brackets; every part may be
/// percent-encoded. Errors name the part that is wrong, never the text of the URL, which may hold a password.
extension Endpoint {
  /// - Throws: `RedisError.invalidEndpoint`.
  public init(url: String) throws {
    guard let separator = url.firstRange(of: "://") else {
      throw RedisError.invalidEndpoint("the URL does not begin with redis:// or unix://")
    }
    let rest = url[separator.upperBound...]
    switch url[..<separator.lowerBound].lowercased() {
    case "redis": try self.init(tcp: rest)
    case "unix": try self.init(unix: rest)
    case "rediss":
      throw RedisError.invalidEndpoint(
        "rediss:// (TLS) is not supported; use a Unix socket, or a TLS tunnel such as stunnel on this host")
    default:
      throw RedisError.invalidEndpoint("the URL does not begin with redis:// or unix://")
    }
  }

  private init(tcp rest: Substring) throws {
    let (beforeQuery, query) = Self.split(rest, at: "?")
    guard query == nil else { throw RedisError.invalidEndpoint("redis:// takes no parameters after a ?") }
    let (authority, path) = Self.split(beforeQuery, at: "/")
    let (credentials, location) = Self.splitLast(authority, at: "@")
    let (user, password) = try Self.login(credentials)
    let (host, port) = try Self.hostAndPort(location)
    var database = 0
    if let path, !path.isEmpty {
      database = try Self.databaseNumber(path)
    }
    try self.init(.tcp(host: host, port: port), user: user, password: password, database: database)
  }

  private init(unix rest: Substring) throws {
    let (beforeQuery, query) = Self.split(rest, at: "?")
    // A password with a slash must be percent-encoded, so the path begins at the first slash.
    guard let slash = beforeQuery.firstIndex(of: "/") else {
      throw RedisError.invalidEndpoint("unix:// needs the absolute path of a socket: unix:///run/redis.sock")
    }
    let authority = beforeQuery[..<slash]
    guard authority.isEmpty || authority.last == "@" else {
      throw RedisError.invalidEndpoint("unix:// needs the absolute path of a socket: unix:///run/redis.sock")
    }
    let (user, password) = try Self.login(authority.isEmpty ? nil : authority.dropLast())
    var database = 0
    for parameter in (query ?? "").split(separator: "&") {
      let (name, value) = Self.split(parameter, at: "=")
      guard name == "db", let value else {
        throw RedisError.invalidEndpoint("unix:// takes the parameter db and no other")
      }
      database = try Self.databaseNumber(value)
    }
    let path = try Self.decoded(beforeQuery[slash...], "path")
    try self.init(.unix(path: path), user: user, password: password, database: database)
  }

  private static func login(_ text: Substring?) throws -> (user: String?, password: String?) {
    guard let text else { return (nil, nil) }
    let (user, password) = split(text, at: ":")
    return (
      user.isEmpty ? nil : try decoded(user, "user"),
      try password.map { try decoded($0, "password") }
    )
  }

  private static func hostAndPort(_ text: Substring) throws -> (String, UInt16) {
    var host = text
    var port: Substring?
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else {
        throw RedisError.invalidEndpoint("the bracket around the IPv6 address is not closed")
      }
      host = text[text.index(after: text.startIndex)..<end]
      let after = text[text.index(after: end)...]
      guard after.isEmpty || after.first == ":" else {
        throw RedisError.invalidEndpoint("after the IPv6 address comes a colon and the port, or nothing")
      }
      port = after.isEmpty ? nil : after.dropFirst()
    } else {
      (host, port) = split(text, at: ":")
    }
    guard let port else { return (try decoded(host, "host"), 6379) }
    guard let number = digits(port).flatMap({ UInt16(exactly: $0) }) else {
      throw RedisError.invalidEndpoint("the port is not a number from 1 to 65535")
    }
    return (try decoded(host, "host"), number)
  }

  private static func databaseNumber(_ text: Substring) throws -> Int {
    guard let number = digits(text) else {
      throw RedisError.invalidEndpoint("the database is not a number")
    }
    return number
  }

  /// `Int` alone would take a sign.
  private static func digits(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
  }

  private static func split(_ text: Substring, at mark: Character) -> (Substring, Substring?) {
    guard let index = text.firstIndex(of: mark) else { return (text, nil) }
    return (text[..<index], text[text.index(after: index)...])
  }

  /// The last `@` ends the login, so that a careless `@` in a password still works.
  private static func splitLast(_ text: Substring, at mark: Character) -> (Substring?, Substring) {
    guard let index = text.lastIndex(of: mark) else { return (nil, text) }
    return (text[..<index], text[text.index(after: index)...])
  }

  private static func decoded(_ text: Substring, _ part: String) throws -> String {
    let broken = RedisError.invalidEndpoint(
      "the \(part) has a % without two hexadecimal digits, or is not UTF-8")
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
        throw broken
      }
      bytes.append(high << 4 | low)
    }
    guard let result = String(validating: bytes, as: UTF8.self) else { throw broken }
    return result
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
