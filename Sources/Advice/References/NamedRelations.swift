internal import Primitives
internal import SQLSyntax

/// The relations that a parse tree names, whether or not there are such.
enum NamedRelations {
  /// Names without schemas; none where the text cannot be read.
  static func names(in sql: String) -> Set<String> {
    do throws(SQLSyntaxError) {
      return try SQLSyntax.parse(sql).reduce(into: []) { $0.formUnion(names(in: $1.tree)) }
    } catch {
      // A view of a newer server can say what this grammar does not know; its tables are then left out.
      return []
    }
  }

  static func names(in tree: JSON) -> Set<String> {
    var found: Set<String> = []
    var open = [tree]
    while let node = open.popLast() {
      if let name = node["relname"].text { found.insert(name) }
      open += node.elements
      open += node.members.map(\.value)
    }
    return found
  }
}
