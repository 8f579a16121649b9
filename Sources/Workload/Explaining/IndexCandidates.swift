public import Plans
internal import Primitives
internal import SQLSyntax

/// Indexes that may serve the conditions of a scan, as a plan prints them: columns compared for equality first, then one of a
/// range, or those of the order.
public struct IndexCandidates: Sendable {
  /// `CREATE INDEX CONCURRENTLY ON …`, the most likely first; at most six.
  public let ddl: [String]

  /// Most columns of a candidate.
  private static let columnsMax = 3

  public init(_ wish: IndexWish) {
    var found = ConditionColumns(alias: wish.alias ?? wish.relation)
    for condition in wish.conditions.prefix(8) { found.read(condition) }
    var known = ConditionColumns(alias: found.alias)
    for condition in wish.indexed.prefix(8) { known.read(condition) }
    let added = found.equal + found.range
    let inUse = known.equal.filter { !added.contains($0) }
    let order = Self.order(wish.order, found.alias)
    var lists: [[String]] = []
    // The columns that an index finds already come behind: an index of them, or led by them alone, is there.
    let equal = Array((found.equal + inUse).prefix(Self.columnsMax))
    func add(_ columns: [String]) {
      guard columns.count <= Self.columnsMax, columns.contains(where: { !inUse.contains($0) }),
        !lists.contains(columns), lists.count < 6
      else { return }
      lists.append(columns)
    }
    if !order.isEmpty { add(equal + order) }
    if let range = found.range.first { add(equal + [range]) }
    add(equal)
    if !equal.isEmpty { equal.forEach { add([$0]) } }
    found.range.forEach { add([$0]) }
    let table = (wish.schema.map { [$0, wish.relation] } ?? [wish.relation]).map(SQLSyntax.quoted).joined(
      separator: ".")
    ddl = lists.map { "CREATE INDEX CONCURRENTLY ON \(table) (\($0.joined(separator: ", ")))" }
  }

  /// Empty where a part of it is no column of the table.
  private static func order(_ text: String, _ alias: String) -> [String] {
    // EXPLAIN prints some conditions that are no SQL; no index is made of them.
    guard !text.isEmpty, text.utf8.count <= ConditionColumns.textMax,
      let statement = try? SQLSyntax.parse("select 1 from t order by \(text)").first
    else {
      return []
    }
    var columns: [String] = []
    for item in statement.tree["SelectStmt"]["sortClause"].elements {
      let sort = item["SortBy"]
      guard let column = ConditionColumns.column(sort["node"], alias) else { return [] }
      let isDescending = sort["sortby_dir"].text == "SORTBY_DESC"
      let nulls = sort["sortby_nulls"].text ?? ""
      columns.append(
        column + (isDescending ? " DESC" : "")
          + (nulls == "SORTBY_NULLS_FIRST"
            ? " NULLS FIRST" : nulls == "SORTBY_NULLS_LAST" ? " NULLS LAST" : ""))
    }
    return columns
  }
}

/// The columns of one table in conditions.
struct ConditionColumns {
  let alias: String
  private(set) var equal: [String] = []
  private(set) var range: [String] = []
  /// All that are compared with something, also in alternatives.
  private(set) var compared: [String] = []

  /// Longer texts are lists of constants or of alternatives, of which no index is made.
  static let textMax = 64 << 10

  init(alias: String) { self.alias = alias }

  mutating func read(_ condition: String) {
    guard condition.utf8.count <= Self.textMax else { return }
    // What stands for another part of the plan is a value like any other.
    var sql = condition
    for name in ["hashed SubPlan", "SubPlan", "InitPlan"] { sql = Self.blank(name, in: sql) }
    // As with an order: what is no SQL names no columns.
    guard let statement = try? SQLSyntax.parse("select 1 from t where \(sql)").first else { return }
    let clause = statement.tree["SelectStmt"]["whereClause"]
    read(clause, depth: 0)
    compare(clause, depth: 0)
  }

  private mutating func compare(_ node: JSON, depth: Int) {
    guard depth < 64, let (kind, body) = node.members.first else { return }
    let sides: [JSON] =
      switch kind {
      case "BoolExpr": body["args"].elements
      case "A_Expr": [body["lexpr"], body["rexpr"]]
      case "NullTest", "BooleanTest": [body["arg"]]
      default: []
      }
    for side in kind == "BoolExpr" ? [] : sides {
      if let column = Self.column(side, alias) { add(column, &compared) }
    }
    if kind == "BoolExpr" { for side in sides { compare(side, depth: depth + 1) } }
    if kind == "ColumnRef", let column = Self.column(node, alias) { add(column, &compared) }
  }

  /// `(SubPlan 1)` becomes `(null)`.
  private static func blank(_ name: String, in sql: String) -> String {
    var pieces = sql.split(separator: name + " ", omittingEmptySubsequences: false).map(String.init)
    guard pieces.count > 1 else { return sql }
    for index in pieces.indices.dropFirst() { pieces[index] = String(pieces[index].drop { $0.isNumber }) }
    return pieces.joined(separator: "null")
  }

  private mutating func read(_ node: JSON, depth: Int) {
    guard depth < 64, let (kind, body) = node.members.first else { return }
    switch kind {
    case "BoolExpr":
      let parts = body["args"].elements
      if body["boolop"].text == "AND_EXPR" { for part in parts { read(part, depth: depth + 1) } }
      if body["boolop"].text == "NOT_EXPR", let column = parts.first.flatMap({ Self.column($0, alias) }) {
        add(column, &equal)
      }
    case "A_Expr": readComparison(body)
    case "NullTest":
      if body["nulltesttype"].text == "IS_NULL", let column = Self.column(body["arg"], alias) {
        add(column, &equal)
      }
    case "ColumnRef": if let column = Self.column(node, alias) { add(column, &equal) }
    default: break
    }
  }

  private mutating func readComparison(_ body: JSON) {
    let name = body["name"].elements.first?["String"]
    let sign = name?["sval"].text ?? name?["str"].text ?? ""
    let left = Self.column(body["lexpr"], alias)
    let right = Self.column(body["rexpr"], alias)
    // Two columns of the same table compared with each other are no search.
    guard let column = left ?? right, left == nil || right == nil else { return }
    switch (body["kind"].text ?? "", sign) {
    case ("AEXPR_OP", "="), ("AEXPR_IN", "="), ("AEXPR_OP_ANY", "="): add(column, &equal)
    case ("AEXPR_OP", "<"), ("AEXPR_OP", ">"), ("AEXPR_OP", "<="), ("AEXPR_OP", ">="), ("AEXPR_BETWEEN", _):
      add(column, &range)
    default: break
    }
  }

  private func add(_ column: String, _ list: inout [String]) {
    if !list.contains(column) { list.append(column) }
  }

  /// The quoted name of a column of the table `alias`, with or without a cast.
  static func column(_ node: JSON, _ alias: String) -> String? {
    var node = node
    if case .object = node["TypeCast"] { node = node["TypeCast"]["arg"] }
    let fields = node["ColumnRef"]["fields"].elements.map {
      $0["String"]["sval"].text ?? $0["String"]["str"].text
    }
    guard let name = fields.last, let name else { return nil }
    if fields.count == 1 { return SQLSyntax.quoted(name) }
    return fields.count == 2 && fields[0] == alias ? SQLSyntax.quoted(name) : nil
  }
}
