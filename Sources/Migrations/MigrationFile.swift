internal import Postgres
internal import Primitives

/// One migration: a file `NNNN_name.sql` with what to do and how to undo it.
///
/// ```sql
/// -- migrate: up
/// create table colours (name text primary key);
///
/// -- migrate: down
/// drop table colours;
/// ```
///
/// A directive is a comment alone on its line. `-- migrate: up` opens the section that applies the migration,
/// and every file has one; `-- migrate: down` opens the section that reverts it, and a file without one cannot
/// be reverted. A section runs as one transaction, together with its record. `-- migrate: no-transaction` at
/// the top of a section runs its statements one by one outside a transaction, for what PostgreSQL allows only
/// there, such as `CREATE INDEX CONCURRENTLY`; write those so that they can be repeated (`IF NOT EXISTS`).
///
/// Names without a schema mean schema `public`, whoever the role is. Settings and roles that a section sets end
/// with it. COPY from standard input is not possible.
///
/// The text must be UTF-8. A byte order mark is dropped and CRLF counts as LF, so that the same file has the
/// same checksum on every machine.
public struct MigrationFile: Sendable, Equatable {
  /// One direction of a migration.
  public struct Section: Sendable, Equatable {
    /// What to run, in order.
    public var statements: [SQLStatement] = []
    /// False under `-- migrate: no-transaction`.
    public var isTransactional = true

    /// The SHA-256 of the first `count` statements: tells whether work that was begun can be carried on.
    func digest(ofFirst count: Int) -> String {
      var hash = SHA256()
      for statement in statements.prefix(count) {
        hash.update(statement.text.utf8)
        hash.update([0])
      }
      return hash.finalize().hexadecimal
    }
  }

  /// The number that orders it.
  public let version: Int64
  /// What stands between the number and `.sql`.
  public let name: String
  /// The file's name, without its directory.
  public let fileName: String
  public let up: Section
  /// Nil where the migration cannot be reverted.
  public let down: Section?
  /// SHA-256 of what was or will be applied: the text before the down section, in hexadecimal. How to revert
  /// may be mended later.
  public let checksum: String

  /// Reads the content of one file.
  ///
  /// - Throws: `MigrationError.malformedName`, `.malformed`.
  public init(fileName: String, content: [UInt8]) throws(MigrationError) {
    guard let (version, name) = Self.parse(fileName: fileName) else {
      throw .malformedName(file: fileName)
    }
    try self.init(version: version, name: name, fileName: fileName, content: content)
  }

  /// Reads the content of a file that need not be named like a migration; it has the version 0 then.
  init(lenientName path: String, content: [UInt8]) throws(MigrationError) {
    let fileName = path.split(separator: "/").last.map(String.init) ?? path
    let (version, name) = Self.parse(fileName: fileName) ?? (0, fileName)
    try self.init(version: version, name: name, fileName: path, content: content)
  }

  private init(version: Int64, name: String, fileName: String, content: [UInt8]) throws(MigrationError) {
    self.version = version
    self.name = name
    self.fileName = fileName
    let text = try Self.normalized(content, fileName)
    var parser = SectionParser(fileName: fileName)
    try parser.parse(text)
    guard let up = parser.up else {
      throw .malformed(file: fileName, line: 1, "it has no section: -- migrate: up")
    }
    self.up = up
    down = parser.down
    checksum = SHA256.digest(of: Self.linesBefore(parser.downLine, of: text)).hexadecimal
  }

  /// `0001_create_users.sql` gives 1 and `create_users`; nil for any other shape of name.
  static func parse(fileName: String) -> (version: Int64, name: String)? {
    guard fileName.hasSuffix(".sql") else { return nil }
    let parts = fileName.dropLast(4).split(separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[1].isEmpty, parts[1].utf8.allSatisfy(isNameByte),
      (1...18).contains(parts[0].utf8.count),
      parts[0].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let version = Int64(parts[0]), version > 0
    else { return nil }
    return (version, String(parts[1]))
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
    default: false
    }
  }

