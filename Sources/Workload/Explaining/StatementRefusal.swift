internal import Postgres
public import Primitives
internal import SQLSyntax

/// Why a user's statement cannot be explained.
public struct StatementRefusal: Failure, Equatable {
  public let code: String
  public let message: String
  public let hint: String?
  public let kind: FailureKind

  private init(_ kind: FailureKind, _ code: String, _ message: String, _ hint: String? = nil) {
    self.kind = kind
    self.code = code
    self.message = message
    self.hint = hint
  }

  static func parametersMissing(_ count: Int) -> StatementRefusal {
    StatementRefusal(
      .usage, "parameters_missing",
      "the statement has \(counted(count, "parameter")), and cannot be executed without values",
      "give a --parameter VALUE for each, in their order, or leave out --analyze for the generic plan")
  }

  static func parameterCount(given: Int, wanted: Int) -> StatementRefusal {
    StatementRefusal(
      .usage, "parameters_do_not_fit",
      "\(counted(given, "value")) given with --parameter; the statement has \(counted(wanted, "parameter"))",
      "give one --parameter VALUE for each of $1, $2, …, in their order")
  }

  /// What EXPLAIN takes (`ExplainableStmt` in PostgreSQL's grammar).
  private static let planned: Set<String> = [
    "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "DeclareCursorStmt",
    "CreateTableAsStmt", "RefreshMatViewStmt", "ExecuteStmt",
  ]

  /// A syntax error is told by the server, whose grammar may be newer than ours.
  static func requireOneStatement(_ sql: String) throws {
    guard !sql.utf8.contains(0) else { throw SQLSyntaxError(reason: "the text holds a NUL byte") }
    let statements: [ParsedStatement]
    do throws(SQLSyntaxError) { statements = try SQLSyntax.parse(sql) } catch { return }
    guard let first = statements.first else {
      throw StatementRefusal(
        .malformedInput, "statement_missing", "there is no statement in it",
        "give one statement, as an argument or with --file")
    }
    if statements.count > 1 {
      throw StatementRefusal(
        .malformedInput, "several_statements",
        "there are \(statements.count) statements; only one can be explained",
        "give one at a time")
    }
    if case .object = first.tree["ExplainStmt"] {
      throw StatementRefusal(
        .malformedInput, "explain_given", "the statement is an EXPLAIN itself",
        "give the statement without EXPLAIN; --analyze executes it")
    }
    if let kind = first.tree.members.first?.key, !planned.contains(kind) {
      let word = first.text.split { !$0.isLetter }.first.map { $0.uppercased() } ?? "it"
      throw StatementRefusal(
        .malformedInput, "statement_has_no_plan", "\(word) is a utility statement, which has no plan",
        "give a SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES")
    }
  }

  /// An error of the server with the place in the user's text.
  ///
  /// - Parameter prefix: characters that were put before the text.
  static func mapped(_ error: PostgresError, sql: String, prefix: Int) -> any Error {
    guard case .server(let server) = error else { return error }
    if server.sqlState == "25006" {
      return StatementRefusal(
        .refused, "statement_writes",
        "the statement writes, and --analyze would execute it: \(server.message)",
        "with --rollback it is executed in a transaction that is rolled back: its locks are held meanwhile, and what triggers"
          + " and sequences do outside the transaction stays")
    }
    guard server.sqlState.hasPrefix("42"), server.sqlState != "42501" else { return error }
    let place = place(server.position.map { $0 - prefix }, in: sql)
    if server.sqlState == "42601" {
      return SQLSyntaxError(reason: server.message, line: place?.line ?? 0, column: place?.column ?? 0)
    }
    let at = place.map { ", line \($0.line), column \($0.column)" } ?? ""
    return StatementRefusal(
      .malformedInput, "statement_refused", "PostgreSQL refuses the statement\(at): \(server)",
      server.hint ?? hint(server.sqlState))
  }

  private static func hint(_ state: String) -> String {
    switch state {
    case "42P01", "3F000":
      "check the name; a table whose schema is not in search_path needs it in front: schema.table"
    case "42703": "check the column's name, and that its table is named in FROM"
    case "42883":
      "check the function's or operator's name and the types that it is given; a cast may be missing"
    case "42P18", "42P08", "42P02": "give the parameter a type: $1::int"
    default: "mend the statement at that place"
    }
  }

  /// - Parameter position: in characters, from 1.
  private static func place(_ position: Int?, in sql: String) -> (line: Int, column: Int)? {
    guard let position, position > 0 else { return nil }
    let before = sql.unicodeScalars.prefix(position - 1)
    return (before.count { $0 == "\n" } + 1, before.reversed().prefix { $0 != "\n" }.count + 1)
  }
}
