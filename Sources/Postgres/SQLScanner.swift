/// One lexical element of SQL outside comments (PostgreSQL manual, "Lexical Structure").
public enum SQLToken: Equatable, Sendable {
  /// A key word or an unquoted identifier, folded to lower case.
  case word(String)
  /// A quoted identifier, without its quotes.
  case quoted(String)
  /// A parameter: 1 for `$1`.
  case parameter(Int)
  /// A string constant of any kind, a number, or an operator: nothing that a rule here asks about.
  case other
  /// One of `( ) ; . ,`.
  case punctuation(UInt8)

  /// The name that it stands for, where it can be one.
  public var name: String? {
    switch self {
    case .word(let text), .quoted(let text): text
    case .parameter, .other, .punctuation: nil
    }
  }
}

/// Why SQL text cannot be read, and where.
public struct SQLTextError: Error {
  public let reason: String
  /// Bytes from the start of the text.
  public let offset: Int
}

/// Reads SQL text element by element, as `psql` does: quotes, dollar quotes, escapes and nested comments.
public struct SQLScanner {
  /// What `next` found.
  public enum Element {
    case token(SQLToken, Range<Int>)
    /// A `--` comment, without its line end.
    case lineComment(Range<Int>)
  }

  private let bytes: [UInt8]
  private var position = 0

  /// - Parameter start: where to begin, between two elements.
  public init(_ bytes: [UInt8], from start: Int = 0) {
    self.bytes = bytes
    position = start
  }

  /// The next element, or nil at the end. Blanks and block comments are skipped.
  public mutating func next() throws(SQLTextError) -> Element? {
    while position < bytes.count {
      let start = position
      switch bytes[position] {
      case 0x20, 0x09...0x0D: position += 1
      case UInt8(ascii: "-") where byte(at: 1) == UInt8(ascii: "-"):
        skipLine()
        return .lineComment(start..<position)
      case UInt8(ascii: "/") where byte(at: 1) == UInt8(ascii: "*"): try skipBlockComment()
      default: return .token(try token(), start..<position)
      }
    }
    return nil
  }

  private func byte(at offset: Int) -> UInt8? {
    position + offset < bytes.count ? bytes[position + offset] : nil
  }

  private mutating func token() throws(SQLTextError) -> SQLToken {
    let first = bytes[position]
    switch first {
    case UInt8(ascii: "'"):
      try skipString(isEscaped: false)
      return .other
    case UInt8(ascii: "\""): return .quoted(try quotedIdentifier())
    case UInt8(ascii: "$"):
      if let tag = dollarTag() {
        try skipDollarQuote(tag)
        return .other
      }
      return parameter()
    case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ";"), UInt8(ascii: "."), UInt8(ascii: ","):
      position += 1
      return .punctuation(first)
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      skipIdentifier()
      return .other
    case _ where Self.startsIdentifier(first): return try word()
    default:
      position += 1
      return .other
    }
  }

  /// A lone `$`, which no valid statement holds, is left to the server.
  private mutating func parameter() -> SQLToken {
    position += 1
    let start = position
    while let digit = byte(at: 0), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) { position += 1 }
    return Int(String(decoding: bytes[start..<position], as: UTF8.self)).map(SQLToken.parameter) ?? .other
  }

  private mutating func word() throws(SQLTextError) -> SQLToken {
    let start = position
    skipIdentifier()
    let text = bytes[start..<position]
    if position < bytes.count, bytes[position] == UInt8(ascii: "'"), text.count == 1 {
      let prefix = text[start] | 0x20
      // E'…' alone has backslash escapes; B'…', X'…' and N'…' are read as plain strings.
      if prefix == UInt8(ascii: "e") {
        try skipString(isEscaped: true)
        return .other
      }
    }
    // Unquoted names fold in ASCII only, as `downcase_identifier` does under UTF-8.
    let folded = text.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return .word(String(decoding: folded, as: UTF8.self))
  }

  private static func startsIdentifier(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      0x80...:
      true
    default: false
    }
  }

  private static func continuesIdentifier(_ byte: UInt8) -> Bool {
    startsIdentifier(byte) || byte == UInt8(ascii: "$")
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private mutating func skipIdentifier() {
    while position < bytes.count, Self.continuesIdentifier(bytes[position]) { position += 1 }
  }

  private mutating func skipLine() {
    while position < bytes.count, bytes[position] != 0x0A { position += 1 }
  }

  private mutating func skipBlockComment() throws(SQLTextError) {
    let start = position
    var depth = 0
    repeat {
      switch (byte(at: 0), byte(at: 1)) {
      case (UInt8(ascii: "/"), UInt8(ascii: "*")):
        depth += 1
        position += 2
      case (UInt8(ascii: "*"), UInt8(ascii: "/")):
        depth -= 1
        position += 2
      case (nil, _): throw SQLTextError(reason: "a comment is not closed", offset: start)
      default: position += 1
      }
    } while depth > 0
  }

  private mutating func skipString(isEscaped: Bool) throws(SQLTextError) {
    let start = position
    position += 1
    while true {
      guard position < bytes.count else {
        throw SQLTextError(reason: "a string is not closed", offset: start)
      }
      let current = bytes[position]
      position += 1
      if isEscaped, current == UInt8(ascii: "\\") {
        position += 1
      } else if current == UInt8(ascii: "'") {
        if byte(at: 0) == UInt8(ascii: "'") {
          position += 1
        } else if !continueString() {
          return
        }
      }
    }
  }

  /// A string goes on after blanks with a line end among them and another quote, and keeps its kind of escapes.
  private mutating func continueString() -> Bool {
    var ahead = self
    var sawLineEnd = false
    while let byte = ahead.byte(at: 0) {
      switch byte {
      case 0x0A, 0x0D:
        sawLineEnd = true
        ahead.position += 1
      case 0x20, 0x09, 0x0B, 0x0C: ahead.position += 1
      case UInt8(ascii: "-") where sawLineEnd && ahead.byte(at: 1) == UInt8(ascii: "-"): ahead.skipLine()
      case UInt8(ascii: "'") where sawLineEnd:
        position = ahead.position + 1
        return true
      default: return false
      }
    }
    return false
  }

  private mutating func quotedIdentifier() throws(SQLTextError) -> String {
    let start = position
    var name: [UInt8] = []
    position += 1
    while position < bytes.count {
      let current = bytes[position]
      position += 1
      if current == UInt8(ascii: "\"") {
        guard byte(at: 0) == UInt8(ascii: "\"") else { return String(decoding: name, as: UTF8.self) }
        position += 1
      }
      name.append(current)
    }
    throw SQLTextError(reason: "a quoted identifier is not closed", offset: start)
  }

  /// The length of `$tag$` at the position; nil where no dollar quote starts.
  private func dollarTag() -> Int? {
    var length = 1
    while let byte = byte(at: length) {
      if byte == UInt8(ascii: "$") { return length + 1 }
      let belongs = length == 1 ? Self.startsIdentifier(byte) : Self.continuesIdentifier(byte)
      guard belongs else { return nil }
      length += 1
    }
    return nil
  }

  private mutating func skipDollarQuote(_ tagLength: Int) throws(SQLTextError) {
    let start = position
    let tag = bytes[position..<position + tagLength]
    position += tagLength
    while position + tagLength <= bytes.count {
      if bytes[position] == UInt8(ascii: "$"), bytes[position..<position + tagLength].elementsEqual(tag) {
        position += tagLength
        return
      }
      position += 1
    }
    throw SQLTextError(
      reason: "a string quoted by \(String(decoding: tag, as: UTF8.self)) is not closed", offset: start)
  }
}
