/// Commands that are encoded as they are appended, for a hundred thousand keys a second: no object a command, and no copy
/// between the caller's bytes and the socket's.
///
/// ```swift
/// var buffer = CommandBuffer()
/// for row in rows {
///   buffer.begin(words: 5)
///   buffer.append("SET")
///   buffer.append(row.key)
///   buffer.append(row.value)
///   buffer.append("PX")
///   buffer.append(60_000)
/// }
/// try session.run(buffer, isIdempotent: true) { index, reply in … }
/// ```
public struct CommandBuffer: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where each command begins.
  private var starts: [Int] = []
  private var wordsMissing = 0

  /// None; with room for so many bytes on the wire.
  public init(capacity: Int = 0) {
    bytes.reserveCapacity(capacity)
  }

  /// Begins a command of so many words, its name included; exactly as many appends must follow.
  public mutating func begin(words: Int) {
    precondition(wordsMissing == 0, "a command lacks \(wordsMissing) words")
    starts.append(bytes.count)
    wordsMissing = words
    appendHeader(UInt8(ascii: "*"), words)
  }

  /// A word that is a constant.
  public mutating func append(_ word: StaticString) {
    appendHeader(UInt8(ascii: "$"), word.utf8CodeUnitCount)
    bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    finishWord()
  }

  /// A word of bytes.
  public mutating func append(_ word: ArraySlice<UInt8>) {
    appendHeader(UInt8(ascii: "$"), word.count)
    bytes.append(contentsOf: word)
    finishWord()
  }

  /// A number in decimal.
  public mutating func append(_ number: Int) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      let start = Self.write(number, to: digits)
      appendHeader(UInt8(ascii: "$"), digits.count - start)
      bytes.append(contentsOf: digits[start...])
    }
    finishWord()
  }

  /// Where each command ends.
  var ends: [Int] {
    precondition(wordsMissing == 0, "a command lacks \(wordsMissing) words")
    return starts.dropFirst() + (starts.isEmpty ? [] : [bytes.count])
  }

  private mutating func finishWord() {
    precondition(wordsMissing > 0, "a command has a word too many")
    wordsMissing -= 1
    bytes.append(UInt8(ascii: "\r"))
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func appendHeader(_ mark: UInt8, _ count: Int) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { header in
      let digits = UnsafeMutableBufferPointer(rebasing: header[2..<22])
      let start = Self.write(count, to: digits) + 1
      header[start] = mark
      header[22] = UInt8(ascii: "\r")
      header[23] = UInt8(ascii: "\n")
      bytes.append(contentsOf: header[start...])
    }
  }

  /// Writes decimal digits to the end of `buffer`, which has room for 20 bytes, and returns where they begin.
  private static func write(_ number: Int, to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var rest = number.magnitude
    var start = buffer.count
    repeat {
      start -= 1
      buffer[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    if number < 0 {
      start -= 1
      buffer[start] = UInt8(ascii: "-")
    }
    return start
  }
}

extension Session {
  /// Runs the commands of a buffer, none of which is a script, in one pipeline; see
  /// ``pipeline(_:isIdempotent:deadline:onReply:)``. The time-out applies from reply to reply.
  ///
  /// - Throws: `RedisError`; what `onReply` throws.
  public func run(
    _ buffer: CommandBuffer, isIdempotent: Bool = false, onReply: (Int, Reply) throws -> Void
  ) throws {
    var replies: [Reply] = []
    replies.reserveCapacity(buffer.ends.count)
    do {
      try transmit(
        EncodedCommands(bytes: buffer.bytes, ends: buffer.ends), isIdempotent: isIdempotent, deadline: nil,
        replies: &replies)
    } catch {
      for (index, reply) in replies.enumerated() { try onReply(index, reply) }
      throw error
    }
    for (index, reply) in replies.enumerated() { try onReply(index, reply) }
  }
}
