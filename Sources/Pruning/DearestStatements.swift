public import Indexes
public import Postgres
internal import Primitives
internal import Workload

/// The statements of a database that took most of its time, for a what-if.
public struct DearestStatements {
  /// The dearest first.
  public let statements: [ObservedStatement]
  /// Why there are none, where the server does not tell.
  public let gap: Reason?

  /// - Throws: `PostgresError`.
  public init(_ session: Session, limit: Int) throws {
    do {
      statements = try StatementStatistics.readQueries(session, limit: limit).map {
        ObservedStatement(id: "\($0.id)", text: $0.text, calls: $0.calls, searchPath: $0.searchPath)
      }
      gap = nil
    } catch let error as StatementStatisticsError {
      statements = []
      gap = Reason(error.code, error.message)
    }
  }
}
