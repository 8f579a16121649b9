import Primitives

/// Walks over TOML 1.0 text and tells keys from values. It checks the grammar of keys, strings and brackets; what
/// is left to TOMLKit are numbers, dates and keys given twice.
struct TOMLScanner {
  enum Stop: Error {
    case refused(TOMLOutline.Refusal)
  }

  private func fail(_ reason: String) -> Stop {
    .refused(next == 0 ? .nul(position) : .malformed(position, reason))
  }

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

  mutating func scanDocument(into outline: inout TOMLOutline) throws(Stop) {
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
        outline.add(table, key: start, value: start)
      } else {
        try keyAndValue(in: table, depth: 0, into: &outline)
      }
      try skipBlanks(andLines: false)
      guard next == nil || next == UInt8(ascii: "\n") else { throw fail("expected the end of the line") }
    }
  }

  // MARK: Keys

  private mutating func keyAndValue(
    in table: [String], depth: Int, into outline: inout TOMLOutline
  ) throws(Stop) {
    try skipBlanks(andLines: false)
    let keyPosition = position
    let path = try path(after: table)
    guard try skip("=") else { throw fail("expected = after the key") }
    try skipBlanks(andLines: false)
    outline.add(path, key: keyPosition, value: position)
    try value(at: path, depth: depth, into: &outline)
  }

  private mutating func path(after table: [String]) throws(Stop) -> [String] {
    var path = table
    repeat {
      try skipBlanks(andLines: false)
      path.append(try key())
      guard path.count <= TOMLOutline.maxDepth else { throw .refused(.tooDeep(position)) }
      try skipBlanks(andLines: false)
    } while try skip(".")
    return path
  }

  private mutating func key() throws(Stop) -> String {
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

  private mutating func value(at path: [String], depth: Int, into outline: inout TOMLOutline) throws(Stop) {
    guard depth < TOMLOutline.maxDepth else { throw .refused(.tooDeep(position)) }
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      var ignored: [UInt8] = []
      try string(into: &ignored)
    case UInt8(ascii: "["):
      try advance()
      try skipBlanks(andLines: true)
      while try !skip("]") {
        try value(at: path, depth: depth + 1, into: &outline)
        try skipBlanks(andLines: true)
        if try !skip(",") && next != UInt8(ascii: "]") { throw fail("expected , or ] in an array") }
        try skipBlanks(andLines: true)
      }
    case UInt8(ascii: "{"):
      try inlineTable(at: path, depth: depth, into: &outline)
    default:
      try scalar()
    }
  }

  private mutating func inlineTable(
    at path: [String], depth: Int, into outline: inout TOMLOutline
  ) throws(Stop) {
    try advance()
    try skipBlanks(andLines: false)
    if try skip("}") { return }
    repeat {
      try keyAndValue(in: path, depth: depth + 1, into: &outline)
      try skipBlanks(andLines: false)
    } while try skip(",")
    guard try skip("}") else { throw fail("expected , or } in an inline table, which stands on one line") }
  }

  /// A number, a boolean or a date, which may hold a blank between day and time.
  private mutating func scalar() throws(Stop) {
    let start = offset
    while let byte = next {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: ":"), UInt8(ascii: "_"):
        try advance()
      case UInt8(ascii: " ") where offset == start + 10 && isDigit(at: offset - 1) && isDigit(at: offset + 1):
        try advance()
      default:
        if offset == start { throw fail("expected a value; text stands in quotes") }
        return
      }
    }
    if offset == start { throw fail("expected a value; text stands in quotes") }
  }

  private func isDigit(at index: Int) -> Bool {
    index < text.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index])
  }

  /// Any of the four kinds of string, its content with the escapes resolved.
  private mutating func string(into bytes: inout [UInt8]) throws(Stop) {
    guard let quote = next else { throw fail("expected a string") }
    let hasEscapes = quote == UInt8(ascii: "\"")
    let isLong = offset + 2 < text.count && text[offset + 1] == quote && text[offset + 2] == quote
    for _ in 0..<(isLong ? 3 : 1) { try advance() }
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
      } else {
        bytes.append(byte)
        try advance()
      }
    }
    throw fail("the string does not end")
  }

  private mutating func escape(into bytes: inout [UInt8], isLong: Bool) throws(Stop) {
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
      guard value != 0 else { throw .refused(.nul(start)) }
      guard let scalar = Unicode.Scalar(value) else { throw fail("that is no Unicode scalar value") }
      bytes.append(contentsOf: String(Character(scalar)).utf8)
    case UInt8(ascii: "\n"), UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
      // A backslash at the end of a line takes the blanks that follow with it.
      guard isLong else { throw fail("unknown escape") }
    default: throw fail("unknown escape")
    }
  }

  // MARK: The cursor

  private mutating func advance() throws(Stop) {
    guard offset < text.count else { return }
    let byte = text[offset]
    if byte == 0 { throw .refused(.nul(position)) }
    offset += 1
    if byte == UInt8(ascii: "\n") {
      line += 1
      column = 1
    } else if offset >= text.count || text[offset] & 0xC0 != 0x80 {
      // A scalar counts when its last byte has been passed.
      column += 1
    }
  }

  private mutating func skip(_ character: Unicode.Scalar) throws(Stop) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    try advance()
    return true
  }

  private mutating func skipBlanks(andLines: Bool) throws(Stop) {
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
