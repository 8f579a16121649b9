import Glibc

/// Finds the end of HTTP/1.1 responses (RFC 9112), and what a load wants to know of them: the status, and whether the
/// connection may be used again. Everything else is passed over without being kept.
///
/// NIO's own decoder makes strings of every field, which takes longer than all else that is done for a request.
struct ResponseParser {
  /// Why bytes are no response.
  enum Fault: Error, Equatable {
    case malformed
    /// Header or trailers over ``headBytesMax``.
    case headTooLarge
  }

  /// The most that a header, or the trailers, may take.
  static let headBytesMax = 64 << 10
  /// The most interim responses before the final one.
  static let interimResponsesMax = 16

  private enum Phase: Equatable {
    case status, fields
    case body(left: Int)
    case chunkSize
    case chunk(left: Int)
    case chunkEnd, trailers
    case untilClose
    case complete
  }

  private var phase = Phase.complete
  /// The beginning of a line whose end has not come yet.
  private var partial: [UInt8] = []
  private var headBytes = 0
  private var interimResponses = 0
  private var isHead = false
  private var minorVersion: UInt8 = 1
  private var contentLength: Int?
  private var hasTransferCoding = false
  private var isChunked = false
  private var saysClose = false
  private var saysKeepAlive = false

  /// The status code of the response, 0 before it is known.
  private(set) var status = 0
  /// Whether anything of the response has come.
  private(set) var hasBegun = false
  /// Whether the response is there as a whole.
  var isComplete: Bool { phase == .complete }
  /// Whether another request may be sent behind this one.
  private(set) var keepsAlive = true

  /// Waits for the response to a new request; that to `HEAD` has no body.
  mutating func begin(isHead: Bool) {
    self.isHead = isHead
    phase = .status
    partial.removeAll(keepingCapacity: true)
    interimResponses = 0
    hasBegun = false
    resetHead()
  }

  /// Reads on, and returns how many of `bytes` belong to the response: fewer than there are only when it is complete.
  ///
  /// - Throws: ``Fault``.
  mutating func read(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    var at = 0
    if !bytes.isEmpty { hasBegun = true }
    while at < bytes.count {
      switch phase {
      case .complete: return at
      case .body(let left):
        let taken = min(left, bytes.count - at)
        at += taken
        phase = taken == left ? .complete : .body(left: left - taken)
      case .chunk(let left):
        let taken = min(left, bytes.count - at)
        at += taken
        phase = taken == left ? .chunkEnd : .chunk(left: left - taken)
      case .untilClose: at = bytes.count
      case .status, .fields, .chunkSize, .chunkEnd, .trailers:
        at += try readLine(UnsafeRawBufferPointer(rebasing: bytes[at...]))
      }
    }
    return at
  }

  /// The server has closed the connection: whether that was the end of the response, or cut it off.
  mutating func end() -> Bool {
    if phase == .untilClose { phase = .complete }
    return phase == .complete
  }

