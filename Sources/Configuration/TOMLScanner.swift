import Primitives

/// Reads TOML 1.0 (https://toml.io/en/v1.0.0) text in one pass. Of dates it knows only that they are dates, since no
/// setting is one.
struct TOMLScanner {
  private let text: [UInt8]
  private(set) var offset = 0
  private var line = 1
  private var column = 1

  init(_ text: [UInt8]) {
    self.text = text
    // A byte order mark is no part of the first key.
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
  }

  private var next: UInt8? { offset < text.count ? text[offset] : nil }
  private var position: TextPosition { TextPosition(line: line, column: column) }

  mutating func scanDocument(into document: inout TOMLDocument) throws(TOMLFault) {
    var table: [String] = []
    while true {
      try skipBlanks(andLines: true)
      guard let byte = next else { return }
      if byte == UInt8(ascii: "[") {
        let start = position
        try advance()
        let isArray = try skip("[")
        table = try path(after: [])
        for _ in 0..<(isArray ? 2 : 1) {
          guard try skip("]") else { throw fail("expected ] after the name of a table") }
        }
        try document.addTable(table, isArray: isArray, at: start)
      } else {
        try keyAndValue(in: table, depth: 0, into: &document)
      }
      try skipBlanks(andLines: false)
      guard next == nil || next == UInt8(ascii: "\n") else { throw fail("expected the end of the line") }
    }
  }

  // MARK: Keys

  private mutating func keyAndValue(
    in table: [String], depth: Int, into document: inout TOMLDocument
  ) throws(TOMLFault) {
    try skipBlanks(andLines: false)
    let keyPosition = position
    let path = try path(after: table)
    guard try skip("=") else { throw fail("expected = after the key") }
    try skipBlanks(andLines: false)
    let valuePosition = position
    try document.claim(path, isTable: next == UInt8(ascii: "{"), at: keyPosition)
    // A table must stand before its members, so that a reader meets it first.
    let index = document.entries.count
    let value = try value(at: path, depth: depth, into: &document)
    try document.insert(
      TOMLDocument.Entry(path: path, key: keyPosition, valuePosition: valuePosition, value: value), at: index)
  }

  private mutating func path(after table: [String]) throws(TOMLFault) -> [String] {
    var path = table
    repeat {
      try skipBlanks(andLines: false)
      path.append(try key())
      guard path.count <= TOMLDocument.maxDepth else { throw .tooDeep(position) }
      try skipBlanks(andLines: false)
    } while try skip(".")
    return path
  }

