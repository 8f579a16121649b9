internal import Primitives
internal import SQLSyntax

/// A condition with the use of the table that it is on.
private struct Fact: Hashable {
  let use: Int
  let condition: Condition
  var constant: ConstantCondition?

  struct Key: Hashable {
    let use: Int
    let term: KeyTerm
  }
  var key: Key { Key(use: use, term: condition.term) }
}

/// What WHERE, ON and orderings demand.
extension ReferenceReader {
  /// A WHERE or ON clause: reads its columns and subqueries, and what must hold of keys.
  func condition(_ node: JSON, _ scope: Scope) {
    guard case .object = node else { return }
    walk(node, scope)
    for fact in facts(node, scope) {
      add(fact.condition, to: fact.use)
      if let constant = fact.constant { add(constant, to: fact.use) }
    }
  }

  private func facts(_ node: JSON, _ scope: Scope) -> [Fact] {
    guard let (kind, body) = node.members.first.map({ ($0.key, $0.value) }) else { return [] }
    switch kind {
    case "BoolExpr":
      let parts = body["args"].elements
      switch body["boolop"].text {
      case "AND_EXPR": return parts.flatMap { facts($0, scope) }
      case "OR_EXPR": return alternatives(parts.map { facts($0, scope) })
      default: return parts.first.map { boolean($0, isTrue: false, scope) } ?? []
      }
    case "A_Expr": return comparison(body, scope)
    case "NullTest": return nullTest(body, scope)
    case "ColumnRef": return boolean(node, isTrue: true, scope)
    default: return []
    }
  }

  /// Of `a OR b` what both say of the same key; of the rest each may still be found by an index of its own.
  private func alternatives(_ branches: [[Fact]]) -> [Fact] {
    guard let first = branches.first else { return [] }
    let rest = branches.dropFirst()
    var found: [Fact] = []
    for fact in first {
      let twins = rest.map { branch in
        branch.first { $0.key == fact.key }
      }
      guard !twins.contains(where: { $0 == nil }) else { continue }
      let usages = Set([fact] + twins.compactMap { $0 }).map(\.condition.usage)
      let usage: Usage =
        if Set(usages).count == 1, let usage = usages.first, usage != .equality {
          usage
        } else {
          usages.contains(.range) ? .range : .list
        }
      found.append(Fact(use: fact.use, condition: Condition(fact.condition.term, usage)))
    }
    let known = Set(found.map(\.key))
    for fact in branches.joined() where !known.contains(fact.key) {
      if case .join = fact.condition.usage { continue }
      found.append(Fact(use: fact.use, condition: Condition(fact.condition.term, .alternative)))
    }
    return found
  }

  private func comparison(_ body: JSON, _ scope: Scope) -> [Fact] {
    let name = Self.strings(body["name"]).last ?? ""
    let (left, right) = (body["lexpr"], body["rexpr"])
    switch body["kind"].text {
    case "AEXPR_OP":
      let rows = [left, right].map { $0["RowExpr"]["args"].elements }
      if name == "=", !rows[0].isEmpty, rows[0].count == rows[1].count {
        return zip(rows[0], rows[1]).flatMap { equality($0, $1, scope) }
      }
      if name == "=" { return equality(left, right, scope) }
      guard ["<", ">", "<=", ">="].contains(name) else { return [] }
      return oneSided(left, right, .range, scope) + oneSided(right, left, .range, scope)
    case "AEXPR_IN" where name == "=" && !left["RowExpr"]["args"].elements.isEmpty:
      // The server makes alternatives of it, each of which finds its row by all the columns.
      return left["RowExpr"]["args"].elements.flatMap { oneSided($0, right, .list, scope) }
    case "AEXPR_IN" where name == "=", "AEXPR_OP_ANY" where name == "=":
      return oneSided(left, right, .list, scope)
    case "AEXPR_BETWEEN", "AEXPR_BETWEEN_SYM": return oneSided(left, right, .range, scope)
    case "AEXPR_LIKE" where name == "~~":
      guard let pattern = right["A_Const"]["sval"]["sval"].text, let first = pattern.first,
        first != "%", first != "_"
      else { return [] }
      return oneSided(left, right, .prefix, scope)
    default: return []
    }
  }

  /// A key on one side, and nothing of the same table on the other.
  private func oneSided(_ side: JSON, _ other: JSON, _ usage: Usage, _ scope: Scope) -> [Fact] {
    guard let key = term(side, scope), !tables(in: other, scope).contains(key.use) else { return [] }
    return [Fact(use: key.use, condition: Condition(key.term, usage))]
  }

  private func equality(_ left: JSON, _ right: JSON, _ scope: Scope) -> [Fact] {
    [(left, right), (right, left)].flatMap { side, other -> [Fact] in
      guard let key = term(side, scope) else { return [] }
      let others = tables(in: other, scope)
      guard !others.contains(key.use) else { return [] }
      if let joined = others.min() {
        return [Fact(use: key.use, condition: Condition(key.term, .join(joined)))]
      }
      var fact = Fact(use: key.use, condition: Condition(key.term, .equality))
      if case .column(let number) = key.term, let column = column(number, of: key.use),
        let value = Self.value(other), let sql = ExpressionText(column: { _ in nil }).sql(other)
      {
        fact.constant = ConstantCondition(column: number, sql: "\(column.quoted) = \(sql)", value: value)
      }
      return [fact]
    }
  }

