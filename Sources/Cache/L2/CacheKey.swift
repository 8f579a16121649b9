public import Primitives

/// The name of a cached value: `user:42`. Any program reads the value by `GET user:42`.
public struct CacheKey: Sendable, Hashable, CustomStringConvertible {
  /// The text, which is the key in Redis.
  public let text: String

  /// 1 to 512 bytes without control characters and braces.
  ///
  /// Braces would choose the slot of a cluster otherwise than the side key's do.
  ///
  /// - Throws: `cache_key_invalid`, of kind `usage`.
  public init(_ text: String) throws(SimpleFailure) {
    let isPlain = text.utf8.allSatisfy { byte in
      byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "{") && byte != UInt8(ascii: "}")
    }
    // "ironforge" would have the registry for its side hash.
    guard isPlain, (1...512).contains(text.utf8.count), text != "ironforge" else {
      throw SimpleFailure(
        .usage, code: "cache_key_invalid",
        message: "a cache key has 1 to 512 bytes without blanks, control characters and braces",
        hint: "keys look like user:ID or wallet:ID")
    }
    self.text = text
  }

  /// The hash beside the value that holds its fences and its lease. The braces put it into the value's slot.
  public var sideKey: String { "fence:{\(text)}" }

  /// The key whose value or side hash has this name in Redis; nil where no key has.
  public static func owner(of name: [UInt8]) -> CacheKey? {
    guard var text = String(validating: name, as: UTF8.self)?[...] else { return nil }
    if text.hasPrefix("fence:{"), text.hasSuffix("}") { text = text.dropFirst(7).dropLast() }
    do {
      return try CacheKey(String(text))
    } catch {
      return nil
    }
  }

  public var description: String { text }

  /// By bytes, as Redis compares them.
  public static func == (a: CacheKey, b: CacheKey) -> Bool { isSameKey(a.text, b.text) }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
