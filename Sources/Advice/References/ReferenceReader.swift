public import Primitives
internal import SQLSyntax

/// Reads from a parse tree what a statement asks of which tables.
///
/// Names are resolved as the server does it: by alias, innermost SELECT first, WITH before tables; columns of
/// subqueries and views are followed down to the table that they come from unchanged. What a statement computes is no
/// reference to a column.
public final class ReferenceReader {
  private let schema: Schema
  private(set) var uses: [TableUse] = []
  /// Views being expanded, against a circle.
  private var viewDepth = 0

  private init(_ schema: Schema) {
    self.schema = schema
  }

  /// The uses of tables in one statement, in the order in which they stand there.
  public static func uses(in tree: JSON, schema: Schema) -> [TableUse] {
    let reader = ReferenceReader(schema)
    _ = reader.statement(tree, Scope(within: nil))
    return reader.uses.map(\.withoutRepetition)
  }

  // MARK: Statements

  /// Any statement; what it returns as columns.
  @discardableResult
  private func statement(_ node: JSON, _ outer: Scope) -> [(name: String, origin: Origin?)] {
    guard let (kind, body) = node.members.first.map({ ($0.key, $0.value) }) else { return [] }
    switch kind {
    case "SelectStmt": return select(body, outer)
    case "InsertStmt": return insert(body, outer)
    case "UpdateStmt", "DeleteStmt", "MergeStmt": return modification(body, outer)
    default: return []
    }
  }

  /// - Parameter countsOutputs: false below EXISTS, which looks at no column.
  private func select(
    _ body: JSON, _ outer: Scope, countsOutputs: Bool = true
  ) -> [(name: String, origin: Origin?)] {
    let scope = Scope(within: outer)
    with(body["withClause"], scope)
    if case .object = body["larg"] {
      let outputs = select(body["larg"], scope, countsOutputs: countsOutputs)
      _ = select(body["rarg"], scope, countsOutputs: countsOutputs)
      return outputs
    }
    from(body["fromClause"], scope)
    condition(body["whereClause"], scope)
    for key in ["havingClause", "groupClause", "sortClause", "distinctClause", "windowClause", "valuesLists"]
    {
      walk(body[key], scope)
    }
    walk(body["limitCount"], scope)
    walk(body["limitOffset"], scope)
    if countsOutputs { walk(body["targetList"], scope) }
    orderings(body, scope)
    return outputs(body["targetList"], scope)
  }

  private func insert(_ body: JSON, _ outer: Scope) -> [(name: String, origin: Origin?)] {
    let scope = Scope(within: outer)
    with(body["withClause"], scope)
    if case .object = body["selectStmt"] { statement(body["selectStmt"], scope) }
    addTable(body["relation"], scope, isWritten: true, meansHeirs: false)
    walk(body["onConflictClause"], scope)
    return outputs(body["returningList"], scope)
  }

  private func modification(_ body: JSON, _ outer: Scope) -> [(name: String, origin: Origin?)] {
    let scope = Scope(within: outer)
    with(body["withClause"], scope)
    addTable(body["relation"], scope, isWritten: true)
    from(body["fromClause"], scope)
    from(body["usingClause"], scope)
    if case .object = body["sourceRelation"] { from(.array([body["sourceRelation"]]), scope) }
    condition(body["whereClause"], scope)
    condition(body["joinCondition"], scope)
    for key in ["targetList", "mergeWhenClauses", "returningList"] { walk(body[key], scope) }
    return outputs(body["returningList"], scope)
  }

  private func with(_ clause: JSON, _ scope: Scope) {
    for query in clause["ctes"].elements.map({ $0["CommonTableExpr"] }) {
      guard let name = query["ctename"].text else { continue }
      let names = Self.strings(query["aliascolnames"])
      // A recursive query names itself, with the columns of its first part.
      if clause["recursive"].boolean == true { scope.withQueries[name] = names.map { ($0, nil) } }
      let entry = RangeEntry(alias: name, outputs: statement(query["ctequery"], scope))
      scope.withQueries[name] = entry.renamed(name, columns: names).outputs
    }
  }

  private func outputs(_ targets: JSON, _ scope: Scope) -> [(name: String, origin: Origin?)] {
    targets.elements.flatMap { target -> [(name: String, origin: Origin?)] in
      let body = target["ResTarget"]
      let reference = body["val"]["ColumnRef"]
      if case .object = reference {
        if let star = stars(reference, scope) { return star.flatMap(\.outputs) }
        let names = Self.strings(reference["fields"])
        let name = body["name"].text ?? names.last ?? ""
        if case .column(let origin) = scope.find(names) { return [(name, origin)] }
        return [(name, nil)]
      }
      return [(body["name"].text ?? "", nil)]
    }
  }

