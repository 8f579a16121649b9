/// A place in a text: line and column count from 1, columns count Unicode scalars.
public struct TextPosition: Sendable, Equatable {
  /// From 1.
  public let line: Int
  /// From 1.
  public let column: Int
}

/// Where the keys of a TOML text stand. TOMLKit says what the values are but not where, and a message about a bad
/// value must name its line.
///
/// The outline is also the guard in front of the parser: it bounds how deep a text nests, since the parser frees
/// its tree by recursion, and it refuses NUL, at which the parser's C strings end.
struct TOMLOutline {
  /// A key, or the header of a table, and its value.
  struct Entry: Equatable {
    let path: [String]
    let key: TextPosition
    /// Of a table header, the header's own position.
    let value: TextPosition
  }

  /// What no configuration file needs.
  enum Refusal: Equatable {
    case tooDeep(TextPosition)
    case nul(TextPosition)
  }

  /// In the order of the text.
  private(set) var entries: [Entry] = []
  private(set) var refusal: Refusal?
  /// How many bytes were understood; less than the whole when the text is no TOML after that line.
  private(set) var coveredBytes = 0

  /// Keys in one dotted path, and arrays and inline tables in each other.
  static let maxDepth = 16
  /// Entries are kept up to here; a text with more is scanned all the same.
  static let maxEntries = 10_000

  /// Scans a whole text in one pass.
  init(_ text: [UInt8]) {
    var scanner = TOMLScanner(text)
    do throws(TOMLScanner.Stop) {
      try scanner.scanDocument(into: &self)
      coveredBytes = text.count
    } catch {
      switch error {
      case .refused(let refusal): self.refusal = refusal
      case .notTOML:
        scanner.skipLine()
        coveredBytes = scanner.offset
      }
    }
  }

  /// The first entry at `path`; where dotted keys or nested headers only imply a table, the first one inside it.
  func entry(at path: [String]) -> Entry? {
    entries.first { $0.path == path } ?? entries.first { $0.path.starts(with: path) }
  }

  mutating func add(_ path: [String], key: TextPosition, value: TextPosition) {
    if entries.count < Self.maxEntries { entries.append(Entry(path: path, key: key, value: value)) }
  }
}
