internal import Primitives

/// Statements that carry findings out and take them back. They end in a semicolon each; with several, one stands on a
/// line. All can run while others write, unless a partitioned table makes that impossible.
struct IndexDDL {
  let catalog: Catalog

  /// Of a partitioned index PostgreSQL drops the whole tree at once, and not concurrently.
  func drop(_ index: Index) -> String {
    index.isPartitioned
      ? "DROP INDEX \(index.name.quoted);" : "DROP INDEX CONCURRENTLY \(index.name.quoted);"
  }

  func reindex(_ index: Index) -> String { "REINDEX INDEX CONCURRENTLY \(index.name.quoted);" }

  /// Makes the index again, with all that `pg_get_indexdef` forgets, and below it those that are attached to it.
  func create(_ index: Index) -> String {
    catalog.tree(of: index).flatMap { statements(creating: $0) }.joined(separator: "\n")
  }

  private func statements(creating index: Index) -> [String] {
    var statements = catalog.restoration(of: index).statements
    if let parent = index.parent.flatMap({ catalog.indexes[$0] }) {
      statements.append("ALTER INDEX \(parent.name.quoted) ATTACH PARTITION \(index.name.quoted);")
    }
    return statements
  }

  /// An index on columns, for a foreign key.
  func create(on table: Table, columns: [Column]) -> (ddl: String, undo: String) {
    let list = "(\(columns.map(\.quoted).joined(separator: ", ")))"
    var recipe = NewIndexRecipe(catalog)
    let made = recipe.statements(on: table, columns: columns.map(\.name), body: list)
    let start = table.isPartitioned ? "DROP INDEX" : "DROP INDEX CONCURRENTLY"
    // An attached index cannot be detached: what was there before goes with the new one, and is made again.
    let undo = ["\(start) \(made.name);"] + recipe.adopted.map(create)
    return (made.lines.joined(separator: "\n"), undo.joined(separator: "\n"))
  }

  /// A name in double quotes, which every name may have.
  static func inQuotes(_ name: String) -> String { "\"" + name.doubling(["\""]) + "\"" }

  /// A text for SQL, by the rule of libpq's PQescapeLiteral.
  static func literal(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "\\")) else { return "'\(text.doubling(["'"]))'" }
    return " E'\(text.doubling(["'", "\\"]))'"
  }
}
