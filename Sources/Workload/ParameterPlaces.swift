internal import Primitives

/// Where parameters stand in a tree.
extension JSON {
  /// Expressions whose operands or results are of the same type as they are themselves, more or less.
  private static let transparent: Set<String> = [
    "A_Expr", "CaseExpr", "CaseWhen", "CoalesceExpr", "MinMaxExpr", "A_ArrayExpr", "RowExpr", "List", "FuncCall",
    "BoolExpr",
  ]

  /// Parameters that the expression itself works on: not those with a cast, nor those in a query inside of it.
  var operandParameters: [Int] {
    var found: [Int] = []
    forEachNode { node in
      if let number = node.parameter { found.append(number) }
      return Self.transparent.contains(node.type)
    }
    return found
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

  /// Expressions that were equal before their constants became parameters of different numbers: those of GROUP BY, DISTINCT
  /// and ORDER BY, and the same ones elsewhere in the same SELECT, which get their numbers.
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
    return found.filter { places.insert($0.node.location ?? -1).inserted }
  }

  private var matchingParametersOfSelect: [(node: SyntaxNode, number: Int)] {
    var keys: [(shape: JSON, numbers: [Int])] = []
    let grouped = self["groupClause"].elements + self["distinctClause"].elements
    let listed = grouped.isEmpty || self["distinctClause"] != .null ? self["targetList"].elements : []
    for expression in grouped + listed.map({ $0.node?.members["val"] ?? .null }) {
      expression.forEachNode { node in
        let whole = JSON.object([(key: node.type, value: node.members)])
        let numbers = whole.parameterNodes.compactMap(\.parameter)
        if numbers.isEmpty || node.type == "ParamRef" { return false }
        keys.append((whole.withoutPlaces, numbers))
        // GROUPING SETS hold their expressions; any other one is meant as a whole.
        return node.type == "GroupingSet" || node.type == "RowExpr"
      }
    }
    if keys.isEmpty { return [] }
    var found: [(node: SyntaxNode, number: Int)] = []
    for clause in ["targetList", "havingClause", "sortClause", "windowClause", "groupClause", "distinctClause"] {
      self[clause].forEachNode { node in
        let whole = JSON.object([(key: node.type, value: node.members)])
        guard let key = keys.first(where: { $0.shape == whole.withoutPlaces }) else { return true }
        found += zip(whole.parameterNodes, key.numbers).map { (node: $0, number: $1) }
        return false
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
