import CHiredis

/// hiredis' parser of replies, fed with bytes as they arrive.
///
/// It takes arrays up to seven deep (hiredis 0.14); deeper ones are a protocol violation.
struct ReplyReader: ~Copyable {
  struct Malformed: Error {
    let reason: String
  }

  private let reader: UnsafeMutablePointer<redisReader>

  /// Nil when out of memory.
  init?() {
    guard let reader = redisReaderCreate() else { return nil }
    self.reader = reader
  }

  deinit {
    redisReaderFree(reader)
  }

  /// Whether nothing is left over: no bytes and no half of a reply.
  var isEmpty: Bool { reader.pointee.pos >= reader.pointee.len && reader.pointee.ridx < 0 }

  func feed(_ bytes: UnsafeRawBufferPointer) throws {
    let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
    guard redisReaderFeed(reader, start, bytes.count) == REDIS_OK else { throw malformed() }
  }

  /// The next complete reply, if it has arrived.
  func next() throws -> Reply? {
    var object: UnsafeMutableRawPointer?
    guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw malformed() }
    guard let object else { return nil }
    defer { freeReplyObject(object) }
    return try Self.reply(object.assumingMemoryBound(to: redisReply.self).pointee)
  }

  /// As deep as hiredis nests, which is seven.
  private static func reply(_ object: redisReply) throws -> Reply {
    switch object.type {
    case REDIS_REPLY_STRING: return .string(bytes(object))
    case REDIS_REPLY_STATUS: return .status(String(decoding: bytes(object), as: UTF8.self))
    case REDIS_REPLY_ERROR: return .error(ServerError(reply: String(decoding: bytes(object), as: UTF8.self)))
    case REDIS_REPLY_INTEGER: return .integer(object.integer)
    case REDIS_REPLY_NIL: return .null
    case REDIS_REPLY_ARRAY:
      var elements: [Reply] = []
      elements.reserveCapacity(object.elements)
      for index in 0..<object.elements {
        guard let element = object.element?[index] else { throw Malformed(reason: "an array with a hole") }
        elements.append(try reply(element.pointee))
      }
      return .array(elements)
    default: throw Malformed(reason: "a reply of type \(object.type)")
    }
  }

  private static func bytes(_ object: redisReply) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: object.str, count: object.len))
  }

  private func malformed() -> Malformed {
    withUnsafeBytes(of: reader.pointee.errstr) { text in
      Malformed(reason: String(decoding: text.prefix { $0 != 0 }, as: UTF8.self))
    }
  }
}
