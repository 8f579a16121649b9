public import Primitives

/// A node of libpg_query's tree: its type and its members.
public struct SyntaxNode: Sendable {
  /// `FuncCall`, `ParamRef`, …
  public let type: String
  public let members: JSON

  /// Bytes from the start of the text; nil where the parser keeps no place. Zero is left out of the tree, so it is the
  /// place of a node that has none: nothing that is looked up begins a statement.
  public var location: Int? {
    guard let location = members["location"].integer, location >= 0 else { return nil }
    return location
  }
}

extension JSON {
  /// The node that a value is, where it is one: an object of one member, whose name begins with a capital letter.
  public var node: SyntaxNode? {
    guard case .object(let members) = self, members.count == 1,
      let first = members[0].key.utf8.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
    else { return nil }
    return SyntaxNode(type: members[0].key, members: members[0].value)
  }

  /// Calls `body` with every node of a tree, parents first, in the order of their members. Where it returns false the
  /// nodes below are left out. As deep as the reader of JSON lets a tree be.
  public func forEachNode(_ body: (SyntaxNode) -> Bool) {
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
  public func nodes(where condition: (SyntaxNode) -> Bool) -> [SyntaxNode] {
    var found: [SyntaxNode] = []
    forEachNode { node in
      if condition(node) { found.append(node) }
      return true
    }
    return found
  }
}
