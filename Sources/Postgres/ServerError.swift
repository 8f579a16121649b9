internal import CLibpq

/// An error or notice as the server reports it, with all its fields
/// (PostgreSQL manual, "Error and Notice Message Fields").
public struct ServerError: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
  /// `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, …, never translated.
  public var severity = ""
  /// Five characters, see Appendix A of the manual.
  public var sqlState = ""
  public var message = ""
  public var detail: String?
  public var hint: String?
  /// Position in the statement, in characters from 1.
  public var position: Int?
  public var context: String?
  public var schema: String?
  public var table: String?
  public var column: String?
  public var dataType: String?
  public var constraint: String?
  /// Where in the server's source it was raised: `file:line function`.
  public var source: String?

  public init(sqlState: String, message: String) {
    self.sqlState = sqlState
    self.message = message
  }

  init(result: OpaquePointer) {
    func field(_ code: Int32) -> String? {
      string(PQresultErrorField(result, code))
    }
    severity = field(IF_PG_DIAG_SEVERITY) ?? ""
    sqlState = field(IF_PG_DIAG_SQLSTATE) ?? ""
    message =
      field(IF_PG_DIAG_MESSAGE_PRIMARY)
      ?? string(PQresultErrorMessage(result)).map(trimmed) ?? ""
    detail = field(IF_PG_DIAG_MESSAGE_DETAIL)
    hint = field(IF_PG_DIAG_MESSAGE_HINT)
    position = field(IF_PG_DIAG_STATEMENT_POSITION).flatMap { Int($0) }
    context = field(IF_PG_DIAG_CONTEXT)
    schema = field(IF_PG_DIAG_SCHEMA_NAME)
    table = field(IF_PG_DIAG_TABLE_NAME)
    column = field(IF_PG_DIAG_COLUMN_NAME)
    dataType = field(IF_PG_DIAG_DATATYPE_NAME)
    constraint = field(IF_PG_DIAG_CONSTRAINT_NAME)
    if let file = field(IF_PG_DIAG_SOURCE_FILE) {
      source =
        "\(file):\(field(IF_PG_DIAG_SOURCE_LINE) ?? "?") \(field(IF_PG_DIAG_SOURCE_FUNCTION) ?? "")"
    }
  }

  /// Whether a COMMIT stopped waiting for its synchronous standby. The server gives that warning no SQLSTATE of its own;
  /// the function that raises it is the same in all versions.
  var isUnreplicatedCommit: Bool {
    severity == "WARNING" && sqlState == "01000" && source?.hasSuffix(" SyncRepWaitForLSN") == true
  }

  /// The message alone; the detail can hold data and is left to `debugDescription`.
  public var description: String { "\(message) (SQLSTATE \(sqlState))" }

  public var debugDescription: String {
    let fields: [(String, String?)] = [
      ("detail", detail), ("hint", hint), ("position", position.map(String.init)), ("context", context),
      ("schema", schema), ("table", table), ("column", column), ("type", dataType),
      ("constraint", constraint), ("source", source),
    ]
    return "\(severity): \(description)"
      + fields.compactMap { name, value in value.map { "\n  \(name): \($0)" } }.joined()
  }
}

/// A C string that libpq owns, copied; nil where it gave none.
func string(_ pointer: UnsafePointer<CChar>?) -> String? {
  pointer.map { String(cString: $0) }
}

/// libpq ends its messages with a line feed.
func trimmed(_ text: String) -> String {
  var text = Substring(text)
  while text.last?.isWhitespace == true { text.removeLast() }
  return String(text)
}