  private mutating func key() throws(TOMLFault) -> String {
    var bytes: [UInt8] = []
    if let quote = next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      try string(into: &bytes)
    } else {
      while let byte = next, isBareKey(byte) {
        bytes.append(byte)
        try advance()
      }
      guard !bytes.isEmpty else { throw fail("expected a key") }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func isBareKey(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  // MARK: Values

  private mutating func value(
    at path: [String], depth: Int, into document: inout TOMLDocument
  ) throws(TOMLFault) -> TOMLValue {
    guard depth < TOMLDocument.maxDepth else { throw .tooDeep(position) }
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      var bytes: [UInt8] = []
      try string(into: &bytes)
      return .string(String(decoding: bytes, as: UTF8.self))
    case UInt8(ascii: "["): return try array(at: path, depth: depth, into: &document)
    case UInt8(ascii: "{"):
      try inlineTable(at: path, depth: depth, into: &document)
      return .table
    default: return try scalar()
    }
  }

  private mutating func array(
    at path: [String], depth: Int, into document: inout TOMLDocument
  ) throws(TOMLFault) -> TOMLValue {
    var elements: [TOMLValue] = []
    try advance()
    try skipBlanks(andLines: true)
    while try !skip("]") {
      // Tables in an array are read for their grammar alone: no setting has any.
      var ignored = TOMLDocument()
      elements.append(try value(at: path, depth: depth + 1, into: &ignored))
      try skipBlanks(andLines: true)
      if try !skip(",") && next != UInt8(ascii: "]") { throw fail("expected , or ] in an array") }
      try skipBlanks(andLines: true)
    }
    return .array(elements)
  }

  private mutating func inlineTable(
    at path: [String], depth: Int, into document: inout TOMLDocument
  ) throws(TOMLFault) {
    try advance()
    try skipBlanks(andLines: false)
    if try skip("}") { return }
    repeat {
      try keyAndValue(in: path, depth: depth + 1, into: &document)
      try skipBlanks(andLines: false)
    } while try skip(",")
    guard try skip("}") else { throw fail("expected , or } in an inline table, which stands on one line") }
  }

  /// A number, a boolean or a date, which may hold a blank between day and time.
  private mutating func scalar() throws(TOMLFault) -> TOMLValue {
    let start = offset
    let startPosition = position
    scan: while let byte = next {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: ":"), UInt8(ascii: "_"):
        try advance()
      case UInt8(ascii: " ") where offset == start + 10 && isDigit(at: offset - 1) && isDigit(at: offset + 1):
        try advance()
      default: break scan
      }
    }
    guard let value = TOMLValue(scalar: text[start..<offset]) else {
      throw next == 0
        ? .nul(position) : .malformed(startPosition, "expected a value; text must stand in quotes")
    }
    return value
  }

  private func isDigit(at index: Int) -> Bool {
    index < text.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index])
  }

  /// Any of the four kinds of string, its content with the escapes resolved.
  private mutating func string(into bytes: inout [UInt8]) throws(TOMLFault) {
    guard let quote = next else { throw fail("expected a string") }
    let hasEscapes = quote == UInt8(ascii: "\"")
    let isLong = offset + 2 < text.count && text[offset + 1] == quote && text[offset + 2] == quote
    for _ in 0..<(isLong ? 3 : 1) { try advance() }
    if isLong {
      // A line break right after the opening quotes is no part of the string.
      if next == UInt8(ascii: "\r") { try advance() }
      _ = try skip("\n")
    }
    while let byte = next {
      if byte == quote {
        if !isLong { return try advance() }
        let run = text[offset...].prefix(6).prefix { $0 == quote }.count
        for _ in 0..<run { try advance() }
        // Up to two quotes may stand right before the closing three.
        if run >= 3 {
          guard run <= 5 else { throw fail("too many quotes") }
          return bytes.append(contentsOf: repeatElement(quote, count: run - 3))
        }
        bytes.append(contentsOf: repeatElement(quote, count: run))
      } else if byte == UInt8(ascii: "\n"), !isLong {
        throw fail("the string does not end on its line")
      } else if byte == UInt8(ascii: "\\"), hasEscapes {
        try escape(into: &bytes, isLong: isLong)
      } else if byte < 0x20 && byte != 0x09 && byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r")
        || byte == 0x7F
      {
        throw fail("control characters must be escaped")
      } else {
        bytes.append(byte)
        try advance()
      }
    }
    throw fail("the string does not end")
  }

  private mutating func escape(into bytes: inout [UInt8], isLong: Bool) throws(TOMLFault) {
    let start = position
    try advance()
    guard let letter = next else { throw fail("the string does not end") }
    try advance()
    switch letter {
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(letter)
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
      var value: UInt32 = 0
      for _ in 0..<(letter == UInt8(ascii: "u") ? 4 : 8) {
        guard let byte = next, let digit = hexadecimalValue(byte) else {
          throw fail("expected a hexadecimal digit")
        }
        value = value << 4 | UInt32(digit)
        try advance()
      }
      guard value != 0 else { throw .nul(start) }
      guard let scalar = Unicode.Scalar(value) else { throw fail("that is no Unicode scalar value") }
      bytes.append(contentsOf: String(Character(scalar)).utf8)
    case UInt8(ascii: "\n"), UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
      // A backslash at the end of a line takes the blanks that follow with it.
      guard isLong else { throw fail("unknown escape") }
      while let byte = next, [0x20, 0x09, 0x0D, 0x0A].contains(byte) { try advance() }
    default: throw fail("unknown escape")
    }
  }

  // MARK: The cursor

  private func fail(_ reason: String) -> TOMLFault {
    next == 0 ? .nul(position) : .malformed(position, reason)
  }

  private mutating func advance() throws(TOMLFault) {
    guard offset < text.count else { return }
    let byte = text[offset]
    if byte == 0 { throw .nul(position) }
    offset += 1
    if byte == UInt8(ascii: "\n") {
      line += 1
      column = 1
    } else if offset >= text.count || text[offset] & 0xC0 != 0x80 {
      // A scalar counts when its last byte has been passed.
      column += 1
    }
  }

  private mutating func skip(_ character: Unicode.Scalar) throws(TOMLFault) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    try advance()
    return true
  }

  private mutating func skipBlanks(andLines: Bool) throws(TOMLFault) {
    while let byte = next {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"): try advance()
      // A carriage return counts as part of the line's end and as nothing else.
      case UInt8(ascii: "\r") where offset + 1 < text.count && text[offset + 1] == UInt8(ascii: "\n"):
        try advance()
      case UInt8(ascii: "\n") where andLines: try advance()
      case UInt8(ascii: "#"):
        while let comment = next, comment != UInt8(ascii: "\n") {
          try advance()
        }
      default: return
      }
    }
  }
}
