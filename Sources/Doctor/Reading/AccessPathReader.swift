internal import Plans
internal import Postgres
internal import Primitives
internal import Workload

/// Asks whether the statements of SPEC section 2.1 can be served by indexes.
struct AccessPathReader {
  let session: Session

  private static let statements: [(check: Check, sql: String)] = [
    (
      .planPending,
      "SELECT * FROM transactions WHERE wallet_id = $1 AND status = 'pending' ORDER BY created_at DESC LIMIT 10"
    ),
    (.planAssets, "SELECT * FROM assets WHERE wallet_id = ANY($1)"),
    (.planUsers, "SELECT * FROM users WHERE last_login_at > NOW() - INTERVAL '7 days'"),
  ]

  /// On a small table the planner reads all of it, and rightly so; forbidden to, it shows what there is for the day when
  /// the table is large. Nothing is executed, and the settings end with the transaction.
  ///
  /// - Throws: `PostgresError`.
  func read() throws -> [Check: Known<AccessPath>] {
    try session.transaction(.snapshot) {
      try session.simple(
        "set local enable_seqscan = off; set local enable_sort = off; set local enable_incremental_sort = off"
      )
      let planner = StatementPlanner(session)
      var found: [Check: Known<AccessPath>] = [:]
      for (check, sql) in Self.statements {
        found[check] = try known { Self.path(in: try planner.plan(sql).root) }
      }
      return found
    }
  }

  private static func path(in root: PlanNode) -> AccessPath {
    var path = AccessPath()
    for node in root.all {
      if let index = node.index, !path.indexes.contains(index) { path.indexes.append(index) }
      if node.type == "Seq Scan", let table = node.relation, !path.tablesReadWhole.contains(table) {
        path.tablesReadWhole.append(table)
      }
      if node.type == "Sort" || node.type == "Incremental Sort" { path.isSorted = true }
    }
    return path
  }
}

/// What `read` gives, or why the server does not give it: a table that is not there, one that the role may not read, one that
/// is locked. By SQLSTATE (PostgreSQL manual, appendix A).
///
/// - Throws: every other error.
func known<Value: Sendable>(_ read: () throws -> Value) throws -> Known<Value> {
  do {
    return .known(try read())
  } catch let error as PostgresError {
    guard ["42P01", "42703", "42883", "3F000", "42501", "55P03"].contains(error.sqlState ?? "") else {
      throw error
    }
    return .unknown(error.message)
  }
}
