internal import Postgres

/// Splits SQL text into statements and `-- migrate:` directives, in their order.
///
/// A semicolon ends a statement unless it stands in a string, a comment, parentheses (`CREATE RULE … DO (a; b)`)
/// or the `BEGIN ATOMIC … END` body of a function: the rules of `psql`'s scanner (`psqlscan.l`).
struct SQLSplitter {
  enum Piece {
    case statement(SQLStatement)
    /// The text behind `-- migrate:`, and its line.
    case directive(String, line: Int, insideStatement: Bool)
  }

  /// How many elements of a statement are kept to tell its kind.
  private static let keptTokens = 32
  private static let directive = Array("migrate:".utf8)

  private let bytes: [UInt8]
  private var pieces: [Piece] = []
  private var open: Range<Int>?
  private var tokens: [SQLToken] = []
  private var parentheses = 0
  private var bodies = 0
  // Lines are counted as the text is walked, from the last place that was asked for.
  private var place = (offset: 0, line: 1, column: 1)

  private init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  static func split(_ bytes: [UInt8]) throws(SQLTextError) -> [Piece] {
    var splitter = SQLSplitter(bytes)
    try splitter.run()
    return splitter.pieces
  }

  private mutating func run() throws(SQLTextError) {
    var scanner = SQLScanner(bytes)
    while let element = try scanner.next() {
      switch element {
      case .lineComment(let range):
        if let text = directive(in: range) {
          let isInside = open != nil && (parentheses > 0 || bodies > 0)
          endStatement()
          pieces.append(.directive(text, line: line(at: range.lowerBound).line, insideStatement: isInside))
        }
      case .token(.punctuation(UInt8(ascii: ";")), _) where parentheses == 0 && bodies == 0: endStatement()
      case .token(let token, let range):
        follow(token)
        open = (open?.lowerBound ?? range.lowerBound)..<range.upperBound
        if tokens.count < Self.keptTokens { tokens.append(token) }
      }
    }
    endStatement()
  }

  /// Keeps count of what hides a semicolon.
  private mutating func follow(_ token: SQLToken) {
    switch token {
    case .punctuation(UInt8(ascii: "(")): parentheses += 1
    case .punctuation(UInt8(ascii: ")")): parentheses = max(0, parentheses - 1)
    case .word(let word) where parentheses == 0 && createsRoutine:
      switch word {
      case "begin": bodies += 1
      case "case" where bodies > 0: bodies += 1
      case "end": bodies = max(0, bodies - 1)
      default: break
      }
    default: break
    }
  }

  private var createsRoutine: Bool {
    guard tokens.first == .word("create") else { return false }
    let rest = tokens.dropFirst().starts(with: [.word("or"), .word("replace")]) ? 3 : 1
    guard rest < tokens.count else { return false }
    return tokens[rest] == .word("function") || tokens[rest] == .word("procedure")
  }

  private mutating func endStatement() {
    if let range = open {
      let start = line(at: range.lowerBound)
      pieces.append(
        .statement(
          SQLStatement(
            text: String(decoding: bytes[range], as: UTF8.self), line: start.line, column: start.column,
            tokens: tokens)))
    }
    open = nil
    tokens = []
    parentheses = 0
    bodies = 0
  }

  /// A directive stands alone on its line: `-- migrate: up`.
  private func directive(in range: Range<Int>) -> String? {
    guard range.lowerBound == 0 || bytes[range.lowerBound - 1] == 0x0A else { return nil }
    guard let text = Self.directive(bytes[range]) else { return nil }
    return String(decoding: text, as: UTF8.self).split(separator: " ").joined(separator: " ")
  }

  /// What stands behind `-- migrate:` in a line; nil where it is no directive.
  private static func directive(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard line.starts(with: Array("--".utf8)) else { return nil }
    let comment = line.dropFirst(2).drop { $0 == 0x20 || $0 == 0x09 }
    return comment.starts(with: directive) ? comment.dropFirst(directive.count) : nil
  }

  /// Whether a line of the text is a directive, whatever stands around it: a script for psql has none.
  static func hasDirectives(_ text: [UInt8]) -> Bool {
    text.split(separator: 0x0A).contains { directive($0) != nil }
  }

  private mutating func line(at offset: Int) -> (line: Int, column: Int) {
    while place.offset < offset {
      let byte = bytes[place.offset]
      place.offset += 1
      if byte == 0x0A {
        place.line += 1
        place.column = 1
      } else if byte & 0xC0 != 0x80 {
        // Bytes that continue a character count no column.
        place.column += 1
      }
    }
    return (place.line, place.column)
  }
}