  /// Without a byte-order mark and carriage returns at the ends of lines.
  ///
  /// - Throws: `malformed`, of what is no text.
  static func normalized(_ content: [UInt8], _ fileName: String) throws(MigrationError) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(content.count)
    let start = content.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    var line = 1
    for index in start..<content.count {
      let byte = content[index]
      if byte == 0x0D, index + 1 < content.count, content[index + 1] == 0x0A { continue }
      if byte == 0x0A { line += 1 }
      if byte == 0 { throw .malformed(file: fileName, line: line, "it holds a NUL byte") }
      text.append(byte)
    }
    guard String(validating: text, as: UTF8.self) != nil else {
      // No line feed is part of a longer sequence.
      let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
      let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
      throw .malformed(file: fileName, line: bad + 1, "it is not valid UTF-8")
    }
    return text
  }

  private static func linesBefore(_ line: Int?, of text: [UInt8]) -> ArraySlice<UInt8> {
    guard let line else { return text[...] }
    var current = 1
    var end = 0
    while current < line, end < text.count {
      if text[end] == 0x0A { current += 1 }
      end += 1
    }
    return text[..<end]
  }
}

/// Sorts the pieces of a file into its sections.
private struct SectionParser {
  private enum Direction { case up, down }

  let fileName: String
  var up: MigrationFile.Section?
  var down: MigrationFile.Section?
  var downLine: Int?
  private var current: Direction?

  init(fileName: String) {
    self.fileName = fileName
  }

  mutating func parse(_ text: [UInt8]) throws(MigrationError) {
    let pieces: [SQLSplitter.Piece]
    do throws(SQLTextError) {
      pieces = try SQLSplitter.split(text)
    } catch {
      let line = 1 + text.prefix(error.offset).count { $0 == 0x0A }
      throw .malformed(file: fileName, line: line, error.reason)
    }
    for piece in pieces {
      switch piece {
      case .statement(let statement): try add(statement)
      case .directive(let text, let line, let isInside):
        if isInside { throw .malformed(file: fileName, line: line, "a directive stands inside a statement") }
        try obey(text, line)
      }
    }
  }

  private mutating func obey(_ directive: String, _ line: Int) throws(MigrationError) {
    switch directive {
    case "up":
      if down != nil { throw .malformed(file: fileName, line: line, "the up section must stand first") }
      if up != nil { throw .malformed(file: fileName, line: line, "there is a second up section") }
      up = MigrationFile.Section()
      current = .up
    case "down":
      if up == nil { throw .malformed(file: fileName, line: line, "the up section must stand first") }
      if down != nil { throw .malformed(file: fileName, line: line, "there is a second down section") }
      down = MigrationFile.Section()
      downLine = line
      current = .down
    case "no-transaction":
      let section = current == .up ? up : current == .down ? down : nil
      guard section?.statements.isEmpty == true else {
        throw .malformed(
          file: fileName, line: line, "no-transaction must stand at the top of the up or the down section")
      }
      if current == .up { up?.isTransactional = false } else { down?.isTransactional = false }
    default:
      throw .malformed(
        file: fileName, line: line,
        "“\(directive)” is no directive; there are up, down and no-transaction")
    }
  }

  private mutating func add(_ statement: SQLStatement) throws(MigrationError) {
    guard let current else {
      throw .malformed(
        file: fileName, line: statement.line, "a statement stands before the line -- migrate: up")
    }
    let isTransactional = (current == .up ? up : down)?.isTransactional ?? true
    try check(statement, isTransactional)
    if current == .up { up?.statements.append(statement) } else { down?.statements.append(statement) }
  }

  private func check(_ statement: SQLStatement, _ isTransactional: Bool) throws(MigrationError) {
    let problem: String? =
      switch statement.kind {
      case .transactionControl: "a migration must not begin or end transactions itself"
      case .createIndexConcurrently where isTransactional, .dropIndexConcurrently where isTransactional,
        .otherConcurrently where isTransactional && statement.refusesTransaction:
        "CONCURRENTLY works outside transactions only; write -- migrate: no-transaction at the section's top"
      case .createIndexConcurrently(index: nil, _):
        "an index built concurrently needs a name, or it could not be found again after an interruption"
      default: nil
      }
    if let problem { throw .malformed(file: fileName, line: statement.line, problem) }
  }
}

extension SQLStatement {
  /// `REINDEX` and `DETACH PARTITION` refuse to run in a transaction; `REFRESH MATERIALIZED VIEW` does not.
  fileprivate var refusesTransaction: Bool {
    tokens.first != .word("refresh")
  }
}
