public import Primitives

/// Keys and their values' texts, in one buffer: a chunk of a million is no million objects.
public struct KeyedTexts: Sendable {
  /// The texts of keys and values, one after the other.
  private var bytes: [UInt8] = []
  /// Where each key and each value ends.
  private var ends: [Int] = []

  /// None.
  public init() {}

  /// How many bytes the keys and values have together.
  public var size: Int { bytes.count }

  /// Appends a key and its value.
  public mutating func append(_ key: CacheKey, _ text: String) {
    bytes.append(contentsOf: key.text.utf8)
    ends.append(bytes.count)
    bytes.append(contentsOf: text.utf8)
    ends.append(bytes.count)
  }

  /// Appends `prefix:id` and the value that `body` writes.
  ///
  /// - Throws: what `body` throws; nothing is appended then.
  public mutating func append(
    _ prefix: String, _ id: Identifier, _ body: (inout [UInt8]) throws -> Void
  ) throws {
    let start = bytes.count
    bytes.append(contentsOf: prefix.utf8)
    bytes.append(UInt8(ascii: ":"))
    id.append(to: &bytes)
    let middle = bytes.count
    do {
      try body(&bytes)
    } catch {
      bytes.removeSubrange(start...)
      throw error
    }
    ends.append(middle)
    ends.append(bytes.count)
  }
}

extension KeyedTexts: RandomAccessCollection {
  /// A key and its value's text, as bytes of the buffer.
  public struct Element: Sendable {
    /// The key in UTF-8.
    public let keyBytes: ArraySlice<UInt8>
    /// The value in UTF-8.
    public let valueBytes: ArraySlice<UInt8>

    /// The key.
    public var key: String { String(decoding: keyBytes, as: UTF8.self) }
    /// The value.
    public var text: String { String(decoding: valueBytes, as: UTF8.self) }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { ends.count / 2 }

  public subscript(position: Int) -> Element {
    let start = position == 0 ? 0 : ends[2 * position - 1]
    let middle = ends[2 * position]
    return Element(keyBytes: bytes[start..<middle], valueBytes: bytes[middle..<ends[2 * position + 1]])
  }
}
