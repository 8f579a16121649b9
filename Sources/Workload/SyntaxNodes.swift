internal import Primitives

/// A node of libpg_query's tree: its type and its members.
struct SyntaxNode {
  /// `FuncCall`, `ParamRef`, …
  let type: String
  let members: JSON

  /// Bytes from the start of the text; nil where the parser keeps no place. Zero is left out of the tree, so it is the
  /// place of a node that has none: nothing that is looked up here begins a statement.
  var location: Int? {
    guard let location = members["location"].integer, location >= 0 else { return nil }
    return location
  }

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
  /// The node that a value is, where it is one: an object of one member, whose name begins with a capital letter.
  var node: SyntaxNode? {
    guard case .object(let members) = self, members.count == 1,
      let first = members[0].key.utf8.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
    else { return nil }
    return SyntaxNode(type: members[0].key, members: members[0].value)
  }

  /// Calls `body` with every node of a tree, parents first, in the order of their members. Where it returns false the
  /// nodes below are left out. As deep as the reader of JSON lets a tree be.
  func forEachNode(_ body: (SyntaxNode) -> Bool) {
    if let node {
      if body(node) { node.members.forEachNode(body) }
      return
    }
    switch self {
    case .array(let elements): for element in elements { element.forEachNode(body) }
    case .object(let members): for member in members { member.value.forEachNode(body) }
    case .null, .bool, .integer, .number, .decimal, .string: break
    }
  }

  /// All nodes for which `condition` holds.
  func nodes(where condition: (SyntaxNode) -> Bool) -> [SyntaxNode] {
    var found: [SyntaxNode] = []
    forEachNode { node in
      if condition(node) { found.append(node) }
      return true
    }
    return found
  }

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
