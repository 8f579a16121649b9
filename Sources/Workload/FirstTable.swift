public import Primitives

/// The table that a statement names first, which is number 1 to the planner.
///
/// HypoPG (to 1.4.3 at least) leaves the columns in a hypothetical index's expressions and WHERE as they are numbered in CREATE INDEX,
/// as columns of table 1. Of any other table the planner does not see such an index, and reckoning the rows of its WHERE reads memory
/// that is not there: from PostgreSQL 17 on the server's process dies of it, and takes all others with it (HypoPG's issue 116).
public struct FirstTable: Equatable, Sendable {
  /// Nil where the statement names none.
  public let schema: String?
  public let name: String

  /// Nil where it is no table for sure: a subquery, a WITH query, one side of a UNION.
  ///
  /// - Parameter tree: of one statement, as `SQLSyntax.parse` gives it.
  public init?(_ tree: JSON) {
    guard let (kind, body) = tree.members.first else { return nil }
    var item: JSON
    switch kind {
    case "SelectStmt":
      guard body["larg"].members.isEmpty, let first = body["fromClause"].elements.first else { return nil }
      item = first
      // As deep as the parser lets a tree be.
      while !item["JoinExpr"].members.isEmpty { item = item["JoinExpr"]["larg"] }
      item = item["RangeVar"]
    case "UpdateStmt", "DeleteStmt", "MergeStmt": item = body["relation"]
    default: return nil
    }
    guard let name = item["relname"].text else { return nil }
    schema = item["schemaname"].text
    self.name = name
    let queries = body["withClause"]["ctes"].elements.map { $0["CommonTableExpr"]["ctename"].text }
    if schema == nil, kind == "SelectStmt", queries.contains(name) { return nil }
  }
}
