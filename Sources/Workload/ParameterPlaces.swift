internal import Primitives
internal import SQLSyntax

/// Where parameters stand in a tree.
extension JSON {
  /// Parameters that are of the same type as the expression itself, more or less: operands of its operators, results of
  /// CASE, elements of arrays. Not those with a cast, nor those that are compared inside of it, nor those of a query in it.
  var operandParameters: [Int] {
    var found: [Int] = []
    addOperands(isOutermost: true, to: &found)
    return found
  }

  private func addOperands(isOutermost: Bool, to found: inout [Int]) {
    func add(_ names: String...) {
      for name in names { node?.members[name].addOperands(isOutermost: false, to: &found) }
    }
    if case .array(let elements) = self {
      for element in elements { element.addOperands(isOutermost: isOutermost, to: &found) }
      return
    }
    switch node?.type {
    case "ParamRef": if let number = node?.parameter { found.append(number) }
    case "A_Expr": if isOutermost || node?.isComparison == false { add("lexpr", "rexpr") }
    case "CaseExpr": add("args", "defresult")
    case "CaseWhen": add("result")
    case "FuncCall", "CoalesceExpr", "MinMaxExpr", "RowExpr": add("args")
    case "A_ArrayExpr": add("elements")
    case "List": add("items")
    default: break
    }
  }

  /// Parameters that nothing gives a type to: those without a cast.
  var untypedParameters: [Int] {
    var found: [Int] = []
    forEachNode { node in
      if let number = node.parameter, !found.contains(number) { found.append(number) }
      return node.type != "TypeCast" || node.members["arg"].node?.parameter == nil
    }
    return found
  }

  /// Parameters where any type is welcome, so that the server cannot tell it: arguments of functions, and `$1 IS NULL`.
  var undeterminedParameters: [Int] {
    var found: [Int] = []
    func add(_ value: JSON) {
      if let number = value.node?.parameter, !found.contains(number) { found.append(number) }
    }
    forEachNode { node in
      switch node.type {
      case "FuncCall": node.members["args"].elements.forEach(add)
      case "NullTest": add(node.members["arg"])
      default: break
      }
      return true
    }
    return found
  }

  /// Parameters that are the columns of `VALUES` and of `SELECT`: what is done with them stands elsewhere. One group for each
  /// column of a `VALUES`.
  var columnsOfParameters: [[Int]] {
    var groups: [[Int]] = []
    func visit(_ value: JSON) {
      switch value {
      case .array(let elements): elements.forEach(visit)
      case .object(let members):
        for (key, member) in members {
          if key == "valuesLists" { groups += Self.columns(of: member.elements) }
          if key == "targetList" {
            for target in member.elements {
              groups.append((target.node?.members["val"] ?? .null).operandParameters)
            }
          }
          visit(member)
        }
      case .null, .bool, .integer, .number, .decimal, .string: break
      }
    }
    visit(self)
    return groups.filter { !$0.isEmpty }
  }

  private static func columns(of rows: [JSON]) -> [[Int]] {
    let rows = rows.map { $0.node?.members["items"].elements ?? [] }
    let width = rows.map(\.count).max() ?? 0
    return (0..<width).map { column in
      rows.flatMap { $0.indices.contains(column) ? $0[column].operandParameters : [] }
    }
  }

  // MARK: Numbers to give instead

  /// Expressions that were equal before constants became parameters: of GROUP BY, ORDER BY and DISTINCT with those of the
  /// list and of HAVING of the same SELECT. The server gives each place a number of its own, and some keep their constant.
  /// All get the numbers of the first.
  var matchingParameters: [(node: SyntaxNode, number: Int)] {
    var found: [(node: SyntaxNode, number: Int)] = []
    func visit(_ value: JSON) {
      switch value {
      case .array(let elements): elements.forEach(visit)
      case .object(let members):
        // The branches of a UNION have no node of their own.
        if value["targetList"] != .null { found += value.matchingParametersOfSelect }
        for (_, member) in members { visit(member) }
      case .null, .bool, .integer, .number, .decimal, .string: break
      }
    }
    visit(self)
    var places: Set<Int> = []
    return found.filter { $0.node.location.map { places.insert($0).inserted } ?? false }
  }

  private var matchingParametersOfSelect: [(node: SyntaxNode, number: Int)] {
    var keys: [JSON] = []
    let listed = self["targetList"].elements.map { $0.node?.members["val"] ?? .null }
    let isGrouped = self["groupClause"] != .null
    for key in isGrouped ? self["groupClause"].elements : self["distinctClause"].elements + listed {
      // GROUPING SETS hold their expressions; any other one is meant as a whole.
      let parts = key.node?.type == "GroupingSet" ? key.node?.members["content"].elements ?? [] : [key]
      keys += parts.filter {
        $0.node?.parameter == nil && $0.node?.type != "A_Const" && !$0.constantNodes.isEmpty
      }
      .map(\.withoutConstants)
    }
    var found: [(node: SyntaxNode, number: Int)] = []
    for key in keys {
      var places: [[SyntaxNode]] = []
      for clause in [
        "targetList", "havingClause", "sortClause", "windowClause", "groupClause", "distinctClause",
      ] {
        self[clause].forEachNode { node in
          let whole = JSON.object([(key: node.type, value: node.members)])
          guard whole.withoutConstants == key else { return true }
          places.append(whole.constantNodes)
          return false
        }
      }
      for index in places.first?.indices ?? 0..<0 {
        guard let number = places.lazy.compactMap({ $0[index].parameter }).first else { continue }
        found += places.map { (node: $0[index], number: number) }
      }
    }
    return found
  }

  /// Every further place of a parameter, with a number that nothing else has.
  var repeatedParameters: [(node: SyntaxNode, number: Int)] {
    let nodes = parameterNodes
    var next = nodes.compactMap(\.parameter).max() ?? 0
    var seen: Set<Int> = []
    return nodes.compactMap { node in
      guard let number = node.parameter, !seen.insert(number).inserted else { return nil }
      next += 1
      return (node, next)
    }
  }
}
