internal import Postgres

/// One statement of a migration file.
public struct SQLStatement: Sendable, Equatable {
  /// The text without the closing semicolon and without the comments around it.
  public let text: String
  /// Line of the first character, from 1.
  public let line: Int
  /// Column of the first character, in characters from 1.
  public let column: Int
  /// The first elements, enough to tell what kind of statement it is.
  let tokens: [SQLToken]

  public static func == (a: SQLStatement, b: SQLStatement) -> Bool {
    a.text == b.text && a.line == b.line && a.column == b.column
  }

  /// Where a position that the server reports, in characters from 1, stands in the file.
  func location(ofPosition position: Int?) -> (line: Int, column: Int) {
    guard let position else { return (line, column) }
    var place = (line: line, column: column)
    for scalar in text.unicodeScalars.prefix(max(0, position - 1)) {
      if scalar == "\n" {
        place = (place.line + 1, 1)
      } else {
        place.column += 1
      }
    }
    return place
  }
}

/// What a statement does, as far as a migration has to know.
enum StatementKind: Equatable {
  /// `BEGIN`, `COMMIT`, `ROLLBACK` and their synonyms: they would undo what IronForge promises.
  case transactionControl
  /// `CREATE INDEX CONCURRENTLY`. Nil where the statement leaves the name to the server.
  case createIndexConcurrently(index: String?, table: [String])
  case dropIndexConcurrently
  /// Another statement with `CONCURRENTLY`, such as `REINDEX`.
  case otherConcurrently
  case other
}

extension SQLStatement {
  var kind: StatementKind {
    let words = tokens.map { token in if case .word(let text) = token { text } else { "" } }
    switch words.first {
    case "begin", "commit", "abort", "end": return .transactionControl
    case "start": return words.dropFirst().first == "transaction" ? .transactionControl : .other
    case "prepare": return words.dropFirst().first == "transaction" ? .transactionControl : .other
    case "rollback":
      // ROLLBACK [WORK | TRANSACTION] TO returns to a savepoint and is harmless.
      return words.dropFirst().prefix(2).contains("to") ? .other : .transactionControl
    default: break
    }
    guard let position = words.firstIndex(of: "concurrently") else { return .other }
    let before = words[..<position]
    if before.first == "create", before.last == "index" { return creation(after: position) }
    if before == ["drop", "index"] { return .dropIndexConcurrently }
    return .otherConcurrently
  }

  /// `CREATE [UNIQUE] INDEX CONCURRENTLY [[IF NOT EXISTS] name] ON [ONLY] table`
  private func creation(after position: Int) -> StatementKind {
    var rest = tokens[(position + 1)...]
    if rest.starts(with: [.word("if"), .word("not"), .word("exists")]) { rest = rest.dropFirst(3) }
    var index: String?
    if rest.first != .word("on") {
      index = rest.first?.name
      rest = rest.dropFirst()
    }
    rest = rest.dropFirst()
    if rest.first == .word("only") { rest = rest.dropFirst() }
    var table: [String] = []
    while let name = rest.first?.name {
      table.append(name)
      rest = rest.dropFirst()
      guard rest.first == .punctuation(UInt8(ascii: ".")) else { break }
      rest = rest.dropFirst()
    }
    return .createIndexConcurrently(index: index, table: table)
  }
}
