internal import Postgres
public import Primitives
internal import SQLSyntax

/// A statement as `pg_stat_statements` prints it, rewritten into one that the server takes.
///
/// The server puts `$1` where a constant stood, also where its grammar takes nothing but a constant: `date $1`,
/// `interval $1 day`, `extract($1 from x)`. libpg_query's grammar takes most of these, so its tree tells what was
/// meant. Only the words at those places are changed: what the server says of the text is true of what the user wrote.
struct NormalizedText {
  /// What to send.
  private(set) var text: String
  /// The tree of `text`; null where this grammar, that of PostgreSQL 15, does not take it and a newer server may.
  private(set) var tree: JSON = .null

  /// - Parameters:
  ///   - sql: one statement.
  ///   - serverVersion: 150020 is 15.20.
  /// - Throws: `StatementNotExplainable` for what has no plan.
  init(_ sql: String, serverVersion: Int) throws(StatementNotExplainable) {
    text = sql
    try read()
    if tree == .null {
      text = Self.withoutWordsForConstants(sql)
      try read()
    }
    guard let statement = tree.node else { return }
    if let inner = try Self.query(of: statement, in: text) {
      text = inner
      try read()
    }
    try apply(constantEdits(serverVersion))
    // As many as the protocol can number.
    if tree.parameterNodes.contains(where: { !(1...65_535).contains($0.parameter ?? 0) }) {
      throw StatementNotExplainable("a parameter has a number that is not from 1 to 65535")
    }
  }

  /// Changes the text, and reads it again.
  mutating func apply(_ edits: TextEdits, serverVersion: Int) throws(StatementNotExplainable) {
    try apply(edits)
    // A parameter may stand now where a constant of a type was.
    try apply(constantEdits(serverVersion))
  }

  private mutating func apply(_ edits: TextEdits) throws(StatementNotExplainable) {
    if edits.isEmpty { return }
    text = edits.applied(to: text)
    try read()
  }

  private mutating func read() throws(StatementNotExplainable) {
    let statements: [ParsedStatement]
    do throws(SQLSyntaxError) {
      statements = try SQLSyntax.parse(text)
    } catch {
      // The server says it better, and it may know more.
      tree = .null
      return
    }
    guard let first = statements.first else { throw StatementNotExplainable("there is no statement") }
    if statements.count > 1 { throw StatementNotExplainable("it is more than one statement") }
    tree = first.tree
  }

  // MARK: Where the grammar takes constants only

  private func constantEdits(_ serverVersion: Int) -> TextEdits {
    let words = SQLWords(text)
    var edits = TextEdits()
    tree.forEachNode { node in
      switch node.type {
      case "TypeCast": words.castEdit(node, &edits)
      case "FuncCall": words.extractEdit(node, serverVersion, &edits)
      default: break
      }
      return true
    }
    return edits
  }

  /// What not even libpg_query takes: `$1 UESCAPE '!'`, of which the first word is the whole constant now, and `$1` for
  /// the name of a Unicode form, `x is $1 normalized` and `normalize(x, $1)`.
  private static func withoutWordsForConstants(_ sql: String) -> String {
    let words = SQLWords(sql)
    var edits = TextEdits()
    for index in words.all.indices where index > 0 {
      let (word, range) = words.all[index]
      let (before, beforeRange) = words.all[index - 1]
      guard case .parameter = before else { continue }
      switch word {
      case .word("uescape") where index + 1 < words.all.count:
        edits.replace(range.lowerBound..<words.all[index + 1].range.upperBound, with: "")
      case .word("normalized"): edits.replace(beforeRange, with: "nfc")
      case .punctuation(UInt8(ascii: ")")) where words.isCall("normalize", endingAt: index):
        edits.replace(beforeRange, with: "nfc")
      default: break
      }
    }
    return edits.applied(to: sql)
  }

  // MARK: Queries inside of utility statements

  /// The query inside of a `DECLARE`, `CREATE TABLE AS` or `COPY`; nil for a statement that is one itself.
  private static func query(
    of statement: SyntaxNode, in text: String
  ) throws(StatementNotExplainable) -> String? {
    let words = SQLWords(text)
    switch statement.type {
    case "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt": return nil
    case "DeclareCursorStmt": return words.text(after: "for")
    // Up to PostgreSQL 17 each EXECUTE is counted under this text.
    case "PrepareStmt": return words.text(after: "as")
    case "CreateTableAsStmt" where statement.members["query"].node?.type == "SelectStmt":
      return words.text(after: "as", until: ["with", "data"], ["with", "no", "data"])
    case "CopyStmt" where statement.members["query"].node != nil: return words.textInParentheses()
    default:
      throw StatementNotExplainable("\(words.command) has no plan")
    }
  }
}

/// Why a statement has no plan, whatever the server.
public struct StatementNotExplainable: Failure, Equatable {
  public let reason: String

  init(_ reason: String) {
    self.reason = reason
  }

  public var code: String { "statement_not_explainable" }
  public var message: String { "the statement cannot be explained: \(reason)" }
  public var hint: String? { "SELECT, INSERT, UPDATE, DELETE, MERGE and what holds one of them have plans" }
  public var kind: FailureKind { .malformedInput }
}
