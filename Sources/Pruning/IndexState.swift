internal import Indexes
internal import Postgres

/// What stands in the catalog under the name of an index that somebody wants to drop or to make.
struct IndexState {
  var schemaExists = false
  var tableExists = false
  /// Of whatever has the name; nil where nothing has.
  var oid: UInt32?
  /// Nil when it is no index of the table.
  var definition: String?
  /// Whether queries use it and writes maintain it.
  var isWhole = false
  /// Whether somebody builds it or drops it at this moment.
  var isInWork = false
  var comment: String?
  var isClustered = false
  /// Whether the table is clustered on any index.
  var isTableClustered = false
  /// Positions of keys whose statistics targets are not the default.
  var targets: Set<Int16> = []
  /// Whether there are statistics of its expressions, or nothing to make them of.
  var hasStatistics = false
  /// All extensions of the database, and those with which the index goes; quoted.
  var extensionsInstalled: Set<String> = []
  var extensions: Set<String> = []
  /// The names as the server quotes them.
  var quotedIndex = ""
  var quotedTable = ""
  var quotedName = ""

  /// - Throws: `PostgresError`.
  init(of restoration: IndexRestoration, _ session: Session) throws {
    let statement = PruneStatements.state(
      restoration.index.schema, restoration.index.name, restoration.table.name)
    let row = try session.transaction(.snapshot) {
      try session.query(IndexStatements.plainPrinting())
      return try session.query(statement)[0]
    }
    schemaExists = try row.decode(0)
    tableExists = try row.decode(1)
    oid = try row.decodeIfPresent(2)
    definition = try row.decodeIfPresent(4)
    isWhole = try row.decodeIfPresent(5) ?? false
    comment = try row.decodeIfPresent(6)
    isClustered = try row.decodeIfPresent(7) ?? false
    isTableClustered = try row.decode(8)
    targets = Set(try row.decode(9, as: [Int16].self))
    isInWork = try row.decode(10) && !isWhole && oid != nil
    quotedIndex = try row.decode(11)
    quotedTable = try row.decode(12)
    quotedName = try row.decode(13)
    hasStatistics = try row.decode(14)
    extensionsInstalled = Set(try row.decode(15, as: [String].self))
    extensions = Set(try row.decode(16, as: [String].self))
  }

  /// Whether it is an index with this definition. The server does not take texts for equal that only look the same.
  func matches(_ restoration: IndexRestoration) -> Bool {
    definition.map { ExactText($0) == ExactText(restoration.definition) } ?? false
  }
}
