/// A place in a text: line and column count from 1, columns count Unicode scalars.
public struct TextPosition: Sendable, Equatable {
  /// From 1.
  public let line: Int
  /// From 1.
  public let column: Int

  /// Counts from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}

/// Where the keys of a TOML text stand. TOMLKit says what the values are but not where, and a message about a bad
/// value must name its line.
///
/// The outline is also the guard in front of the parser, which in version 0.6.0 aborts on some malformed keys, frees
/// its tree by recursion, and ends its C strings at NUL: it sees a text only when all of it is well formed, nests
/// to a bounded depth and holds no NUL.
struct TOMLOutline {
  /// A key, or the header of a table, and its value.
  struct Entry: Equatable {
    let path: [String]
    let key: TextPosition
    /// Of a table header, the header's own position.
    let value: TextPosition
  }

  /// Why the parser must not see the text.
  enum Refusal: Equatable {
    case tooDeep(TextPosition)
    case nul(TextPosition)
    case malformed(TextPosition, String)
  }

  /// In the order of the text.
  private(set) var entries: [Entry] = []
  private(set) var refusal: Refusal?

  /// Keys in one dotted path, and arrays and inline tables in each other.
  static let maxDepth = 16
  /// Entries are kept up to here; a text with more is scanned all the same.
  static let maxEntries = 10_000

  /// Scans a whole text in one pass.
  init(_ text: [UInt8]) {
    var scanner = TOMLScanner(text)
    do throws(TOMLScanner.Stop) {
      try scanner.scanDocument(into: &self)
    } catch {
      switch error {
      case .refused(let refusal): self.refusal = refusal
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
