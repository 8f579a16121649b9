/// The keys of one cache among those of other programs: `user:42` may be a row's, `user:42:cart` another program's.
public struct KeySpace: Sendable {
  /// What the keys begin with, with the colon.
  public let prefixes: [String]
  private let isRow: @Sendable (CacheKey) -> Bool

  /// - Parameters:
  ///   - prefixes: what the keys begin with, with the colon: `user:`.
  ///   - isRow: whether a key that begins like that is one of the cache. Whoever vouches for a server deletes those, and
  ///     reads and fills must keep to them.
  public init(prefixes: [String], isRow: @escaping @Sendable (CacheKey) -> Bool) {
    precondition(
      !prefixes.isEmpty && prefixes.allSatisfy { $0.hasSuffix(":") && $0.utf8.count > 1 },
      "prefixes are like \"user:\", not \(prefixes)")
    self.prefixes = prefixes
    self.isRow = isRow
  }

  /// Whether a key is one of the cache.
  func contains(_ key: CacheKey) -> Bool {
    prefixes.contains { key.text.hasPrefix($0) } && isRow(key)
  }
}
