/// One word of a command: text, bytes, or a number in decimal.
public enum Argument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  case text(String)
  case bytes([UInt8])
  case integer(Int)

  /// Text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A number.
  public init(integerLiteral value: Int) { self = .integer(value) }
}

/// A command and its arguments, or a script with its keys and arguments.
///
/// Each command must have exactly one reply. SUBSCRIBE and its kin, MONITOR and `CLIENT REPLY` do not, and
/// make the connection useless: the session notices and replaces it.
public struct Command: Sendable, Hashable, ExpressibleByArrayLiteral {
  let arguments: [Argument]
  /// When set, `arguments` are the keys followed by the script's arguments.
  let script: Script?
  let keyCount: Int

  /// `Command("SET", .text(key), .bytes(value), "EX", 60)`.
  public init(_ name: String, _ arguments: Argument...) {
    self.init([.text(name)] + arguments)
  }

  /// The name and the arguments as they come.
  public init(_ words: [Argument]) {
    arguments = words
    script = nil
    keyCount = 0
  }

  /// `["SET", "key", "value"]`.
  public init(arrayLiteral elements: Argument...) {
    self.init(elements)
  }

  /// Runs a script by its SHA-1; the session loads it where the server does not know it.
  public init(_ script: Script, keys: [Argument] = [], arguments: [Argument] = []) {
    self.arguments = keys + arguments
    self.script = script
    keyCount = keys.count
  }

  /// The key by which a cluster routes the command: a script's first, else the first argument. Nil for commands about a
  /// server or a connection. For the few whose key stands elsewhere it is a wrong guess that MOVED puts right.
  var routingKey: Argument? {
    if script != nil { return keyCount > 0 ? arguments[0] : nil }
    guard arguments.count > 1, case .text(let name) = arguments[0] else { return nil }
    return Self.keyless.contains(name.uppercased()) ? nil : arguments[1]
  }

  /// For messages; holds no argument.
  var name: String {
    guard script == nil, case .text(let name)? = arguments.first else { return "a script" }
    return name
  }

  /// Those that take arguments but no key, or whose effect lives in the connection.
  private static let keyless: Set<String> = [
    "ACL", "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "ECHO", "FLUSHALL", "FLUSHDB", "HELLO",
    "INFO", "LATENCY", "PING", "PUBLISH", "SCAN", "SCRIPT", "SELECT", "SLOWLOG", "SWAPDB", "WAIT", "WATCH",
  ]

  /// Appends the command in RESP, an array of bulk strings.
  ///
  /// - Parameter digest: the SHA-1 of the script, for a script.
  func encode(digest: String?, into buffer: inout [UInt8]) {
    Self.appendHeader(UInt8(ascii: "*"), arguments.count + (digest == nil ? 0 : 3), &buffer)
    if let digest {
      Self.append("EVALSHA", &buffer)
      Self.append(digest, &buffer)
      Self.append(String(keyCount), &buffer)
    }
    for argument in arguments {
      switch argument {
      case .text(let text): Self.append(text, &buffer)
      case .integer(let number): Self.append(String(number), &buffer)
      case .bytes(let bytes):
        Self.appendHeader(UInt8(ascii: "$"), bytes.count, &buffer)
        buffer.append(contentsOf: bytes)
        Self.appendLineEnd(&buffer)
      }
    }
  }

  private static func append(_ text: String, _ buffer: inout [UInt8]) {
    let bytes = text.utf8
    appendHeader(UInt8(ascii: "$"), bytes.count, &buffer)
    buffer.append(contentsOf: bytes)
    appendLineEnd(&buffer)
  }

  private static func appendHeader(_ mark: UInt8, _ count: Int, _ buffer: inout [UInt8]) {
    buffer.append(mark)
    buffer.append(contentsOf: String(count).utf8)
    appendLineEnd(&buffer)
  }

  private static func appendLineEnd(_ buffer: inout [UInt8]) {
    buffer.append(UInt8(ascii: "\r"))
    buffer.append(UInt8(ascii: "\n"))
  }
}
