/// One SQL statement with the types of its `$n` parameters and of its result's columns.
///
/// Declared once, as a constant beside the function that sends it. The types are part of the declaration so
/// that a test can prepare every statement on a migrated database and compare them with the server's answer:
///
/// ```swift
/// static let balance = Statement(
///   "select balance from assets where wallet_id = $1 and currency = $2",
///   parameters: [.uuid, .text], columns: [.numeric])
///
/// let rows = try session.query(balance(wallet, "USD"))
/// ```
public struct Statement: Sendable {
  public let sql: String
  public let parameters: [DataType]
  public let columns: [DataType]

  public init(_ sql: String, parameters: [DataType] = [], columns: [DataType] = []) {
    self.sql = sql
    self.parameters = parameters
    self.columns = columns
  }

  /// A question about the server itself, marked in its text: whoever lists what a server works at can leave it out.
  ///
  /// The mark stands behind the first word, because what stands before a statement need not reach `pg_stat_statements`.
  public static func inspecting(
    _ sql: String, parameters: [DataType] = [], columns: [DataType] = []
  ) -> Statement {
    let word = sql.prefix { !$0.isWhitespace }
    let marked = word + " " + inspectionMark + sql.dropFirst(word.count)
    return Statement(String(marked), parameters: parameters, columns: columns)
  }

  /// By which a server's statistics tell questions of this program from an application's work.
  public static let inspectionMark = "/* ironforge */"

  /// The statement with its values, ready to be sent.
  public func callAsFunction(_ values: any PostgresEncodable...) -> BoundStatement {
    BoundStatement(statement: self, values: values)
  }

  /// Starts a `READ COMMITTED` transaction.
  public static let begin = Statement("begin isolation level read committed")
  /// Starts a transaction that sees one snapshot and can write nothing.
  public static let beginSnapshot = Statement("begin isolation level repeatable read, read only")
  public static let commit = Statement("commit")
  public static let rollback = Statement("rollback")
  static let backendPID = Statement.inspecting("select pg_backend_pid()", columns: [.int4])
}

/// A statement and the values of its parameters.
public struct BoundStatement {
  public let statement: Statement
  public let values: [any PostgresEncodable]

  /// For statements whose parameters are counted at run time only; otherwise call the statement.
  public init(statement: Statement, values: [any PostgresEncodable]) {
    self.statement = statement
    self.values = values
  }
}
