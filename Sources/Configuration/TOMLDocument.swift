/// A place in a text: line and column count from 1, columns count Unicode scalars.
public struct TextPosition: Sendable, Equatable, Comparable {
  /// From 1.
  public let line: Int
  /// From 1.
  public let column: Int

  /// Counts from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// By place in the text.
  public static func < (a: TextPosition, b: TextPosition) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// Why a text is not read.
enum TOMLFault: Error, Equatable {
  case malformed(TextPosition, String)
  /// Deeper than any configuration file needs; the bound keeps recursion off the end of the stack.
  case tooDeep(TextPosition)
  /// NUL ends the C strings in which values are passed on.
  case nul(TextPosition)
  /// More keys than any configuration file needs.
  case tooManyKeys(TextPosition)
}

/// A TOML text as the list of its keys, each with its value and with its line and column.
///
/// A reader of our own, because a message about a bad value must name its place and a hostile file must not bring the
/// program down: the parser that was tried (toml++ under TOMLKit 0.6.0) keeps no places of keys, and aborts in
/// assertions on malformed keys and times.
struct TOMLDocument {
  /// A key and its value, or the header of a table.
  struct Entry: Equatable {
    let path: [String]
    let key: TextPosition
    /// Of a header, the header's own position.
    let valuePosition: TextPosition
    let value: TOMLValue
  }

  /// In the order of the text; a table stands before its members.
  private(set) var entries: [Entry] = []
  private var kinds: [[String]: Kind] = [:]

  /// What a path has been used for so far.
  private enum Kind {
    case value
    case header
    case arrayOfTables
    /// Only the beginning of longer paths.
    case implied
  }

  /// Keys in one dotted path, and arrays and inline tables in each other.
  static let maxDepth = 16
  static let maxEntries = 10_000

  /// Without entries.
  init() {}

  /// Reads a whole text.
  init(_ text: [UInt8]) throws(TOMLFault) {
    var scanner = TOMLScanner(text)
    try scanner.scanDocument(into: &self)
  }

  /// Refuses a key that has been given before, or one inside something that is no table.
  mutating func claim(_ path: [String], isTable: Bool, at position: TextPosition) throws(TOMLFault) {
    if isInsideArrayOfTables(path) { return }
    guard kinds[path] == nil else { throw .malformed(position, "this key has been given before") }
    try claimParents(of: path, at: position)
    kinds[path] = isTable ? .header : .value
  }

  mutating func addTable(_ path: [String], isArray: Bool, at position: TextPosition) throws(TOMLFault) {
    if !isInsideArrayOfTables(path) {
      switch kinds[path] {
      case nil, .implied?: break
      case .arrayOfTables? where isArray: break
      case .value?, .header?, .arrayOfTables?:
        throw .malformed(position, "this table has been given before")
      }
      try claimParents(of: path, at: position)
      kinds[path] = isArray ? .arrayOfTables : .header
    }
    let value: TOMLValue = isArray ? .array([]) : .table
    try insert(Entry(path: path, key: position, valuePosition: position, value: value), at: entries.count)
  }

  mutating func insert(_ entry: Entry, at index: Int) throws(TOMLFault) {
    guard entries.count < Self.maxEntries else { throw .tooManyKeys(entry.key) }
    entries.insert(entry, at: index)
  }

  /// Each element of an array of tables begins anew; what is in them no setting holds, so nobody need keep count.
  private func isInsideArrayOfTables(_ path: [String]) -> Bool {
    (1..<max(1, path.count)).contains { length in kinds[Array(path[..<length])] == .arrayOfTables }
  }

  private mutating func claimParents(of path: [String], at position: TextPosition) throws(TOMLFault) {
    for length in 1..<max(1, path.count) {
      let parent = Array(path[..<length])
      switch kinds[parent] {
      case nil: kinds[parent] = .implied
      case .value?:
        throw .malformed(position, "this key lies inside of something that is no table")
      default: break
      }
    }
  }
}
