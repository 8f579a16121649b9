public import Indexes
public import Postgres
public import Primitives

/// A table to be analysed, and why.
public struct PlannedAnalysis: Sendable {
  public let oid: UInt32
  public let name: RelationName
  /// Why its statistics are stale; nil where they are not.
  public let reason: Reason?
  /// The planner's estimate, with partitions; nil where nobody has counted yet.
  public let rows: Int64?
  public let modifiedSinceAnalyze: Int64
  public let lastAnalyze: Timestamp?
  /// Bytes with partitions.
  public let sizeBytes: Int64
  /// Partitions that are analysed with it.
  public let partitionCount: Int
  /// Whether the role may analyse it.
  public var isAllowed = true

  /// Code of what becomes of a table that the role may not analyse.
  public static let refusalCode = "not_allowed"
  /// What is said of one.
  public static let refusal =
    "only its owner, the database's, and from PostgreSQL 17 on who was granted MAINTAIN may analyse it"
}

/// ANALYZE for tables that need it: which, why, and one after the other.
public struct TableAnalysis {
  private let session: Session

  /// An analysis reads a sample of bounded size, but on a busy disk that can take a while.
  private static let timeout = Duration.seconds(3600)

  public init(_ session: Session) {
    self.session = session
  }

  /// What is to be analysed, by name. ANALYZE of a partitioned table does its partitions too, so they do not stand beside it.
  public static func plan(
    _ catalog: Catalog, staleOnly: Bool, thresholds: Thresholds = Thresholds(),
    where isWanted: (RelationName) -> Bool = { _ in true }
  ) -> [PlannedAnalysis] {
    let rule = StatisticsRule(catalog, thresholds)
    var covered: Set<UInt32> = []
    var planned: [PlannedAnalysis] = []
    let tables = catalog.sortedTables.filter { isWanted($0.name) }.map { ($0, rule.staleness(of: $0)) }
      .filter { _, reason in !staleOnly || reason != nil }
    for (table, _) in tables { covered.formUnion(catalog.partitions(of: table).map(\.oid)) }
    for (table, reason) in tables where !covered.contains(table.oid) {
      let sum = catalog.summed(table)
      planned.append(
        PlannedAnalysis(
          oid: table.oid, name: table.name, reason: reason, rows: sum.rows,
          modifiedSinceAnalyze: sum.counters.modifiedSinceAnalyze, lastAnalyze: table.counters.lastAnalyze,
          sizeBytes: sum.sizeBytes, partitionCount: catalog.partitions(of: table).count))
    }
    return planned
  }

  /// Marks those that the role may not analyse.
  ///
  /// - Throws: `PostgresError`.
  public func checked(_ plan: [PlannedAnalysis]) throws -> [PlannedAnalysis] {
    let statement = MaintenanceStatements.analyzed(serverVersion: session.serverVersion)
    var allowed: Set<UInt32> = []
    for row in try session.query(statement(plan.map { Int64($0.oid) })) { allowed.insert(try row.decode(0)) }
    return plan.map { table in
      var table = table
      table.isAllowed = allowed.contains(table.oid)
      return table
    }
  }

  /// Analyses one table, within the session's `lock_timeout`.
  ///
  /// - Parameter quoted: as SQL wants it.
  /// - Returns: the server's warning where it passed the table over.
  /// - Throws: `PostgresError`.
  public func analyze(quoted: String) throws -> String? {
    var warning: String?
    session.onNotice = { notice in if notice.severity == "WARNING" { warning = warning ?? notice.message } }
    defer { session.onNotice = nil }
    try session.withStatementTimeout(Self.timeout) { try session.simple("analyze \(quoted)") }
    return warning
  }
}
