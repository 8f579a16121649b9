internal import Primitives
internal import SQLSyntax

/// A statement that reads one table by one column and nothing else.
struct LookupShape: Equatable {
  struct Target: Hashable {
    let table: String
    let column: String

    var name: String { "\(table).\(column)" }
  }

  let target: Target
  /// `= ANY($1)` or `IN (…)`, not `= $1`.
  let isBatched: Bool

  /// Nil for any other statement, and for one that the grammar does not take.
  init?(_ sql: String) {
    guard sql.drop(while: \.isWhitespace).prefix(6).lowercased() == "select",
      let tree = Self.tree(of: sql), let select = tree.node, select.type == "SelectStmt",
      select.members["fromClause"].elements.count == 1,
      let table = select.members["fromClause"].elements.first?.node, table.type == "RangeVar",
      let name = table.members["relname"].text,
      let condition = select.members["whereClause"].node, condition.type == "A_Expr",
      condition.members["name"].elements.last?["String"]["sval"].text == "=",
      let column = Self.column(condition.members["lexpr"]) ?? Self.column(condition.members["rexpr"])
    else { return nil }
    switch condition.members["kind"].text {
    case "AEXPR_OP": isBatched = false
    case "AEXPR_OP_ANY", "AEXPR_IN": isBatched = true
    default: return nil
    }
    target = Target(table: name, column: column)
  }

  private static func tree(of sql: String) -> JSON? {
    do throws(SQLSyntaxError) {
      let statements = try SQLSyntax.parse(sql)
      return statements.count == 1 ? statements[0].tree : nil
    } catch {
      // A newer server knows more; what it says is no lookup for us.
      return nil
    }
  }

  private static func column(_ value: JSON) -> String? {
    guard let node = value.node, node.type == "ColumnRef" else { return nil }
    return node.members["fields"].elements.last?["String"]["sval"].text
  }
}