  private func nullTest(_ body: JSON, _ scope: Scope) -> [Fact] {
    guard let key = term(body["arg"], scope), case .column(let number) = key.term,
      let column = column(number, of: key.use)
    else { return [] }
    let isNull = body["nulltesttype"].text == "IS_NULL"
    let sql = "\(column.quoted) IS \(isNull ? "" : "NOT ")NULL"
    let constant = ConstantCondition(column: number, sql: sql, value: nil, isNull: isNull)
    guard isNull else {
      add(constant, to: key.use)
      return []
    }
    return [Fact(use: key.use, condition: Condition(key.term, .equality), constant: constant)]
  }

  /// A boolean column that stands for itself.
  private func boolean(_ node: JSON, isTrue: Bool, _ scope: Scope) -> [Fact] {
    guard case .object = node["ColumnRef"], let key = term(node, scope), case .column(let number) = key.term,
      let column = column(number, of: key.use)
    else { return [] }
    let constant = ConstantCondition(
      column: number, sql: isTrue ? column.quoted : "NOT \(column.quoted)", value: isTrue ? "t" : "f")
    return [Fact(use: key.use, condition: Condition(key.term, .equality), constant: constant)]
  }

  /// The constant of a literal, casts around it left out.
  private static func value(_ node: JSON) -> String? {
    if case .object = node["TypeCast"] { return value(node["TypeCast"]["arg"]) }
    let body = node["A_Const"]
    if let text = body["sval"]["sval"].text { return text }
    if let text = body["fval"]["fval"].text { return text }
    if case .object = body["ival"] { return String(body["ival"]["ival"].integer ?? 0) }
    if case .object = body["boolval"] { return body["boolval"]["boolval"].boolean == true ? "t" : "f" }
    return nil
  }

  /// The uses of tables whose columns stand in an expression, without its subqueries.
  private func tables(in node: JSON, _ scope: Scope) -> Set<Int> {
    var found: Set<Int> = []
    var open = [node]
    while let node = open.popLast() {
      open += node.elements
      for (key, value) in node.members where key != "SubLink" {
        if key == "ColumnRef", case .column(let origin?) = scope.find(Self.strings(value["fields"])) {
          found.insert(origin.use)
        } else {
          open.append(value)
        }
      }
    }
    return found
  }

  // MARK: Orderings

  /// What ORDER BY, GROUP BY and DISTINCT of one SELECT would have sorted.
  func orderings(_ body: JSON, _ scope: Scope) {
    let targets = body["targetList"].elements.map { $0["ResTarget"] }
    let order = body["sortClause"].elements.map { sortKey($0["SortBy"], targets, scope) }
    addRun(order) { self.addOrder($0, to: $1) }
    let groups = body["groupClause"].elements.map { node in
      term(meant(node, targets, prefersColumns: true, scope), scope).map { ($0.use, OrderTerm($0.term)) }
    }
    addRun(groups) { terms, use in self.addGroup(terms.map(\.term), to: use) }
    let distinct = body["distinctClause"].elements
    guard !distinct.isEmpty else { return }
    let isPlain = distinct.allSatisfy { $0.members.isEmpty }
    let nodes = isPlain ? targets.map { $0["val"] } : distinct
    addRun(nodes.map { node in term(node, scope).map { ($0.use, OrderTerm($0.term)) } }) { terms, use in
      self.addGroup(terms.map(\.term), to: use)
    }
  }

  /// `min(a)` and `max(a)` are the ends of an order; a window wants its partitions and its order.
  func aggregate(_ call: JSON, _ scope: Scope) {
    let name = Self.strings(call["funcname"]).last
    let arguments = call["args"].elements
    if name == "min" || name == "max", arguments.count == 1, let key = term(arguments[0], scope),
      case .column = key.term
    {
      addOrder([OrderTerm(key.term)], to: key.use)
    }
    let partition = call["over"]["partitionClause"].elements.map { node in
      term(node, scope).map { ($0.use, OrderTerm($0.term)) }
    }
    let order = call["over"]["orderClause"].elements.map { sortKey($0["SortBy"], [], scope) }
    addRun(partition + order) { self.addOrder($0, to: $1) }
  }

  private func sortKey(_ body: JSON, _ targets: [JSON], _ scope: Scope) -> (Int, OrderTerm)? {
    guard let key = term(meant(body["node"], targets, prefersColumns: false, scope), scope) else {
      return nil
    }
    let isDescending = body["sortby_dir"].text == "SORTBY_DESC"
    let nullsFirst: Bool? =
      switch body["sortby_nulls"].text {
      case "SORTBY_NULLS_FIRST": isDescending ? nil : true
      case "SORTBY_NULLS_LAST": isDescending ? false : nil
      default: nil
      }
    return (key.use, OrderTerm(key.term, isDescending: isDescending, nullsFirst: nullsFirst))
  }

  /// A number stands for a column of the result; a name for one in ORDER BY, and in GROUP BY where the tables have none.
  private func meant(_ node: JSON, _ targets: [JSON], prefersColumns: Bool, _ scope: Scope) -> JSON {
    if let position = node["A_Const"]["ival"]["ival"].integer, targets.indices.contains(position - 1) {
      return targets[position - 1]["val"]
    }
    let names = Self.strings(node["ColumnRef"]["fields"])
    guard names.count == 1 else { return node }
    if prefersColumns, term(node, scope) != nil { return node }
    return targets.first { $0["name"].text == names[0] }?["val"] ?? node
  }

  /// Leading keys of one table: an index gives no order beyond.
  private func addRun(_ keys: [(Int, OrderTerm)?], _ add: ([OrderTerm], Int) -> Void) {
    guard let first = keys.first ?? nil else { return }
    let run = keys.prefix { $0?.0 == first.0 }.compactMap { $0?.1 }
    add(run, first.0)
  }
}