  /// The entries that `*` or `t.*` stands for; nil for another reference.
  private func stars(_ reference: JSON, _ scope: Scope) -> [RangeEntry]? {
    let fields = reference["fields"].elements
    guard case .object = fields.last?["A_Star"] ?? .null else { return nil }
    guard fields.count > 1, let alias = fields[fields.count - 2]["String"]["sval"].text else {
      return scope.entries
    }
    return sequence(first: scope, next: \.parent).lazy
      .compactMap { $0.entries.first { $0.alias == alias } }.first.map { [$0] } ?? []
  }

  // MARK: FROM

  private func from(_ items: JSON, _ scope: Scope) {
    for item in items.elements { fromItem(item, scope) }
  }

  private func fromItem(_ item: JSON, _ scope: Scope) {
    guard let (kind, body) = item.members.first.map({ ($0.key, $0.value) }) else { return }
    let alias = body["alias"]["aliasname"].text
    let names = Self.strings(body["alias"]["colnames"])
    switch kind {
    case "RangeVar": addTable(body, scope, isWritten: false)
    case "RangeSubselect":
      // LATERAL may look at what stands before it, and no other subquery does.
      let isLateral = body["lateral"].boolean == true
      let outputs = statement(body["subquery"], isLateral ? scope : Scope(within: scope.parent, like: scope))
      scope.entries.append(RangeEntry(alias: "", outputs: outputs).renamed(alias ?? "", columns: names))
    case "JoinExpr": join(body, scope)
    case "RangeTableSample": fromItem(body["relation"], scope)
    default:
      walk(body, scope)
      let columns = names.map { (name: $0, origin: Origin?.none) }
      scope.entries.append(RangeEntry(alias: alias ?? "", outputs: columns))
    }
  }

  private func join(_ body: JSON, _ scope: Scope) {
    let first = scope.entries.count
    fromItem(body["larg"], scope)
    let middle = scope.entries.count
    fromItem(body["rarg"], scope)
    let (left, right) = (scope.entries[first..<middle], scope.entries[middle...])
    var shared = Self.strings(body["usingClause"])
    if body["isNatural"].boolean == true {
      let names = Set(left.flatMap(\.outputs).map(\.name))
      shared = right.flatMap(\.outputs).map(\.name).filter(names.contains)
    }
    for name in shared {
      let ends = [left, right].map { side in
        side.flatMap(\.outputs).first { $0.name == name }?.origin
      }
      if let a = ends[0], let b = ends[1] { link(a, b) }
    }
    condition(body["quals"], scope)
    guard let alias = body["alias"]["aliasname"].text else { return }
    // Once a join has a name, what is in it has none of its own.
    let outputs = scope.entries[first...].flatMap(\.outputs)
    scope.entries.removeSubrange(first...)
    scope.entries.append(
      RangeEntry(alias: "", outputs: outputs)
        .renamed(alias, columns: Self.strings(body["alias"]["colnames"])))
  }

  private func addTable(_ body: JSON, _ scope: Scope, isWritten: Bool, meansHeirs: Bool = true) {
    guard let name = body["relname"].text else { return }
    let alias = body["alias"]["aliasname"].text ?? name
    let names = Self.strings(body["alias"]["colnames"])
    let schemaName = body["schemaname"].text
    if schemaName == nil, let outputs = scope.withQuery(name) {
      scope.entries.append(RangeEntry(alias: name, outputs: outputs).renamed(alias, columns: names))
      return
    }
    guard let table = schema.relation(schema: schemaName, name: name, isInView: viewDepth > 0) else {
      scope.entries.append(RangeEntry(alias: alias, outputs: []))
      return
    }
    if let definition = table.viewDefinition {
      let outputs = view(definition)
      scope.entries.append(RangeEntry(alias: name, outputs: outputs).renamed(alias, columns: names))
      return
    }
    let number = uses.count
    var use = TableUse(table: table.oid)
    use.isWritten = isWritten
    use.meansHeirs = meansHeirs && body["inh"].boolean == true
    uses.append(use)
    let outputs = table.columns.map {
      (name: $0.name, origin: Origin?(Origin(use: number, column: $0.number)))
    }
    scope.entries.append(RangeEntry(alias: name, outputs: outputs).renamed(alias, columns: names))
  }

  private func view(_ definition: String) -> [(name: String, origin: Origin?)] {
    guard viewDepth < 16 else { return [] }
    viewDepth += 1
    defer { viewDepth -= 1 }
    do throws(SQLSyntaxError) {
      return try SQLSyntax.parse(definition).first.map { statement($0.tree, Scope(within: nil)) } ?? []
    } catch {
      // See NamedRelations.names(in:).
      return []
    }
  }

