internal import Primitives
internal import SQLSyntax

extension SyntaxNode {
  /// Whether an `A_Expr` is true or false, whatever its operands are.
  var isComparison: Bool {
    guard members["kind"].text == "AEXPR_OP" else { return members["kind"].text != "AEXPR_NULLIF" }
    let name = members["name"].elements.last?["String"]["sval"].text ?? ""
    return name.contains { "=<>~!@?&".contains($0) }
  }

  /// The number of a `$n`.
  var parameter: Int? { type == "ParamRef" ? members["number"].integer : nil }
}

extension JSON {
  /// The `$n` of a tree in its order.
  var parameterNodes: [SyntaxNode] { nodes { $0.type == "ParamRef" } }

  /// Where constants stand in a tree, as such or as `$n`, in its order.
  var constantNodes: [SyntaxNode] { nodes { $0.type == "ParamRef" || $0.type == "A_Const" } }

  /// The tree without places and without its constants: equal for expressions that differ in those only.
  var withoutConstants: JSON {
    switch self {
    case .array(let elements): return .array(elements.map(\.withoutConstants))
    case .object(let members):
      if let node, node.type == "ParamRef" || node.type == "A_Const" { return ["A_Const": nil] }
      // A rewritten `extract` is a plain call.
      let kept = members.filter { $0.key != "location" && $0.key != "funcformat" }
      return .object(kept.map { (key: $0.key, value: $0.value.withoutConstants) })
    case .null, .bool, .integer, .number, .decimal, .string: return self
    }
  }
}
