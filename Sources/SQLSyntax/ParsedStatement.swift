internal import CPgQuery
internal import Glibc
public import Primitives

/// One statement as PostgreSQL's own grammar reads it.
public struct ParsedStatement: Sendable {
  /// The parse tree: an object with one member, named after the node (`SelectStmt`, `CreateStmt`, …), as in PostgreSQL's
  /// `parsenodes.h`. Members that are zero, false or empty are left out.
  public let tree: JSON
  /// The statement's text without its semicolon, comments in front of it included.
  public let text: String
  /// Where the text stands in what was parsed, in bytes. `location` members of the tree are bytes of the whole, too.
  public let bytes: Range<Int>
}

/// PostgreSQL's parser, as libpg_query took it out of the server: no connection is needed, no table has to exist.
///
/// The grammar is that of PostgreSQL 15; parameters (`$1`) may stand wherever an expression may.
public enum SQLSyntax {
  /// Reads SQL text of any number of statements.
  ///
  /// - Throws: `SQLSyntaxError`.
  public static func parse(_ sql: String) throws(SQLSyntaxError) -> [ParsedStatement] {
    try requireNoNUL(sql)
    let result = try DeepStack.run(forTextOf: sql.utf8.count) { pg_query_parse(sql) }
    defer { pg_query_free_parse_result(result) }
    if let error = result.error { throw SQLSyntaxError(error.pointee, in: sql) }
    guard let tree = result.parse_tree else { throw SQLSyntaxError(reason: "the parser gave no tree") }
    do throws(JSONError) {
      let script = try JSON(parsing: Array(UnsafeRawBufferPointer(start: tree, count: strlen(tree))))
      let bytes = Array(sql.utf8)
      return script["stmts"].elements.map { statement(of: $0, in: bytes) }
    } catch {
      // An expression nested deeper than a tree may be.
      throw SQLSyntaxError(reason: error.reason)
    }
  }

  /// A number that statements share which differ in constants and layout only (`pg_query_fingerprint`).
  ///
  /// - Throws: `SQLSyntaxError`.
  public static func fingerprint(_ sql: String) throws(SQLSyntaxError) -> UInt64 {
    try requireNoNUL(sql)
    let result = try DeepStack.run(forTextOf: sql.utf8.count) { pg_query_fingerprint(sql) }
    defer { pg_query_free_fingerprint_result(result) }
    if let error = result.error { throw SQLSyntaxError(error.pointee, in: sql) }
    return result.fingerprint
  }

  private static func statement(of raw: JSON, in sql: [UInt8]) -> ParsedStatement {
    let start = min(max(0, raw["stmt_location"].integer ?? 0), sql.count)
    // A length of zero stands for the rest of the text.
    let length = raw["stmt_len"].integer ?? 0
    let end = length > 0 && length <= sql.count - start ? start + length : sql.count
    return ParsedStatement(
      tree: raw["stmt"], text: String(decoding: sql[start..<end], as: UTF8.self), bytes: start..<end)
  }

  /// C would see the text up to there only.
  private static func requireNoNUL(_ sql: String) throws(SQLSyntaxError) {
    guard !sql.utf8.contains(0) else { throw SQLSyntaxError(reason: "the text holds a NUL byte") }
  }
}

extension SQLSyntaxError {
  fileprivate init(_ error: PgQueryError, in sql: String) {
    let reason = error.message.map { String(cString: $0) } ?? "unknown"
    // Counted from 1, in characters of UTF-8.
    let before = sql.unicodeScalars.prefix(max(0, Int(error.cursorpos) - 1))
    guard error.cursorpos > 0 else {
      self.init(reason: reason)
      return
    }
    let line = before.count { $0 == "\n" } + 1
    let column = before.reversed().prefix { $0 != "\n" }.count + 1
    self.init(reason: reason, line: line, column: column)
  }
}
