public import Postgres
internal import Primitives

/// Reads indexes page by page, with the extension pgstattuple, to know what their leaves hold.
public struct LeafReader {
  private let session: Session
  private let schema: String

  /// - Throws: `pgstattuple_missing`, of kind `configuration`, where the extension is not installed in this database, `insufficient_privilege` where the
  ///   role may not use it; `PostgresError`.
  public init(_ session: Session) throws {
    self.session = session
    guard let row = try session.query(BloatStatements.pgstattuple()).first else {
      throw SimpleFailure(
        .configuration, code: "pgstattuple_missing",
        message:
          "the extension pgstattuple, which reads indexes page by page, is not installed in this database",
        hint: "CREATE EXTENSION pgstattuple; or leave --exact out")
    }
    guard try row.decode(1) else {
      throw SimpleFailure(
        .privilege, code: "insufficient_privilege",
        message: "this role may not use the extension pgstattuple",
        hint: "grant pg_stat_scan_tables to it, which pg_monitor has, and usage of the extension's schema")
    }
    schema = try row.decode(0)
  }

  /// Reads every candidate of the catalog, one after the other, the largest first.
  ///
  /// - Parameters:
  ///   - bytesMax: indexes that are larger are left out.
  ///   - timeout: for one index; one that takes longer is left out.
  /// - Returns: what was found, by OID, and the names of those that were left out.
  /// - Throws: `PostgresError`.
  public func read(
    _ catalog: Catalog, thresholds: Thresholds = Thresholds(), bytesMax: Int64, timeout: Duration,
    shouldStop: () throws -> Void = {}
  ) throws -> (found: [UInt32: LeafDensity], leftOut: [RelationName]) {
    let rule = BloatRule(context: RuleContext(catalog, thresholds), measured: [:])
    let density = BloatStatements.density(schema: schema)
    var found: [UInt32: LeafDensity] = [:]
    var leftOut: [RelationName] = []
    for index in rule.candidates().sorted(by: { $0.sizeBytes > $1.sizeBytes }) {
      try shouldStop()
      guard index.sizeBytes <= bytesMax else {
        leftOut.append(index.name)
        continue
      }
      do {
        let rows = try session.withStatementTimeout(timeout) { try session.query(density(Int64(index.oid))) }
        guard let row = rows.first else { continue }
        let share: Double = try row.decode(3)
        found[index.oid] = LeafDensity(
          sizeBytes: try row.decode(0), leafPages: try row.decode(1), internalPages: try row.decode(2),
          density: share.isFinite ? share / 100 : 0)
      } catch let error as PostgresError {
        // It was dropped or rebuilt meanwhile, is locked, or takes too long.
        guard ["42P01", "42704", "XX000", "55P03", "57014"].contains(error.sqlState ?? "") else {
          throw error
        }
        leftOut.append(index.name)
      }
    }
    return (found, leftOut)
  }
}
