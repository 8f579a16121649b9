/// What a cache knows of a key.
public enum CachedValue: Sendable, Hashable {
  /// The text of the value, JSON as a rule.
  case text(String)
  /// The database has no such row. Remembered, so that asking again costs nothing.
  case absent

  /// The text; nil for an absence.
  public var text: String? {
    switch self {
    case .text(let text): text
    case .absent: nil
    }
  }
}
