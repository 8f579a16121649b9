internal import Postgres

/// How much there is to do, found out without long work.
struct RunSize: Sendable {
  /// The last key; nil where there is nothing to visit.
  let lastKey: [String]?
  let rows: Int64
  let isExact: Bool

  /// More rows than that are not counted but estimated, and so are fewer that take longer than this to count.
  private static let countedMax: Int64 = 200_000
  private static let countingMilliseconds = "2000"

  /// Reads in transactions of its own, which can write nothing: a user's predicate may call anything.
  init(_ keys: KeySource, _ session: Session) throws {
    lastKey = try session.transaction(.snapshot) {
      try session.query(keys.lastKey()).first.map { row throws(PostgresError) in try row.decode(0) }
    }
    guard lastKey != nil else {
      (rows, isExact) = (0, true)
      return
    }
    if let counted = try Self.count(keys, session), counted <= Self.countedMax {
      (rows, isExact) = (counted, true)
      return
    }
    let line: String = try session.transaction(.snapshot) { try session.query(keys.estimate())[0].decode(0) }
    (rows, isExact) = (KeySource.rows(inPlan: line) ?? 0, false)
  }

  /// Nil where it takes too long.
  private static func count(_ keys: KeySource, _ session: Session) throws -> Int64? {
    do {
      return try session.transaction(.snapshot) {
        try session.query(JobStatements.localStatementTimeout(countingMilliseconds))
        return try session.query(keys.count(limit: countedMax + 1))[0].decode(0)
      }
    } catch let error as PostgresError where error.sqlState == "57014" {
      return nil
    }
  }
}
