/// What makes one index again as it was, with all that `pg_get_indexdef` forgets: tablespace, statistics targets of its
/// expressions and the statistics themselves, comment, extensions that it goes with, and that the table is clustered on it.
public struct IndexRestoration: Sendable, Equatable {
  public var index: RelationName
  public var table: RelationName
  /// As `pg_get_indexdef` prints it with an empty search_path.
  public var definition: String
  /// Whether it has no storage of its own, and cannot be made concurrently.
  public var isPartitioned: Bool
  /// As SQL wants it; nil is the database's default.
  public var tablespace: String?
  /// The WHERE clause, with which `definition` ends.
  public var predicate: String?
  /// By the position of the key, from 1.
  public var statisticsTargets: [Int16: Int32]
  public var comment: String?
  /// Extensions with which it goes, as SQL wants their names.
  public var extensions: [String]
  public var isClustered: Bool
  /// Whether the planner reads statistics of its expressions, which go with the index and come with the next ANALYZE.
  public var hasExpressions: Bool

  public init(
    index: RelationName, table: RelationName, definition: String, isPartitioned: Bool = false,
    tablespace: String? = nil, predicate: String? = nil, statisticsTargets: [Int16: Int32] = [:],
    comment: String? = nil, extensions: [String] = [], isClustered: Bool = false, hasExpressions: Bool = false
  ) {
    self.index = index
    self.table = table
    self.definition = definition
    self.isPartitioned = isPartitioned
    self.tablespace = tablespace
    self.predicate = predicate
    self.statisticsTargets = statisticsTargets
    self.comment = comment
    self.extensions = extensions
    self.isClustered = isClustered
    self.hasExpressions = hasExpressions
  }

  /// Each ends in a semicolon; the first makes the index.
  public var statements: [String] {
    var statements = [creation] + statisticsTargets.keys.sorted().compactMap(settingTarget)
    if let comment { statements.append(setting(comment: comment)) }
    statements += extensions.map(depending)
    if isClustered { statements.append(clustering) }
    if hasExpressions { statements.append(analysis) }
    return statements
  }

  /// `CREATE INDEX … [TABLESPACE …] [WHERE …]`, concurrently where that can be. The server's text has the WHERE clause
  /// last, as it is in the catalog.
  public var creation: String {
    var text = definition
    if !isPartitioned {
      for start in ["CREATE INDEX ", "CREATE UNIQUE INDEX "] where text.hasPrefix(start) {
        text = start + "CONCURRENTLY " + text.dropFirst(start.count)
        break
      }
    }
    let condition = predicate.map { " WHERE " + $0 } ?? ""
    guard let tablespace, text.hasSuffix(condition) else { return text + ";" }
    return "\(text.dropLast(condition.count)) TABLESPACE \(tablespace)\(condition);"
  }

  /// Sets the target of one key; nil where it has none.
  public func settingTarget(of position: Int16) -> String? {
    statisticsTargets[position].map {
      "ALTER INDEX \(index.quoted) ALTER COLUMN \(position) SET STATISTICS \($0);"
    }
  }

  public func setting(comment: String) -> String {
    "COMMENT ON INDEX \(index.quoted) IS \(IndexDDL.literal(comment));"
  }

  /// Has the index go with an extension; locks the index for a moment.
  public func depending(on extensionName: String) -> String {
    "ALTER INDEX \(index.quoted) DEPENDS ON EXTENSION \(extensionName);"
  }

  /// Marks the table; moves no row, and disturbs no reader or writer.
  public var clustering: String {
    "ALTER TABLE \(table.quoted) CLUSTER ON \(index.quotedName);"
  }

  /// Reads a sample of the table; CREATE INDEX makes no statistics of expressions.
  public var analysis: String { "ANALYZE \(table.quoted);" }
}

extension Catalog {
  /// What makes the index itself again, without those that are attached to it.
  public func restoration(of index: Index) -> IndexRestoration {
    IndexRestoration(
      index: index.name, table: tableName(index), definition: index.definition,
      isPartitioned: index.isPartitioned, tablespace: index.tablespace, predicate: index.predicate,
      statisticsTargets: index.statisticsTargets, comment: index.comment, extensions: index.extensions,
      isClustered: index.isClustered,
      hasExpressions: index.hasExpressions && !index.isPartitioned)
  }
}
