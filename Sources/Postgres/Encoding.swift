public import Primitives

/// A Swift value that can be sent as a parameter, in PostgreSQL's binary format.
public protocol PostgresEncodable {
  /// The parameter's type.
  static var postgresType: DataType { get }
  /// Appends the binary form. False means NULL, and nothing was appended.
  func encode(into bytes: inout [UInt8]) -> Bool
}

/// A value that can also be an element of an array parameter.
public protocol PostgresArrayElement: PostgresEncodable {
  /// The type of the array with this element.
  static var postgresArrayType: DataType { get }
}

/// Appends an integer in network byte order.
@inline(__always)
func appendBigEndian<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
  withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
}

extension Bool: PostgresArrayElement {
  public static var postgresType: DataType { .bool }
  public static var postgresArrayType: DataType { .boolArray }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    bytes.append(self ? 1 : 0)
    return true
  }
}

extension Int16: PostgresArrayElement {
  public static var postgresType: DataType { .int2 }
  public static var postgresArrayType: DataType { .int2Array }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(self, to: &bytes)
    return true
  }
}

extension Int32: PostgresArrayElement {
  public static var postgresType: DataType { .int4 }
  public static var postgresArrayType: DataType { .int4Array }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(self, to: &bytes)
    return true
  }
}

extension Int64: PostgresArrayElement {
  public static var postgresType: DataType { .int8 }
  public static var postgresArrayType: DataType { .int8Array }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(self, to: &bytes)
    return true
  }
}

extension Double: PostgresEncodable {
  public static var postgresType: DataType { .float8 }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(bitPattern, to: &bytes)
    return true
  }
}

extension String: PostgresArrayElement {
  public static var postgresType: DataType { .text }
  public static var postgresArrayType: DataType { .textArray }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    bytes.append(contentsOf: utf8)
    return true
  }
}

extension Identifier: PostgresArrayElement {
  public static var postgresType: DataType { .uuid }
  public static var postgresArrayType: DataType { .uuidArray }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(high, to: &bytes)
    appendBigEndian(low, to: &bytes)
    return true
  }
}

/// Microseconds between the Unix epoch and PostgreSQL's, 2000-01-01.
let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

extension Timestamp: PostgresArrayElement {
  public static var postgresType: DataType { .timestamptz }
  public static var postgresArrayType: DataType { .timestamptzArray }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    // Int64.min and .max mean -infinity and infinity to PostgreSQL; a clamped value stays between them.
    let (moment, overflow) = microseconds.subtractingReportingOverflow(postgresEpochMicroseconds)
    appendBigEndian(overflow ? Int64.min + 1 : max(moment, Int64.min + 1), to: &bytes)
    return true
  }
}

extension Int128: PostgresArrayElement {
  public static var postgresType: DataType { .numeric }
  public static var postgresArrayType: DataType { .numericArray }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    NumericFormat.encode(self, into: &bytes)
    return true
  }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
  public static var postgresType: DataType { Wrapped.postgresType }
  public func encode(into bytes: inout [UInt8]) -> Bool {
    self?.encode(into: &bytes) ?? false
  }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement {
  public static var postgresArrayType: DataType { Wrapped.postgresArrayType }
}

/// One dimension, lower bound 1: the layout of `array_send` in `src/backend/utils/adt/arrayfuncs.c`.
extension Array: PostgresEncodable where Element: PostgresArrayElement {
  public static var postgresType: DataType { Element.postgresArrayType }

  // Called through an existential, it would otherwise run unspecialized, element by element: a batch encodes forty
  // elements a row.
  @_specialize(where Element == Identifier)
  @_specialize(where Element == Identifier?)
  @_specialize(where Element == Int128)
  @_specialize(where Element == Int64)
  @_specialize(where Element == String)
  @_specialize(where Element == String?)
  @_specialize(where Element == Timestamp)
  public func encode(into bytes: inout [UInt8]) -> Bool {
    appendBigEndian(Int32(isEmpty ? 0 : 1), to: &bytes)
    let hasNulls = bytes.count
    appendBigEndian(Int32(0), to: &bytes)
    appendBigEndian(Element.postgresType.oid, to: &bytes)
    if isEmpty { return true }
    appendBigEndian(Int32(clamping: count), to: &bytes)
    appendBigEndian(Int32(1), to: &bytes)
    for element in self {
      let lengthAt = bytes.count
      appendBigEndian(Int32(-1), to: &bytes)
      if element.encode(into: &bytes) {
        let length = Int32(clamping: bytes.count - lengthAt - 4).bigEndian
        Swift.withUnsafeBytes(of: length) { raw in
          for offset in 0..<4 { bytes[lengthAt + offset] = raw[offset] }
        }
      } else {
        bytes[hasNulls + 3] = 1
      }
    }
    return true
  }
}

/// A value of any type in PostgreSQL's text form, for types that are known only to the server.
public struct TextValue: PostgresEncodable, Sendable {
  /// The type that the text is of.
  public let type: DataType
  let text: String

  public init(_ text: String, of type: DataType) {
    self.text = text
    self.type = type
  }

  /// Of the Swift type nothing is known; `type` counts.
  public static var postgresType: DataType { .unknown }

  public func encode(into bytes: inout [UInt8]) -> Bool {
    // In text format libpq wants a C string.
    bytes.append(contentsOf: text.utf8.prefix { $0 != 0 })
    bytes.append(0)
    return true
  }
}
