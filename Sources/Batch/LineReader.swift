internal import Primitives

/// Takes a stream of bytes apart into lines, which end in LF or CRLF, with memory for one line.
struct LineReader {
  /// Of the last line, from 1.
  private(set) var line = 0
  private let name: String
  private let lineSizeMax: Int
  private let read: ByteSource
  private var buffer = [UInt8](repeating: 0, count: 128 * 1024)
  /// What was read and not handed over yet.
  private var unread = 0..<0
  private var current = 0..<0
  private var isAtEnd = false

  init(name: String, lineSizeMax: Int, read: @escaping ByteSource) {
    self.name = name
    self.lineSizeMax = lineSizeMax
    self.read = read
  }

  /// Whether the last line holds nothing but blanks.
  var isBlank: Bool { buffer[current].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

  /// For the JSON on the last line.
  func scanner() -> JSONScanner { JSONScanner(buffer, in: current) }

  /// Reads the next line, without its end; false behind the last one.
  ///
  /// - Throws: `InputError` for a line that is too long, and what the source throws.
  mutating func next() throws -> Bool {
    line += 1
    var searched = 0
    while true {
      let rest = unread.lowerBound + searched..<unread.upperBound
      if let end = buffer[rest].firstIndex(of: 0x0A) {
        take(unread.lowerBound..<end)
        unread = end + 1..<unread.upperBound
        return true
      }
      searched = unread.count
      guard searched <= lineSizeMax else {
        throw InputError(file: name, line: line, "the line is longer than \(lineSizeMax) bytes")
      }
      if isAtEnd {
        let isLine = !unread.isEmpty
        take(unread)
        unread = unread.upperBound..<unread.upperBound
        return isLine
      }
      try readOn()
    }
  }

  /// A byte order mark in front of the first line is dropped.
  private mutating func take(_ range: Range<Int>) {
    let hasMark = line == 1 && buffer[range].starts(with: [0xEF, 0xBB, 0xBF])
    current = hasMark ? range.lowerBound + 3..<range.upperBound : range
  }

  private mutating func readOn() throws {
    let kept = unread.count
    if unread.lowerBound > 0 {
      buffer.withUnsafeMutableBytes { bytes in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[unread])
        bytes.copyMemory(from: rest)
      }
    }
    if kept == buffer.count { buffer.append(contentsOf: [UInt8](repeating: 0, count: buffer.count)) }
    let count = try buffer.withUnsafeMutableBytes { bytes in
      try read(UnsafeMutableRawBufferPointer(rebasing: bytes[kept...]))
    }
    unread = 0..<kept + count
    isAtEnd = count == 0
  }
}
