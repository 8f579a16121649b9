public import Plans
public import Postgres
internal import Primitives

/// Asks the server for plans of statements, `$1` statements among them. Nothing is executed.
///
/// A plan of a statement with parameters is generic: made without values, as the server makes one for a prepared
/// statement that is used often. It is the same way on all versions, `PREPARE` and `EXPLAIN EXECUTE` under
/// `plan_cache_mode = force_generic_plan`: `EXPLAIN (GENERIC_PLAN)` of PostgreSQL 16 takes no types of parameters.
///
/// In a transaction of the caller everything happens behind a savepoint, and what fails does not end the transaction.
/// Outside, a read-only transaction is opened and rolled back. Each statement is bounded by the session's `statement_timeout`.
///
/// The planner calls functions; see `StatementGuard` for what a superuser does not plan.
public struct StatementPlanner {
  private let session: Session
  private let author: StatementAuthor

  public init(_ session: Session, author: StatementAuthor = .others) {
    self.session = session
    self.author = author
  }

  /// The plan of one statement, generic where it has parameters.
  ///
  /// - Throws: as `prepare` and `PlannableStatement.plan`.
  public func plan(_ sql: String, searchPath: String? = nil) throws -> Plan {
    try prepare(sql, searchPath: searchPath).plan()
  }

  /// Finds out how a statement can be planned. Nothing is left behind in the session.
  ///
  /// - Parameter searchPath: the setting under which the statement runs; nil for the session's own.
  /// - Throws: `StatementNotExplainable` for what has no plan; `schema_hidden` where this role may not use a schema of the path;
  ///   `PostgresError` for what the server does not take, such as a table that is gone.
  public func prepare(_ sql: String, searchPath: String? = nil) throws -> PlannableStatement {
    let statement = try NormalizedText(sql, serverVersion: session.serverVersion)
    var search = ParameterSearch(statement, serverVersion: session.serverVersion) { [session] text, types in
      do {
        return .taken(
          try session.behindSavepoint {
            try session.requireSchemas(of: searchPath)
            try session.setSearchPath(searchPath)
            return try session.describe(text, parameters: types)
          })
      } catch let error as PostgresError {
        guard case .server(let refusal) = error, !error.endsSession else { throw error }
        return .refused(refusal)
      }
    }
    let found = try search.run()
    return PlannableStatement(
      session: session, text: found.text, types: found.types,
      parameterCount: found.description.parameters.count, searchPath: searchPath, tree: statement.tree,
      protection: author == .others ? try StatementGuard(session) : nil)
  }
}

/// A statement that the server can plan, again and again: with other hypothetical indexes, say.
public struct PlannableStatement {
  private let session: Session
  /// What is planned: the statement, with the places mended where `$1` cannot stand.
  public let text: String
  private let types: [DataType]
  /// How many parameters it has; a plan of one that has any is generic.
  public let parameterCount: Int
  private let searchPath: String?
  private let tree: JSON
  private let protection: StatementGuard?

  init(
    session: Session, text: String, types: [DataType], parameterCount: Int, searchPath: String?, tree: JSON,
    protection: StatementGuard?
  ) {
    self.session = session
    self.text = text
    self.types = types
    self.parameterCount = parameterCount
    self.searchPath = searchPath
    self.tree = tree
    self.protection = protection
  }

  /// The planner's estimate for the whole statement, in its units.
  ///
  /// - Throws: as `plan`.
  public func cost() throws -> Double { try plan().root.totalCost }

  /// Plans the statement anew.
  ///
  /// - Throws: `StatementNotTrusted`, `PostgresError`, `PlanError`.
  public func plan() throws -> Plan {
    guard parameterCount > 0 else {
      return try session.behindSavepoint {
        try session.setSearchPath(searchPath)
        // Locks its relations for the guard.
        if protection != nil { _ = try session.describe(text) }
        return try explain(text)
      }
    }
    // The server keeps a generic plan for as long as the statement is prepared, and does not notice a hypothetical
    // index: so it is prepared for each plan.
    let list = types.isEmpty ? "" : "(\(types.map(\.description).joined(separator: ", ")))"
    let nulls = Array(repeating: "null", count: parameterCount).joined(separator: ", ")
    let path = try searchPath.map {
      "select pg_catalog.set_config('search_path', \(try session.quoted(literal: $0)), true); "
    }
    return try session.inScratchTransaction(
      setUp: (path ?? "")
        + "set local plan_cache_mode = force_generic_plan; prepare ironforge_plan\(list) as \(text)",
      tearDown: "deallocate ironforge_plan"
    ) {
      try explain("execute ironforge_plan(\(nulls))")
    }
  }

  private func explain(_ sql: String) throws -> Plan {
    try protection?.check(tree)
    let statement = Statement(Self.explanation + sql, columns: [.json])
    guard let row = try session.query(statement()).first else { throw PlanError("the server gave no plan") }
    return try Plan(parsingJSON: row.withBytes(0) { $0.map(Array.init) ?? [] })
  }

  private static let explanation = "explain (format json) "
}

extension Session {
  /// A schema that this role may not use counts for nothing in its path, and a name could stand for another table.
  fileprivate func requireSchemas(of path: String?) throws {
    guard let path, let row = try query(StatementGuard.hiddenSchema(path)).first else { return }
    let name: String = try row.decode(0)
    throw SimpleFailure(
      .privilege, code: "schema_hidden",
      message: "this role may not use schema \(name), where the statement's role looks for its tables",
      hint: "grant usage on schema \(name) to it")
  }

  /// Until the end of the transaction or savepoint.
  fileprivate func setSearchPath(_ path: String?) throws(PostgresError) {
    guard let path else { return }
    _ = try query(StatementGuard.setPath(path))
  }
}
