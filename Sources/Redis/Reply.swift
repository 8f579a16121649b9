/// A reply of the server, in the types of RESP2.
///
/// An error is a value here, so that one refused command of a pipeline does not hide the replies of the others.
/// `Session.execute` throws it; see `get()`.
public enum Reply: Sendable, Hashable {
  /// A bulk string: any bytes, NUL included.
  case string([UInt8])
  /// A simple string such as `OK`.
  case status(String)
  case integer(Int64)
  case array([Reply])
  /// The nil string or the nil array.
  case null
  case error(ServerError)
}

extension Reply {
  /// The reply itself, unless it is an error.
  ///
  /// - Throws: `RedisError.server`.
  public func get() throws -> Reply {
    if case .error(let error) = self { throw RedisError.server(error) }
    return self
  }

  /// The bytes of a string or a status; nil for the nil reply.
  ///
  /// - Throws: `RedisError.server`, `RedisError.unexpectedReply`.
  public func bytes() throws -> [UInt8]? {
    switch try get() {
    case .string(let bytes): bytes
    case .status(let text): Array(text.utf8)
    case .null: nil
    default: throw RedisError.unexpectedReply(expected: "a string", got: typeName)
    }
  }

  /// The text of a string or a status; nil for the nil reply.
  ///
  /// - Throws: `RedisError.server`; `RedisError.unexpectedReply`, also when the bytes are not UTF-8.
  public func text() throws -> String? {
    guard let bytes = try bytes() else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw RedisError.unexpectedReply(expected: "text in UTF-8", got: "other bytes")
    }
    return text
  }

  /// - Throws: `RedisError.server`, `RedisError.unexpectedReply`.
  public func integer() throws -> Int64 {
    guard case .integer(let value) = try get() else {
      throw RedisError.unexpectedReply(expected: "an integer", got: typeName)
    }
    return value
  }

  /// The elements; nil for the nil reply (an aborted EXEC, a blocking pop that timed out).
  ///
  /// - Throws: `RedisError.server`, `RedisError.unexpectedReply`.
  public func array() throws -> [Reply]? {
    switch try get() {
    case .array(let elements): elements
    case .null: nil
    default: throw RedisError.unexpectedReply(expected: "an array", got: typeName)
    }
  }

  private var typeName: String {
    switch self {
    case .string: "a string"
    case .status: "a status"
    case .integer: "an integer"
    case .array: "an array"
    case .null: "nil"
    case .error: "an error"
    }
  }
}
