internal import Plans
internal import Primitives
internal import SQLSyntax

/// The columns of one table in conditions, and what an index could stand on.
struct ConditionColumns {
  /// What conditions call the table.
  private let aliases: Set<String>
  /// Keys of an index, as SQL.
  private(set) var equal: [String] = []
  private(set) var range: [String] = []
  /// The columns of a comparison of rows, `(a, b) > (1, 2)`, which an index in their order serves.
  private(set) var row: [String] = []
  /// The keys of each side of an OR; empty where one has none.
  private(set) var alternatives: [[String]] = []
  /// All that are compared with something, also in alternatives.
  private(set) var compared: [String] = []
  /// What was put as comparisons of the columns themselves, each of which holds for all rows that are wanted.
  private(set) var rewritten: [String] = []
  /// A condition on something inside a value, which GIN finds and no btree.
  struct Search {
    /// The column with its operator class.
    let key: String
    /// How it must be written for that, where it is not.
    var instead: String?
  }
  private(set) var searches: [Search] = []
  /// The columns' types by their names in SQL; empty where nobody can be asked.
  private let types: [String: String]
  /// Whether comparisons of what is made of a column are taken for those of the column itself.
  private let isBare: Bool

  /// Longer texts are lists of constants or of alternatives, of which no index is made.
  static let textMax = 64 << 10

  init(aliases: Set<String>, types: [String: String] = [:]) {
    self.aliases = aliases
    self.types = types
    isBare = false
  }

  /// Partitions are numbered behind the alias of their parent, by which joins and sorts above them name the column.
  init(_ wish: IndexWish, types: [String: String] = [:], bare: Bool = false) {
    self.types = types
    isBare = bare
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
    if isBare, readBare(node) { return }
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

  /// Reads a comparison of what is made of a column as one of the column itself; false where it is none.
  private mutating func readBare(_ node: JSON) -> Bool {
    let comparison = BareComparison(column: column, types: types)
    guard let sql = comparison.sql(node), rewritten.count < 8 else { return false }
    var plain = ConditionColumns(aliases: aliases, types: types)
    plain.read(sql)
    // Where it is an OR with IS NULL, both sides ask for the same key.
    for key in plain.equal + (plain.alternatives.first ?? []) { add(key, &equal) }
    for key in plain.range { add(key, &range) }
    rewritten.append(sql)
    return true
  }

  private mutating func readComparison(_ body: JSON) {
    let name = body["name"].elements.first?["String"]
    let sign = name?["sval"].text ?? name?["str"].text ?? ""
    let rows = [body["lexpr"], body["rexpr"]].map { side in
      side["RowExpr"]["args"].elements.map { key($0) }
    }
    if row.isEmpty, rows[0].count == rows[1].count, ["<", ">", "<=", ">="].contains(sign),
      let side = rows.first(where: { !$0.isEmpty && !$0.contains(nil) })
    {
      row = side.compactMap { $0 }
    }
    let left = key(body["lexpr"])
    // An element of an array, or of a list with the column in it, is found by no key.
    let isList = ["AEXPR_IN", "AEXPR_OP_ANY"].contains(body["kind"].text ?? "")
    let right = isList ? nil : key(body["rexpr"])
    readSearch(body, sign)
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

  /// What is inside of arrays, documents and texts.
  private mutating func readSearch(_ body: JSON, _ sign: String) {
    let (left, right) = (body["lexpr"], body["rexpr"])
    if body["kind"].text == "AEXPR_OP_ANY" {
      guard sign == "=", let array = column(right), let value = ComparedValue(left) else { return }
      let type = types[array].map { $0.dropFirst() } ?? "text"
      let list = "ARRAY[\(value.besideColumn)]" + (type == "text" ? "" : "::\(type)[]")
      searches.append(Search(key: array, instead: "\(array) @> \(list)"))
      return
    }
    guard body["kind"].text == "AEXPR_OP", let column = column(left), let value = ComparedValue(right) else {
      return
    }
    let isArray =
      types[column]?.hasPrefix("_") ?? !right["TypeCast"]["typeName"]["arrayBounds"].elements.isEmpty
    let type = isArray ? "array" : types[column] ?? value.type ?? ""
    switch (sign, type) {
    case ("@>", "jsonb"), ("@?", "jsonb"), ("@@", "jsonb"):
      searches.append(Search(key: "\(column) jsonb_path_ops"))
    case ("?", "jsonb"), ("?|", "jsonb"), ("?&", "jsonb"), ("@>", "array"), ("&&", "array"),
      ("@@", "tsvector"), ("@@", "tsquery"):
      searches.append(Search(key: column))
    case ("~~", "text"), ("~~*", "text"), ("~", "text"), ("~*", "text"), ("~~", "varchar"),
      ("~~*", "varchar"),
      ("~", "varchar"), ("~*", "varchar"):
      // Of fewer than three letters in a row no trigram is made.
      guard let literal = value.literal, Self.longestWord(literal) >= 3 else { return }
      searches.append(Search(key: "\(column) gin_trgm_ops"))
    default: break
    }
  }

  private static func longestWord(_ pattern: String) -> Int {
    pattern.split { !$0.isLetter && !$0.isNumber }.map(\.count).max() ?? 0
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
      var found = ConditionColumns(aliases: aliases, types: types)
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

  /// The quoted name of a column of the table, with or without a cast that changes nothing.
  func column(_ node: JSON) -> String? {
    guard case .object = node["TypeCast"] else { return plainColumn(node) }
    guard let column = plainColumn(node["TypeCast"]["arg"]), isRelabelling(node, of: column) else {
      return nil
    }
    return column
  }

  /// Whether the operators of a cast's type are those of an index on the column: the server takes `varchar` for `text`.
  private func isRelabelling(_ cast: JSON, of column: String) -> Bool {
    let to = cast["TypeCast"]["typeName"]["names"].elements.last?["String"]["sval"].text ?? ""
    let texts: Set<String> = ["text", "varchar"]
    // An array's type is named after that of its elements.
    let known = types[column].map { $0.hasPrefix("_") ? String($0.dropFirst()) : $0 }
    return texts.contains(to) && (known.map(texts.contains) ?? true) || known == to
  }

  private func plainColumn(_ node: JSON) -> String? {
    let fields = node["ColumnRef"]["fields"].elements.map {
      $0["String"]["sval"].text ?? $0["String"]["str"].text
    }
    guard let name = fields.last, let name else { return nil }
    if fields.count == 1 { return SQLSyntax.quoted(name) }
    guard fields.count == 2, let table = fields[0], aliases.contains(table) else { return nil }
    return SQLSyntax.quoted(name)
  }
}
