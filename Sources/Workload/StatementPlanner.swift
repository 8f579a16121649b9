public import Plans
public import Postgres

/// Asks the server for plans of statements, `$1` statements among them. Nothing is executed.
public struct StatementPlanner {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// The plan of one statement, generic where it has parameters.
  ///
  /// Inside a transaction a statement that cannot be planned ends it: use a savepoint there.
  ///
  /// - Throws: `PostgresError`, `PlanError`.
  public func plan(_ sql: String) throws -> Plan {
    let isParameterized = try !session.describe(sql).parameters.isEmpty
    if !isParameterized { return try explain("(format json) \(sql)") }
    if session.serverVersion >= 160_000 { return try explain("(format json, generic_plan) \(sql)") }
    try session.simple("set plan_cache_mode = force_generic_plan; prepare ironforge_plan as \(sql)")
    defer { forget() }
    let count = try session.describe(sql).parameters.count
    let nulls = Array(repeating: "null", count: count).joined(separator: ", ")
    return try explain("(format json) execute ironforge_plan(\(nulls))")
  }

  private func explain(_ rest: String) throws -> Plan {
    let rows = try session.query(Statement("explain \(rest)", columns: [.json])())
    guard let row = rows.first else { throw PlanError("the server gave no plan") }
    return try row.withBytes(0) { $0.map(Array.init) ?? [] }.withPlan()
  }

  private func forget() {
    do throws(PostgresError) {
      try session.simple("deallocate ironforge_plan; reset plan_cache_mode")
    } catch {
      // In a failed transaction both go with it; on a lost connection too.
    }
  }
}

extension [UInt8] {
  fileprivate func withPlan() throws(PlanError) -> Plan { try Plan(parsingJSON: self) }
}
