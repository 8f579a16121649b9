public import Postgres
internal import Workload

/// The workload that pg_stat_statements has seen.
public enum StatisticsWorkload {
  /// The dearest statements; the rest of a workload takes next to no time.
  static let statementLimit = 200

  /// The statements of the session's database that took most time, with their calls.
  ///
  /// - Throws: `StatementStatisticsError`, `PostgresError`.
  public static func read(_ session: Session) throws -> [WorkloadStatement] {
    try StatementStatistics.readQueries(session, limit: statementLimit).map { row in
      var statement = WorkloadStatement(id: String(row.id), text: row.text)
      statement.calls = row.calls
      statement.milliseconds = row.totalMilliseconds
      statement.rows = row.rows
      statement.searchPath = row.searchPath
      return statement
    }
  }
}