  // MARK: Expressions

  /// Marks every column in an expression as read, and reads its subqueries.
  func walk(_ node: JSON, _ scope: Scope) {
    switch node {
    case .array(let elements): for element in elements { walk(element, scope) }
    case .object(let members):
      for (key, value) in members {
        switch key {
        case "ColumnRef": mark(value, scope)
        case "SubLink": subquery(value, scope)
        case "SelectStmt": _ = select(value, scope)
        case "FuncCall":
          aggregate(value, scope)
          walk(value, scope)
        default: walk(value, scope)
        }
      }
    default: break
    }
  }

  private func mark(_ reference: JSON, _ scope: Scope) {
    let origins: [Origin]
    if let entries = stars(reference, scope) {
      origins = entries.flatMap(\.outputs).compactMap(\.origin)
    } else {
      switch scope.find(Self.strings(reference["fields"])) {
      case .column(let origin): origins = [origin].compactMap { $0 }
      case .row(let all): origins = all
      case .nothing: origins = []
      }
    }
    for origin in origins { uses[origin.use].columns.insert(origin.column) }
  }

  private func subquery(_ link: JSON, _ scope: Scope) {
    let body = link["subselect"]["SelectStmt"]
    let isExistence = link["subLinkType"].text == "EXISTS_SUBLINK"
    let outputs = select(body, scope, countsOutputs: !isExistence)
    walk(link["testexpr"], scope)
    // `a IN (SELECT b …)`: a join. With another operator it is none.
    guard link["subLinkType"].text == "ANY_SUBLINK", link["operName"].elements.isEmpty else { return }
    let tested = link["testexpr"]["RowExpr"]["args"].elements
    for (node, output) in zip(tested.isEmpty ? [link["testexpr"]] : tested, outputs) {
      guard let tested = term(node, scope), case .column(let number) = tested.term, let origin = output.origin
      else { continue }
      self.link(Origin(use: tested.use, column: number), origin)
    }
  }

  /// Two columns that are demanded to be equal.
  func link(_ a: Origin, _ b: Origin) {
    guard a.use != b.use else { return }
    uses[a.use].columns.insert(a.column)
    uses[b.use].columns.insert(b.column)
    uses[a.use].conditions.append(Condition(.column(a.column), .join(b.use)))
    uses[b.use].conditions.append(Condition(.column(b.column), .join(a.use)))
  }

  /// The key that an expression stands for, and the use of the table that all its columns are of.
  func term(_ node: JSON, _ scope: Scope) -> (use: Int, term: KeyTerm)? {
    let reference = node["ColumnRef"]
    if case .object = reference {
      guard case .column(let origin?) = scope.find(Self.strings(reference["fields"])) else { return nil }
      return (origin.use, .column(origin.column))
    }
    var found: Set<Int> = []
    let text = ExpressionText { reference in
      guard case .column(let origin?) = scope.find(Self.strings(reference["fields"])) else { return nil }
      found.insert(origin.use)
      return self.schema.relations[self.uses[origin.use].table]?.column(origin.column)?.quoted
    }
    // As long as a name of PostgreSQL times a few: nobody wants an index on a page of SQL.
    guard let sql = text.sql(node), found.count == 1, let use = found.first, sql.utf8.count <= 200 else {
      return nil
    }
    return (use, .expression(sql))
  }

  func add(_ condition: Condition, to use: Int) { uses[use].conditions.append(condition) }
  func add(_ constant: ConstantCondition, to use: Int) { uses[use].constants.append(constant) }
  func addOrder(_ terms: [OrderTerm], to use: Int) { uses[use].orders.append(terms) }
  func addGroup(_ terms: [KeyTerm], to use: Int) { uses[use].groups.append(terms) }
  func column(_ number: Int16, of use: Int) -> SchemaColumn? {
    schema.relations[uses[use].table]?.column(number)
  }

  static func strings(_ list: JSON) -> [String] { list.elements.compactMap { $0["String"]["sval"].text } }
}

extension Scope {
  /// For a subquery in FROM: it sees what stands around the SELECT, and its WITH queries, but not its neighbours.
  convenience init(within parent: Scope?, like scope: Scope) {
    self.init(within: parent)
    withQueries = scope.withQueries
  }
}

extension TableUse {
  /// The same condition twice says nothing more.
  fileprivate var withoutRepetition: TableUse {
    var use = self
    use.conditions = Self.distinct(conditions)
    use.constants = Self.distinct(constants)
    use.orders = Self.distinct(orders)
    use.groups = Self.distinct(groups)
    return use
  }

  private static func distinct<Element: Hashable>(_ elements: [Element]) -> [Element] {
    var seen: Set<Element> = []
    return elements.filter { seen.insert($0).inserted }
  }
}
