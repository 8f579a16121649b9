/// A place in JSON text that breaks its grammar (RFC 8259), and how.
public struct JSONError: Failure, Equatable {
  /// Counted from 1.
  public let line: Int
  /// Characters of the line up to the place, counted from 1.
  public let column: Int
  /// What is wrong, without the place.
  public let reason: String

  public var code: String { "json_malformed" }
  public var message: String { "line \(line), column \(column): \(reason)" }
  public var kind: FailureKind { .malformedInput }
}

/// Takes JSON apart, token by token, by the letter of RFC 8259: no comments, no trailing commas, no text behind the
/// value. Numbers keep their text, so that `12.50` is not rounded; strings must be UTF-8.
///
/// ```swift
/// var scanner = JSONScanner(bytes)
/// while let token = try scanner.next() {
///   if token == .number { print(scanner.string) }
/// }
/// ```
///
/// It keeps one byte for each open bracket, and refuses more than `depthMax` of them. Whether a key stands twice in an
/// object is for the caller to see, who alone may need memory for that.
public struct JSONScanner {
  public enum Token: Sendable, Equatable {
    case beginObject, endObject, beginArray, endArray
    /// The name of a member; its value follows. `text` holds it.
    case key
    /// `text` holds it, without quotes and escapes.
    case string
    /// `text` holds it as it was written.
    case number
    case bool(Bool)
    case null
  }

  /// The most arrays and objects inside one another.
  public static let depthMax = 512

  /// The last key, string or number, as UTF-8.
  public private(set) var text: [UInt8] = []

  private let bytes: [UInt8]
  private let start: Int
  private let end: Int
  private var position: Int
  /// Where the last token began.
  private var tokenStart: Int
  private var open: [Bracket] = []
  private var expected = Expectation.value

  private enum Bracket { case array, object }

  private enum Expectation {
    case value
    /// Behind `[`: a value or the end.
    case firstElement
    /// Behind `{`: a key or the end.
    case firstKey
    case key
    /// Behind a value: a comma or the end of what it stands in.
    case separator
    /// Behind the whole: nothing.
    case end
  }

