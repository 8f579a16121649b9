/// Takes CSV apart (RFC 4180) as a stream, with memory for one record.
///
/// Lines end in LF or CRLF. A field may be quoted; inside, quotes are doubled and lines may end. A byte order mark at
/// the start is dropped and empty lines are skipped. What the format leaves open is refused and never guessed: a
/// quote inside an unquoted field, text behind a closing quote, a lone CR, NUL. Whether the text is UTF-8 is for the
/// caller to see, field by field.
public struct CSVParser {
  /// The largest record, in bytes: whoever forgets a closing quote gets an error, and memory stays bounded.
  public static let recordSizeMax = 1 << 20
  /// The most fields of a record.
  public static let fieldCountMax = 1000

  /// The line, from 1, on which the last record began.
  public private(set) var line = 1
  private let name: String
  private let read: (UnsafeMutableRawBufferPointer) throws -> Int
  private var buffer = [UInt8](repeating: 0, count: 128 * 1024)
  private var position = 0
  private var limit = 0
  private var isAtStart = true
  private var isAtEnd = false
  /// Lines that ended so far, and the one that is being read.
  private var currentLine = 1
  /// The fields of the record without quotes, one behind the other.
  private var record: [UInt8] = []
  private var fieldEnds: [Int] = []

  /// - Parameters:
  ///   - name: the file, for errors.
  ///   - read: fills the front of the buffer and returns how many bytes it did; 0 at the end.
  public init(name: String, read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) {
    self.name = name
    self.read = read
  }

  /// How many fields the last record has.
  public var fieldCount: Int { fieldEnds.count }

  /// One field of the last record, without quotes.
  public func field(_ index: Int) -> ArraySlice<UInt8> {
    record[(index == 0 ? 0 : fieldEnds[index - 1])..<fieldEnds[index]]
  }

  /// Reads the next record.
  ///
  /// - Returns: false at the end.
  /// - Throws: `InputError`, and what `read` throws.
  public mutating func next() throws -> Bool {
    if isAtStart { try skipByteOrderMark() }
    repeat {
      record.removeAll(keepingCapacity: true)
      fieldEnds.removeAll(keepingCapacity: true)
      line = currentLine
      guard try peek() != nil else { return false }
      while try readField() {}
    } while fieldEnds.count == 1 && record.isEmpty
    return true
  }

  /// Reads one field with the separator behind it. False when it was the record's last.
  private mutating func readField() throws -> Bool {
    guard fieldEnds.count < Self.fieldCountMax else {
      throw error("more than \(Self.fieldCountMax) fields")
    }
    if try peek() == Self.quote {
      position += 1
      try readQuoted()
    } else {
      try readPlain()
    }
    fieldEnds.append(record.count)
    guard let separator = try peek() else { return false }
    position += 1
    switch separator {
    case Self.comma: return true
    case Self.lineFeed:
      currentLine += 1
      return false
    case Self.carriageReturn:
      guard try peek() == Self.lineFeed else { throw error("a carriage return without a line feed") }
      position += 1
      currentLine += 1
      return false
    default: throw error("text stands behind a closing quote")
    }
  }

  private mutating func readPlain() throws {
    while try peek() != nil {
      let start = position
      let stop = scan { $0 <= Self.comma && Self.endsPlainField($0) }
      try keep(start..<position)
      switch stop {
      case nil: continue
      case Self.quote:
        throw error("a quote stands inside a field that is not quoted; double it and quote the field")
      case 0: throw error("it holds a NUL byte")
      default: return
      }
    }
  }

  private mutating func readQuoted() throws {
    while try peek() != nil {
      let start = position
      let stop = scan { $0 <= Self.quote && ($0 == Self.quote || $0 == Self.lineFeed || $0 == 0) }
      try keep(start..<position)
      switch stop {
      case nil: continue
      case 0: throw error("it holds a NUL byte")
      case Self.lineFeed:
        try keep(position..<position + 1)
        position += 1
        currentLine += 1
      default:
        position += 1
        guard try peek() == Self.quote else { return }
        try keep(position..<position + 1)
        position += 1
      }
    }
    throw error("a quoted field is not closed")
  }

  /// Moves on to the next byte in the buffer that `isStop` accepts, and returns it; nil at the buffer's end.
  @inline(__always)
  private mutating func scan(_ isStop: (UInt8) -> Bool) -> UInt8? {
    let (start, end) = (position, limit)
    let (stop, place) = buffer.withUnsafeBufferPointer { bytes -> (UInt8?, Int) in
      for place in start..<end where isStop(bytes[place]) { return (bytes[place], place) }
      return (nil, end)
    }
    position = place
    return stop
  }

  private static func endsPlainField(_ byte: UInt8) -> Bool {
    switch byte {
    case comma, lineFeed, carriageReturn, quote, 0: true
    default: false
    }
  }

  private mutating func keep(_ range: Range<Int>) throws {
    guard record.count + range.count <= Self.recordSizeMax else {
      throw error("the record is larger than \(Self.recordSizeMax) bytes; is a quote not closed?")
    }
    record.append(contentsOf: buffer[range])
  }

  /// The byte at the position, after reading on where needed; nil at the end.
  private mutating func peek() throws -> UInt8? {
    if position < limit { return buffer[position] }
    if isAtEnd { return nil }
    position = 0
    limit = try buffer.withUnsafeMutableBytes { try read($0) }
    isAtEnd = limit == 0
    return isAtEnd ? nil : buffer[0]
  }

  private mutating func skipByteOrderMark() throws {
    isAtStart = false
    for (index, byte) in [UInt8](arrayLiteral: 0xEF, 0xBB, 0xBF).enumerated() {
      guard try peek() == byte else {
        if index > 0 { throw error("it is not valid UTF-8") }
        return
      }
      position += 1
    }
  }

  private func error(_ reason: String) -> InputError { InputError(file: name, line: line, reason) }

  private static let quote = UInt8(ascii: "\"")
  private static let comma = UInt8(ascii: ",")
  private static let lineFeed: UInt8 = 0x0A
  private static let carriageReturn: UInt8 = 0x0D
}
