import Primitives

/// What stands for a connection string that cannot be shown in part.
public let redactedWhole = "<redacted>"
private let redactedPart = "***"

/// `connection` as it may be shown: a libpq URI, a libpq keyword string or a Redis URL without its passwords.
///
/// Covers the user information of a URI, `password` and `sslpassword` as query parameters or keywords, however
/// they are escaped. A text that does not read beyond doubt as one of the three is hidden whole, as nobody can
/// tell which part of it is the password.
public func redacted(_ connection: String) -> String {
  if connection.isEmpty { return "" }
  guard !connection.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return redactedWhole }
  if let scheme = connection.firstRange(of: "://") {
    let name = connection[..<scheme.lowerBound]
    guard ["postgresql", "postgres", "redis", "rediss", "unix"].contains(name) else {
      // A keyword string may well hold "://", but then a key comes first.
      return name.contains("=") ? redactedKeywords(connection) : redactedWhole
    }
    return redactedURI(scheme: name, connection[scheme.upperBound...])
  }
  return redactedKeywords(connection)
}

private func redactedURI(scheme: Substring, _ rest: Substring) -> String {
  let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
  let authority = rest[..<end]
  let tail = rest[end...]
  // A '@' after the authority may be the end of a password with a '/' or '?' in it.
  guard !tail.contains("@") else { return redactedWhole }
  var out = "\(scheme)://"
  var hosts = authority
  if let at = authority.lastIndex(of: "@") {
    let user = authority[..<at]
    hosts = authority[authority.index(after: at)...]
    if let colon = user.firstIndex(of: ":") {
      out += "\(user[..<colon]):\(redactedPart)@"
    } else {
      // Redis clients differ on whether a lone word is the user or the password.
      out += scheme.hasPrefix("redis") ? "\(redactedPart)@" : "\(user)@"
    }
  }
  guard hosts.split(separator: ",", omittingEmptySubsequences: false).allSatisfy(hasPlainPort) else {
    return redactedWhole
  }
  out += hosts
  let question = tail.firstIndex(of: "?") ?? tail.endIndex
  let path = tail[..<question]
  guard let plainPath = percentDecoded(path), !mentionsSecret(plainPath) else { return redactedWhole }
  out += path
  if question < tail.endIndex {
    guard let query = redactedQuery(tail[tail.index(after: question)...]) else { return redactedWhole }
    out += "?" + query
  }
  return out
}

/// `host`, `host:5432` or `[::1]:5432`; otherwise what looks like a port may be a password whose '@' is missing.
private func hasPlainPort(_ host: Substring) -> Bool {
  var afterName = host[...]
  if host.hasPrefix("[") {
    guard let close = host.firstIndex(of: "]") else { return false }
    afterName = host[host.index(after: close)...]
    guard afterName.isEmpty || afterName.hasPrefix(":") else { return false }
  }
  guard let colon = afterName.firstIndex(of: ":") else { return true }
  return afterName[afterName.index(after: colon)...].utf8.allSatisfy {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
  }
}

private func redactedQuery(_ query: Substring) -> String? {
  var out: [String] = []
  for parameter in query.split(separator: "&", omittingEmptySubsequences: false) {
    guard let equals = parameter.firstIndex(of: "=") else {
      guard parameter.isEmpty else { return nil }
      out.append("")
      continue
    }
    let value = parameter[parameter.index(after: equals)...]
    guard let key = percentDecoded(parameter[..<equals]), let plain = percentDecoded(value) else {
      return nil
    }
    let hidden = isSecret(key) || mentionsSecret(plain)
    out.append("\(parameter[..<equals])=\(hidden ? redactedPart : String(value))")
  }
  return out.joined(separator: "&")
}

/// A keyword string by the rules of libpq's `conninfo_parse`: blanks around `=`, values bare or in single quotes,
/// a backslash takes the next character as it is.
private func redactedKeywords(_ text: String) -> String {
  var out: [String] = []
  var rest = text[...]
  while true {
    rest = rest.drop { $0.isWhitespace }
    if rest.isEmpty { return out.joined(separator: " ") }
    let key = rest.prefix { $0 != "=" && !$0.isWhitespace }
    rest = rest[key.endIndex...].drop { $0.isWhitespace }
    guard !key.isEmpty, rest.first == "=" else { return redactedWhole }
    rest = rest.dropFirst().drop { $0.isWhitespace }
    let start = rest.startIndex
    let isQuoted = rest.first == "'"
    if isQuoted { rest = rest.dropFirst() }
    var isClosed = !isQuoted
    while let character = rest.first {
      if isQuoted ? character == "'" : character.isWhitespace {
        isClosed = true
        if isQuoted { rest = rest.dropFirst() }
        break
      }
      rest = rest.dropFirst(character == "\\" ? 2 : 1)
    }
    guard isClosed else { return redactedWhole }
    let value = text[start..<rest.startIndex]
    // `dbname` may hold a whole connection string of its own.
    let hidden = isSecret(String(key)) || mentionsSecret(String(value)) || value.contains("://")
    out.append("\(key)=\(hidden ? redactedPart : String(value))")
  }
}

private func isSecret(_ key: String) -> Bool {
  let key = key.lowercased()
  return key != "passfile" && ["pass", "secret", "token", "auth_key"].contains { key.contains($0) }
}

private func mentionsSecret(_ value: String) -> Bool {
  value.lowercased().contains("password")
}

private func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let high = rest.popFirst().flatMap(hexadecimalValue),
      let low = rest.popFirst().flatMap(hexadecimalValue)
    else { return nil }
    bytes.append(high << 4 | low)
  }
  return String(validating: bytes, as: UTF8.self)
}