  /// For a piece of `bytes`; line and column of errors are counted from its beginning.
  public init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
    self.bytes = bytes
    start = range?.lowerBound ?? 0
    end = range?.upperBound ?? bytes.count
    position = start
    tokenStart = start
  }

  /// `text` as a string.
  public var string: String { String(decoding: text, as: UTF8.self) }

  /// The next token; nil behind the whole value.
  ///
  /// - Throws: `JSONError`; nothing sensible follows then.
  public mutating func next() throws(JSONError) -> Token? {
    skipBlanks()
    if expected == .separator { try separate() }
    tokenStart = position
    switch expected {
    case .end:
      guard position == end else { throw error("text stands behind the value") }
      return nil
    case .firstElement where peek() == Self.closeBracket: return close(.endArray)
    case .firstKey where peek() == Self.closeBrace: return close(.endObject)
    case .firstKey, .key: return try key()
    case .separator: return try end(ofBracket: peek())
    case .value, .firstElement: return try value()
    }
  }

  /// An error at the last token, for callers who find that it is not what they need.
  public func error(_ reason: String) -> JSONError { error(reason, at: tokenStart) }

  // MARK: Structure

  /// Takes the comma between two values; without one the end of a bracket must follow.
  private mutating func separate() throws(JSONError) {
    guard peek() == Self.comma else { return }
    position += 1
    skipBlanks()
    expected = open.last == .object ? .key : .value
  }

  private mutating func end(ofBracket byte: UInt8?) throws(JSONError) -> Token {
    switch (open.last, byte) {
    case (.array?, Self.closeBracket?): return close(.endArray)
    case (.object?, Self.closeBrace?): return close(.endObject)
    case (.array?, _): throw error("expected , or ]", at: position)
    default: throw error("expected , or }", at: position)
    }
  }

  private mutating func close(_ token: Token) -> Token {
    position += 1
    open.removeLast()
    expected = open.isEmpty ? .end : .separator
    return token
  }

  private mutating func enter(_ bracket: Bracket) throws(JSONError) {
    guard open.count < Self.depthMax else {
      throw error("more than \(Self.depthMax) arrays and objects inside one another", at: position)
    }
    position += 1
    open.append(bracket)
    expected = bracket == .array ? .firstElement : .firstKey
  }

  private mutating func key() throws(JSONError) -> Token {
    guard peek() == Self.quote else { throw error("expected a name in double quotes", at: position) }
    try readString()
    skipBlanks()
    guard peek() == Self.colon else { throw error("expected : behind the name", at: position) }
    position += 1
    expected = .value
    return .key
  }

  private mutating func value() throws(JSONError) -> Token {
    guard let byte = peek() else { throw error("expected a value, and the text ends", at: position) }
    switch byte {
    case Self.openBrace:
      try enter(.object)
      return .beginObject
    case Self.openBracket:
      try enter(.array)
      return .beginArray
    case Self.quote:
      try readString()
      return finished(.string)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try readNumber()
      return finished(.number)
    case UInt8(ascii: "t"):
      try readWord("true")
      return finished(.bool(true))
    case UInt8(ascii: "f"):
      try readWord("false")
      return finished(.bool(false))
    case UInt8(ascii: "n"):
      try readWord("null")
      return finished(.null)
    default: throw error("expected a value", at: position)
    }
  }

  private mutating func finished(_ token: Token) -> Token {
    expected = open.isEmpty ? .end : .separator
    return token
  }

  // MARK: Words, numbers, strings

  private mutating func readWord(_ word: StaticString) throws(JSONError) {
    let length = word.utf8CodeUnitCount
    let isSame =
      position + length <= end
      && bytes[position..<position + length].elementsEqual(
        UnsafeBufferPointer(start: word.utf8Start, count: length))
    guard isSame else { throw error("expected a value", at: position) }
    position += length
  }

  private mutating func readNumber() throws(JSONError) {
    let first = position
    if peek() == UInt8(ascii: "-") { position += 1 }
    if peek() == UInt8(ascii: "0") {
      position += 1
      if let byte = peek(), Self.isDigit(byte) {
        throw error("a number has no zeros in front", at: position - 1)
      }
    } else {
      try readDigits()
    }
    if peek() == UInt8(ascii: ".") {
      position += 1
      try readDigits()
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      position += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      try readDigits()
    }
    text.removeAll(keepingCapacity: true)
    text.append(contentsOf: bytes[first..<position])
  }

  private mutating func readDigits() throws(JSONError) {
    guard let byte = peek(), Self.isDigit(byte) else { throw error("expected a digit", at: position) }
    repeat { position += 1 } while peek().map(Self.isDigit) ?? false
  }

  private mutating func readString() throws(JSONError) {
    let first = position
    position += 1
    text.removeAll(keepingCapacity: true)
    var isASCII = true
    while true {
      let run = position
      var byte: UInt8 = 0
      while position < end {
        byte = bytes[position]
        if byte == Self.quote || byte == Self.backslash || byte < 0x20 { break }
        if byte >= 0x80 { isASCII = false }
        position += 1
      }
      text.append(contentsOf: bytes[run..<position])
      guard position < end else { throw error("the string is not closed", at: first) }
      switch byte {
      case Self.quote:
        position += 1
        guard isASCII || String(validating: text, as: UTF8.self) != nil else {
          throw error("the string is not valid UTF-8", at: first)
        }
        return
      case Self.backslash: try readEscape()
      default: throw error("a control character in a string must be escaped", at: position)
      }
    }
  }

  private mutating func readEscape() throws(JSONError) {
    let first = position
    position += 1
    guard let letter = peek() else { throw error("the string is not closed", at: first) }
    position += 1
    switch letter {
    case Self.quote, Self.backslash, UInt8(ascii: "/"): text.append(letter)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try readUnit(first)
      // RFC 8259, section 7: a character outside the basic plane is a pair of surrogates.
      if (0xD800..<0xDC00).contains(unit), peek() == Self.backslash, position + 1 < end,
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try readUnit(first)
        guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair", at: first) }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw error("half of a surrogate pair", at: first) }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw error("unknown escape", at: first)
    }
  }

  private mutating func readUnit(_ first: Int) throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = hexadecimalValue(byte) else {
        throw error("\\u wants four hexadecimal digits", at: first)
      }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }

  private func peek() -> UInt8? { position < end ? bytes[position] : nil }

  private mutating func skipBlanks() {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private func error(_ reason: String, at place: Int) -> JSONError {
    var line = 1
    var column = 1
    for byte in bytes[start..<min(place, end)] {
      if byte == 0x0A {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {
        // Bytes that go on with a character are not counted.
        column += 1
      }
    }
    return JSONError(line: line, column: column, reason: reason)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  private static let quote = UInt8(ascii: "\"")
  private static let backslash = UInt8(ascii: "\\")
  private static let comma = UInt8(ascii: ",")
  private static let colon = UInt8(ascii: ":")
  private static let openBracket = UInt8(ascii: "[")
  private static let closeBracket = UInt8(ascii: "]")
  private static let openBrace = UInt8(ascii: "{")
  private static let closeBrace = UInt8(ascii: "}")
}
