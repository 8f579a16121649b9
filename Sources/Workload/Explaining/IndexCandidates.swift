public import Plans
internal import Primitives
internal import SQLSyntax

/// Indexes that may serve the conditions of a scan, as a plan prints them: keys compared for equality first, then one of a range, or
/// those of the order. A key is a column or an expression.
public struct IndexCandidates: Sendable {
  /// What stands behind the table's name in CREATE INDEX, from the brackets on; the most likely first, at most six. Where there are
  /// several in one they serve the sides of an OR, and help together only.
  public let options: [[String]]

  /// Most keys of a candidate.
  private static let keysMax = 3
  private static let optionsMax = 6

  public init(_ wish: IndexWish) {
    var found = ConditionColumns(wish)
    for condition in wish.conditions.prefix(8) { found.read(condition) }
    var known = ConditionColumns(wish)
    for condition in wish.indexed.prefix(8) { known.read(condition) }
    let added = found.equal + found.range
    let inUse = known.equal.filter { !added.contains($0) }
    let order = Self.order(wish)
    var lists: [[String]] = []
    // The columns that an index finds already come behind: an index of them, or led by them alone, is there.
    let equal = Array((found.equal + inUse).prefix(Self.keysMax))
    func add(_ keys: [String]) {
      guard keys.count <= Self.keysMax, keys.contains(where: { !inUse.contains($0) }), !lists.contains(keys)
      else { return }
      lists.append(keys)
    }
    if !order.isEmpty { add(equal + order) }
    if let range = found.range.first { add(equal + [range]) }
    add(equal)
    if !equal.isEmpty { equal.forEach { add([$0]) } }
    found.range.forEach { add([$0]) }
    var options = lists.map { [Self.body($0)] }
    if !found.alternatives.isEmpty {
      let sides = found.alternatives.map { Self.body(Array($0.prefix(Self.keysMax))) }
      options.insert(
        sides.enumerated().filter { !sides[..<$0.offset].contains($0.element) }.map(\.element), at: 0)
    }
    self.options = Array(options.prefix(Self.optionsMax))
  }

  /// Whether a key of it is no column.
  static func hasExpression(_ body: String) -> Bool { body.dropFirst().contains("(") }

  private static func body(_ keys: [String]) -> String { "(\(keys.joined(separator: ", ")))" }

  /// Empty where a part of it is no key of the table.
  private static func order(_ wish: IndexWish) -> [String] {
    // EXPLAIN prints some conditions that are no SQL; no index is made of them.
    guard !wish.order.isEmpty, wish.order.utf8.count <= ConditionColumns.textMax,
      let statement = try? SQLSyntax.parse("select 1 from t order by \(wish.order)").first
    else {
      return []
    }
    let columns = ConditionColumns(wish)
    var keys: [String] = []
    for item in statement.tree["SelectStmt"]["sortClause"].elements {
      let sort = item["SortBy"]
      guard let key = columns.key(sort["node"]) else { return [] }
      let isDescending = sort["sortby_dir"].text == "SORTBY_DESC"
      let nulls = sort["sortby_nulls"].text ?? ""
      keys.append(
        key + (isDescending ? " DESC" : "")
          + (nulls == "SORTBY_NULLS_FIRST"
            ? " NULLS FIRST" : nulls == "SORTBY_NULLS_LAST" ? " NULLS LAST" : ""))
    }
    return keys
  }
}

/// The columns of one table in conditions, and what an index could stand on.
struct ConditionColumns {
  /// What conditions call the table.
  private let aliases: Set<String>
  /// Keys of an index, as SQL.
  private(set) var equal: [String] = []
  private(set) var range: [String] = []
  /// The keys of each side of an OR; empty where one has none.
  private(set) var alternatives: [[String]] = []
  /// All that are compared with something, also in alternatives.
  private(set) var compared: [String] = []

  /// Longer texts are lists of constants or of alternatives, of which no index is made.
  static let textMax = 64 << 10

  init(aliases: Set<String>) { self.aliases = aliases }

  /// Partitions are numbered behind the alias of their parent, by which joins and sorts above them name the column.
  init(_ wish: IndexWish) {
    let alias = wish.alias ?? wish.relation
    aliases = wish.others.isEmpty ? [alias] : [alias, Self.withoutNumber(alias)]
  }

