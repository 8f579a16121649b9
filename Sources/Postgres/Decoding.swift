public import Primitives

/// A Swift value that can be read from a column of a binary result.
public protocol PostgresDecodable {
  /// The column types that it can be read from.
  static var postgresTypes: [DataType] { get }
  /// Nil when the bytes are not a value of the type, or one out of the Swift type's range.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> Self?
}

/// Reads a big-endian integer that fills the buffer exactly.
func fromBigEndian<T: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer) -> T? {
  guard bytes.count == MemoryLayout<T>.size else { return nil }
  return T(bigEndian: bytes.loadUnaligned(as: T.self))
}

extension Bool: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.bool] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Bool? {
    bytes.count == 1 ? bytes[0] != 0 : nil
  }
}

extension Int16: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.int2] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Int16? { fromBigEndian(bytes) }
}

extension Int32: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.int4] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Int32? { fromBigEndian(bytes) }
}

extension UInt32: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.oid] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> UInt32? { fromBigEndian(bytes) }
}

extension Int64: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.int8] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Int64? { fromBigEndian(bytes) }
}

extension UInt64: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.xid8] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> UInt64? { fromBigEndian(bytes) }
}

extension Double: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.float8] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Double? {
    let bits: UInt64? = fromBigEndian(bytes)
    return bits.map(Double.init(bitPattern:))
  }
}

extension String: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.text, .name, .char] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
    String(decoding: bytes, as: UTF8.self)
  }
}

extension Identifier: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.uuid] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Identifier? {
    guard bytes.count == 16 else { return nil }
    return Identifier(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}

extension Timestamp: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.timestamptz] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Timestamp? {
    guard let moment: Int64 = fromBigEndian(bytes), moment != .min, moment != .max else { return nil }
    let (microseconds, overflow) = moment.addingReportingOverflow(postgresEpochMicroseconds)
    return overflow ? nil : Timestamp(microseconds: microseconds)
  }
}

extension Int128: PostgresDecodable {
  public static var postgresTypes: [DataType] { [.numeric] }
  public static func decode(_ bytes: UnsafeRawBufferPointer) -> Int128? { NumericFormat.decode(bytes) }
}

/// One dimension without NULLs, in the layout of `array_send` in `src/backend/utils/adt/arrayfuncs.c`.
extension Array: PostgresDecodable where Element: PostgresDecodable & PostgresArrayElement {
  public static var postgresTypes: [DataType] { [Element.postgresArrayType] }

  public static func decode(_ bytes: UnsafeRawBufferPointer) -> [Element]? {
    var position = 0
    func take(_ count: Int) -> UnsafeRawBufferPointer? {
      guard count >= 0, count <= bytes.count - position else { return nil }
      defer { position += count }
      return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }
    func takeInteger() -> Int32? { take(4).flatMap { fromBigEndian($0) } }
    guard let dimensions = takeInteger(), takeInteger() != nil, let element = takeInteger(),
      UInt32(bitPattern: element) == Element.postgresType.oid
    else { return nil }
    if dimensions == 0 { return position == bytes.count ? [] : nil }
    guard dimensions == 1, let count = takeInteger(), count >= 0, takeInteger() != nil else { return nil }
    var elements: [Element] = []
    for _ in 0..<count {
      // A NULL has the length -1.
      guard let length = takeInteger(), let field = take(Int(length)), let value = Element.decode(field)
      else { return nil }
      elements.append(value)
    }
    return position == bytes.count ? elements : nil
  }
}
