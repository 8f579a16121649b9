public import Primitives

/// Why PostgreSQL's grammar does not take a text, and where.
public struct SQLSyntaxError: Failure, Equatable {
  /// The parser's sentence, such as `syntax error at or near "selct"`.
  public let reason: String
  /// Counted from 1; 0 where the parser names no place.
  public let line: Int
  /// Counted from 1 in characters; 0 where the parser names no place.
  public let column: Int

  public init(reason: String, line: Int = 0, column: Int = 0) {
    self.reason = reason
    self.line = line
    self.column = column
  }

  public var code: String { "sql_malformed" }
  public var message: String {
    line > 0
      ? "the SQL cannot be read, line \(line), column \(column): \(reason)"
      : "the SQL cannot be read: \(reason)"
  }
  public var kind: FailureKind { .malformedInput }
}