  private static func withoutNumber(_ alias: String) -> String {
    guard let end = alias.lastIndex(of: "_"), alias[end...].dropFirst().allSatisfy(\.isNumber) else {
      return alias
    }
    return String(alias[..<end])
  }

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
      if let column = column(side) { add(column, &compared) }
    }
    if kind == "BoolExpr" { for side in sides { compare(side, depth: depth + 1) } }
    if kind == "ColumnRef", let column = column(node) { add(column, &compared) }
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
      if body["boolop"].text == "OR_EXPR", alternatives.isEmpty { readAlternatives(parts, depth) }
      if body["boolop"].text == "NOT_EXPR", let column = parts.first.flatMap({ column($0) }) {
        add(column, &equal)
      }
    case "A_Expr": readComparison(body)
    case "NullTest":
      if body["nulltesttype"].text == "IS_NULL", let column = key(body["arg"]) {
        add(column, &equal)
      }
    case "ColumnRef": if let column = column(node) { add(column, &equal) }
    default: break
    }
  }

  private mutating func readComparison(_ body: JSON) {
    let name = body["name"].elements.first?["String"]
    let sign = name?["sval"].text ?? name?["str"].text ?? ""
    let left = key(body["lexpr"])
    let right = key(body["rexpr"])
    // Two columns of the same table compared with each other are no search.
    guard let key = left ?? right, left == nil || right == nil else { return }
    switch (body["kind"].text ?? "", sign) {
    case ("AEXPR_OP", "="), ("AEXPR_IN", "="), ("AEXPR_OP_ANY", "="): add(key, &equal)
    case ("AEXPR_OP", "<"), ("AEXPR_OP", ">"), ("AEXPR_OP", "<="), ("AEXPR_OP", ">="), ("AEXPR_BETWEEN", _):
      add(key, &range)
    // Whatever the collation, this class finds text by its beginning.
    case ("AEXPR_OP", "~~") where left != nil && Self.hasBeginning(body["rexpr"]):
      add("\(key) text_pattern_ops", &range)
    default: break
    }
  }

  /// Whether a pattern of LIKE begins with something.
  private static func hasBeginning(_ pattern: JSON) -> Bool {
    let constant = pattern["TypeCast"]["arg"].members.isEmpty ? pattern : pattern["TypeCast"]["arg"]
    guard let first = constant["A_Const"]["sval"]["sval"].text?.first else { return false }
    return first != "%" && first != "_"
  }

  /// One index for each side: the server puts together what they find.
  private mutating func readAlternatives(_ sides: [JSON], _ depth: Int) {
    var keys: [[String]] = []
    for side in sides {
      var found = ConditionColumns(aliases: aliases)
      found.read(side, depth: depth + 1)
      let both = found.equal + found.range.prefix(1)
      guard !both.isEmpty else { return }
      keys.append(both)
    }
    alternatives = keys
  }

  private func add(_ column: String, _ list: inout [String]) {
    if !list.contains(column) { list.append(column) }
  }

  /// What an index can stand on: a column, or an expression over columns of the table.
  func key(_ node: JSON) -> String? {
    if let column = column(node) { return column }
    var hasColumn = false
    let text = ExpressionText { reference in
      let column = column(["ColumnRef": reference])
      hasColumn = hasColumn || column != nil
      return column
    }
    guard let sql = text.sql(node), hasColumn, sql.utf8.count <= 200 else { return nil }
    return "(\(sql))"
  }

  /// The quoted name of a column of the table, with or without a cast.
  func column(_ node: JSON) -> String? {
    var node = node
    if case .object = node["TypeCast"] { node = node["TypeCast"]["arg"] }
    let fields = node["ColumnRef"]["fields"].elements.map {
      $0["String"]["sval"].text ?? $0["String"]["str"].text
    }
    guard let name = fields.last, let name else { return nil }
    if fields.count == 1 { return SQLSyntax.quoted(name) }
    guard fields.count == 2, let table = fields[0], aliases.contains(table) else { return nil }
    return SQLSyntax.quoted(name)
  }
}