  /// Takes a line, or what is there of it.
  private mutating func readLine(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    let newline = bytes.baseAddress.flatMap { memchr($0, 0x0A, bytes.count) }
    guard let newline, let base = bytes.baseAddress else {
      try count(bytes.count)
      partial += bytes
      return bytes.count
    }
    let length = UnsafeRawPointer(newline) - base
    try count(length + 1)
    if partial.isEmpty {
      try take(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    } else {
      partial += bytes[..<length]
      let line = partial
      partial.removeAll(keepingCapacity: true)
      try line.withUnsafeBytes { try take($0) }
    }
    return length + 1
  }

  private mutating func count(_ bytes: Int) throws {
    headBytes += bytes
    if headBytes > Self.headBytesMax { throw Fault.headTooLarge }
  }

  /// A whole line, without its line feed.
  private mutating func take(_ bytes: UnsafeRawBufferPointer) throws {
    let line = bytes.last == 0x0D ? UnsafeRawBufferPointer(rebasing: bytes.dropLast()) : bytes
    switch phase {
    case .status: try takeStatus(line)
    case .fields: line.isEmpty ? try endHead() : try takeField(line)
    case .chunkSize: try takeChunkSize(line)
    case .chunkEnd:
      guard line.isEmpty else { throw Fault.malformed }
      headBytes = 0
      phase = .chunkSize
    case .trailers: if line.isEmpty { phase = .complete }
    case .body, .chunk, .untilClose, .complete: throw Fault.malformed
    }
  }

  /// `HTTP/1.1 200 OK`; the words behind the number may be missing.
  private mutating func takeStatus(_ line: UnsafeRawBufferPointer) throws {
    guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == 0x20,
      (0x30...0x31).contains(line[7]), line.count == 12 || line[12] == 0x20
    else { throw Fault.malformed }
    var number = 0
    for byte in line[9..<12] {
      guard (0x30...0x39).contains(byte) else { throw Fault.malformed }
      number = number * 10 + Int(byte & 0x0F)
    }
    guard number >= 100 else { throw Fault.malformed }
    status = number
    minorVersion = line[7] & 0x0F
    phase = .fields
  }

  private mutating func takeField(_ line: UnsafeRawBufferPointer) throws {
    // A value that goes on in a second line (obs-fold) is of no field that is read here.
    if line[0] == 0x20 || line[0] == 0x09 { return }
    switch line[0] | 0x20 {
    case UInt8(ascii: "c"):
      if let value = value(of: "content-length", in: line) { return try takeContentLength(value) }
      if let value = value(of: "connection", in: line) {
        for token in tokens(value) {
          if equals(token, "close") { saysClose = true }
          if equals(token, "keep-alive") { saysKeepAlive = true }
        }
        return
      }
    case UInt8(ascii: "t"):
      if let value = value(of: "transfer-encoding", in: line) {
        hasTransferCoding = true
        isChunked = tokens(value).last.map { equals($0, "chunked") } ?? false
        return
      }
    default: break
    }
    guard line.contains(0x3A) else { throw Fault.malformed }
  }

  /// Several equal lengths are one (RFC 9110 section 8.6); different ones are an attack or a bug.
  private mutating func takeContentLength(_ value: UnsafeRawBufferPointer) throws {
    for token in tokens(value) {
      var length = 0
      for byte in token {
        guard (0x30...0x39).contains(byte) else { throw Fault.malformed }
        let (product, isTooLarge) = length.multipliedReportingOverflow(by: 10)
        let (sum, isOver) = product.addingReportingOverflow(Int(byte & 0x0F))
        if isTooLarge || isOver { throw Fault.malformed }
        length = sum
      }
      guard !token.isEmpty, contentLength == nil || contentLength == length else { throw Fault.malformed }
      contentLength = length
    }
  }

  /// What comes behind the header (RFC 9112 section 6.3).
  private mutating func endHead() throws {
    if status < 200 {
      interimResponses += 1
      // Nobody asked for another protocol.
      guard status != 101, interimResponses <= Self.interimResponsesMax else { throw Fault.malformed }
      resetHead()
      phase = .status
      return
    }
    keepsAlive = !saysClose && (minorVersion == 1 || saysKeepAlive)
    headBytes = 0
    if isHead || status == 204 || status == 304 {
      phase = .complete
    } else if hasTransferCoding {
      // With a length as well somebody on the way may see another end than this: the connection is not used again.
      if contentLength != nil || minorVersion == 0 || !isChunked { keepsAlive = false }
      phase = isChunked ? .chunkSize : .untilClose
    } else if let contentLength {
      phase = contentLength == 0 ? .complete : .body(left: contentLength)
    } else {
      keepsAlive = false
      phase = .untilClose
    }
  }

  /// Hexadecimal digits, and extensions that mean nothing here.
  private mutating func takeChunkSize(_ line: UnsafeRawBufferPointer) throws {
    var size = 0
    var digits = 0
    for byte in line {
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte & 0x0F
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
        digit = (byte & 0x0F) + 9
      case UInt8(ascii: ";"), 0x20, 0x09:
        guard digits > 0 else { throw Fault.malformed }
        return endChunkSize(size)
      default: throw Fault.malformed
      }
      digits += 1
      guard size <= Int.max >> 4 else { throw Fault.malformed }
      size = size << 4 | Int(digit)
    }
    guard digits > 0 else { throw Fault.malformed }
    endChunkSize(size)
  }

  private mutating func endChunkSize(_ size: Int) {
    headBytes = 0
    phase = size == 0 ? .trailers : .chunk(left: size)
  }

  private mutating func resetHead() {
    status = 0
    headBytes = 0
    contentLength = nil
    hasTransferCoding = false
    isChunked = false
    saysClose = false
    saysKeepAlive = false
    keepsAlive = true
  }
}

/// The value of a field if its name is `name`, which is given in lower case.
private func value(of name: StaticString, in line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
  let length = name.utf8CodeUnitCount
  guard line.count > length, line[length] == 0x3A,
    equals(UnsafeRawBufferPointer(rebasing: line[..<length]), name)
  else { return nil }
  return UnsafeRawBufferPointer(rebasing: line[(length + 1)...])
}

/// Whether `bytes` are the letters of `word`, which is given in lower case, in any case.
private func equals(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
  guard bytes.count == word.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
  return strncasecmp(base.assumingMemoryBound(to: CChar.self), word.utf8Start, bytes.count) == 0
}

/// The parts between commas, without the blanks around them.
private func tokens(_ value: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
  value.split(separator: 0x2C, omittingEmptySubsequences: false).map { part in
    var part = part.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = part.last, last == 0x20 || last == 0x09 { part.removeLast() }
    return UnsafeRawBufferPointer(rebasing: part)
  }
}
