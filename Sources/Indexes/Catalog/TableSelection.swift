internal import Primitives

/// Which tables somebody asks about.
public struct TableSelection: Sendable {
  private let schema: String?
  private let table: String?

  /// - Parameters:
  ///   - schema: only tables of this schema; nil for all.
  ///   - table: only the one of this name, as `table` or `schema.table`, with its partitions; nil for all. Names are
  ///     exact, without quotes.
  public init(schema: String? = nil, table: String? = nil) {
    self.schema = schema
    self.table = table
  }

  /// Whether it is all of them.
  public var isEverything: Bool { schema == nil && table == nil }

  /// The names of the tables; none where the schema has none that can be audited.
  ///
  /// - Throws: `schema_not_found` and `table_not_found`, of kind `usage`; `table_locked`, of kind `busy`.
  public func names(in catalog: Catalog) throws -> Set<RelationName> {
    var tables = Array(catalog.tables.values)
    var locked = catalog.facts.tablesLocked
    if let schema {
      tables.removeAll { $0.name.schema != schema }
      locked.removeAll { !$0.hasPrefix("\(schema).") }
      guard !tables.isEmpty || catalog.facts.schemas.contains(ExactText(schema)) else {
        throw Self.failure("schema_not_found", "there is no schema \(schema)", catalog)
      }
      // All that it has: what is in them nobody can say, and that there is nothing would be wrong.
      if tables.isEmpty, table == nil, let held = locked.first { throw Self.busy(held) }
    }
    if let table {
      tables.removeAll { $0.name.name != table && $0.name.description != table }
      guard !tables.isEmpty else {
        if let held = locked.first(where: { $0 == table || $0.hasSuffix(".\(table)") }) {
          throw Self.busy(held)
        }
        let near = catalog.sortedTables.first { $0.name.name.lowercased() == table.lowercased() }?.name
        throw Self.failure("table_not_found", "there is no table \(table)", catalog, near: near)
      }
      tables += tables.flatMap { catalog.partitions(of: $0) }
    }
    return Set(tables.map(\.name))
  }

  private static func busy(_ table: String) -> SimpleFailure {
    SimpleFailure(
      .busy, code: "table_locked",
      message: "somebody holds \(table) in ACCESS EXCLUSIVE mode, or waits for that",
      hint: "run it again when that is over; pg_locks tells who it is")
  }

  private static func failure(
    _ code: String, _ message: String, _ catalog: Catalog, near: RelationName? = nil
  ) -> SimpleFailure {
    let locked = catalog.facts.tablesLocked
    let hint =
      near.map { "did you mean \($0.description)? Names are exact, without quotes" }
      ?? (locked.isEmpty
        ? "names are exact, without quotes; tables of the system and of extensions are left out"
        : "left out, because they are locked exclusively: \(locked.joined(separator: ", "))")
    return SimpleFailure(.usage, code: code, message: message, hint: hint)
  }
}
