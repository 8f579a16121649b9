internal import Indexes
public import Postgres
internal import SQLSyntax

/// Reads the tables that statements name, and those that views among them name.
public struct SchemaReader {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// - Parameter names: relations without their schemas.
  /// - Throws: `PostgresError`.
  public func read(names: Set<String>) throws -> Schema {
    var tables: [SchemaTable] = []
    var open = names
    var known: Set<String> = []
    // Views of views; a bound, though the server lets none go in a circle.
    for _ in 0..<16 where !open.isEmpty {
      let found = try read(open.sorted())
      tables += found
      known.formUnion(open)
      open = Set(found.compactMap(\.viewDefinition).flatMap(NamedRelations.names(in:))).subtracting(known)
    }
    return Schema(tables)
  }

  /// The schemas that a setting of `search_path` stands for, those left out that this role may not use.
  ///
  /// - Throws: `PostgresError`, of kind `server` for a text that is no such setting.
  func schemas(of searchPath: String) throws -> [String] {
    _ = try session.pipeline(session.beginning(.snapshot))
    defer { session.rollback() }
    let rows = try session.pipeline([AdviceStatements.setPath(searchPath), AdviceStatements.path()])
    return try rows.last?.first?.decode(0) ?? []
  }

  private func read(_ names: [String]) throws -> [SchemaTable] {
    var columns = try readColumns(names)
    return try session.query(AdviceStatements.tables(names)).map { row in
      let oid: UInt32 = try row.decode(0)
      let name = RelationName(schema: try row.decode(1), name: try row.decode(2), quoted: try row.decode(3))
      var table = SchemaTable(oid: oid, name: name, columns: columns.removeValue(forKey: oid) ?? [])
      table.isVisible = try row.decode(4)
      table.isPartitioned = try row.decode(5)
      table.rows = try row.decode(6)
      table.pages = try row.decode(7)
      table.writes = try row.decode(8)
      table.viewDefinition = try row.decodeIfPresent(9)
      table.heirs = try row.decode(10, as: [Int64].self).map { UInt32(truncatingIfNeeded: $0) }
      return table
    }
  }

  private func readColumns(_ names: [String]) throws -> [UInt32: [SchemaColumn]] {
    var columns: [UInt32: [SchemaColumn]] = [:]
    for row in try session.query(AdviceStatements.columns(names)) {
      var column = SchemaColumn(
        number: try row.decode(1), name: try row.decode(2), quoted: try row.decode(3))
      column.operatorClass = try row.decodeIfPresent(4)
      column.patternClass = try row.decodeIfPresent(5)
      column.patternClassOID = try row.decodeIfPresent(6) ?? 0
      column.collation = try row.decode(7)
      column.canBeDeduplicated = try row.decode(8)
      column.distinct = try row.decodeIfPresent(9)
      column.nullFraction = try row.decode(10)
      column.width = try row.decode(11)
      column.alignment = try row.decode(12)
      let values: [String] = try row.decode(13)
      let shares: [String] = try row.decode(14)
      column.common = zip(values, shares).compactMap { value, share in Double(share).map { (value, $0) } }
      column.correlation = try row.decodeIfPresent(15)
      column.hasVariableWidth = try row.decode(16)
      columns[try row.decode(0), default: []].append(column)
    }
    return columns
  }
}
