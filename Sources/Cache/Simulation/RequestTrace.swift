public import Primitives

/// A trace of requests: each key by the order of its first request, from 0.
public struct RequestTrace: Sendable {
  /// The keys in the order in which they were asked for.
  public private(set) var requests: [UInt32] = []
  /// The texts of the keys.
  public private(set) var keys: [String] = []
  private var numbers: [TraceKey: UInt32] = [:]

  /// The longest key, in bytes.
  static let keySizeMax = 1 << 16

  /// An empty trace.
  public init() {}

  /// Reads a trace: one key a line, in UTF-8. Lines end in LF or CRLF, empty ones are skipped.
  ///
  /// - Throws: `InputError` for a line that is not UTF-8 or longer than 64 KiB; `input_unreadable`.
  public init(reading file: InputFile) throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    var line: [UInt8] = []
    var lineNumber = 1
    while true {
      let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { break }
      var rest = buffer[..<count]
      while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        line += rest[..<end]
        try append(line, file.name, lineNumber)
        line.removeAll(keepingCapacity: true)
        lineNumber += 1
        rest = rest[(end + 1)...]
      }
      line += rest
      guard line.count <= Self.keySizeMax else { throw Self.tooLong(file.name, lineNumber) }
    }
    try append(line, file.name, lineNumber)
  }

  /// Adds a request.
  public mutating func append(_ key: String) {
    if let number = numbers[TraceKey(text: key)] {
      requests.append(number)
      return
    }
    let number = UInt32(keys.count)
    numbers[TraceKey(text: key)] = number
    keys.append(key)
    requests.append(number)
  }

  private mutating func append(_ line: [UInt8], _ file: String, _ number: Int) throws(InputError) {
    let bytes = line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...]
    if bytes.isEmpty { return }
    guard bytes.count <= Self.keySizeMax else { throw Self.tooLong(file, number) }
    guard let key = String(validating: bytes, as: UTF8.self) else {
      throw InputError(file: file, line: number, "the key is not valid UTF-8")
    }
    append(key)
  }

  private static func tooLong(_ file: String, _ line: Int) -> InputError {
    InputError(file: file, line: line, "the key is longer than \(keySizeMax) bytes")
  }
}

/// A key that is its bytes, whatever Unicode says of equivalence.
private struct TraceKey: Hashable {
  let text: String

  static func == (a: TraceKey, b: TraceKey) -> Bool { isSameKey(a.text, b.text) }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
