/// A 128-bit UUID, compared and sorted as PostgreSQL sorts its `uuid` type: by bytes, most significant first.
public struct Identifier: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The first eight bytes, big-endian.
  public var high: UInt64
  /// The last eight bytes, big-endian.
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The least identifier, below all that are in use.
  public static let zero = Identifier(high: 0, low: 0)

  /// The time in a UUIDv7, in whole milliseconds (RFC 9562, section 5.7).
  public var timestamp: Timestamp {
    Timestamp(microseconds: Int64(high >> 16) * 1000)
  }

  public static func < (a: Identifier, b: Identifier) -> Bool {
    a.high != b.high ? a.high < b.high : a.low < b.low
  }

  /// Parses `8-4-4-4-12` hexadecimal digits in either case; nil for anything else.
  public init?(_ text: some StringProtocol) { self.init(String(text)) }

  /// Parses `8-4-4-4-12` hexadecimal digits in either case; nil for anything else.
  public init?(_ text: String) {
    var text = text
    guard let parsed = text.withUTF8({ Self.parse($0) }) else { return nil }
    self = parsed
  }

  /// Parses `8-4-4-4-12` hexadecimal digits in ASCII, in either case; nil for anything else.
  public init?(utf8 text: ArraySlice<UInt8>) {
    guard let parsed = text.withUnsafeBufferPointer({ Self.parse($0) }) else { return nil }
    self = parsed
  }

  private static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Identifier? {
    guard text.count == 36 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    var digits = 0
    for (position, byte) in text.enumerated() {
      if position == 8 || position == 13 || position == 18 || position == 23 {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let nibble = hexadecimalValue(byte) else { return nil }
      if digits < 16 { high = high << 4 | UInt64(nibble) } else { low = low << 4 | UInt64(nibble) }
      digits += 1
    }
    return Identifier(high: high, low: low)
  }

  /// Lower-case `8-4-4-4-12`, as PostgreSQL prints it.
  public var description: String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      write(to: buffer)
      return 36
    }
  }

  /// Appends the text of ``description`` in ASCII, for rows by the million.
  public func append(to out: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { buffer in
      write(to: buffer)
      out.append(contentsOf: buffer)
    }
  }

  private func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
    var out = 0
    for index in 0..<32 {
      if index == 8 || index == 12 || index == 16 || index == 20 {
        buffer[out] = UInt8(ascii: "-")
        out += 1
      }
      let word = index < 16 ? high : low
      let nibble = UInt8(truncatingIfNeeded: word >> UInt64((15 - index % 16) * 4)) & 0xF
      buffer[out] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
      out += 1
    }
  }
}

/// The value of one hexadecimal digit in ASCII, either case; nil for any other byte.
public func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
