internal import Plans
internal import Postgres
internal import Primitives
internal import SQLSyntax

/// One statement, planned with and without an index.
struct IndexTrial {
  /// Indexes that help together, and the cost with them.
  typealias Result = (option: [String], cost: Double)

  let explainer: StatementExplainer
  let request: StatementExplainer.Request
  let way: StatementExplainer.Way
  /// HypoPG's, quoted.
  let schema: String

  func cost() throws -> Double {
    switch way {
    case .exact(let types): try explainer.run(request, types, analyzed: false).root.totalCost
    case .generic(let statement): try statement.cost()
    }
  }

  /// The same for another statement; nil where the server refuses it.
  func with(_ sql: String) throws -> IndexTrial? {
    let other = StatementExplainer.Request(sql)
    guard let way = try attempt({ try explainer.way(for: other) }) else { return nil }
    let trial = IndexTrial(explainer: explainer, request: other, way: way, schema: schema)
    return try trial.attempt { try trial.cost() } == nil ? nil : trial
  }

  /// Nil where the server refuses what is tried.
  private func attempt<Value>(_ body: () throws -> Value) throws -> Value? {
    let session = explainer.session
    try session.simple("savepoint ironforge_trial")
    do {
      return try body()
    } catch let error as PostgresError {
      guard case .server = error, session.isOpen, error.sqlState != "57014" else { throw error }
    } catch is StatementRefusal {
      // What the server said of a name or a type.
    } catch is SQLSyntaxError {
      // What EXPLAIN prints and is no SQL.
    }
    try session.simple("rollback to savepoint ironforge_trial")
    return nil
  }

  /// Nil where PostgreSQL would not make such indexes.
  func cost(with option: [String], on tables: WishedTables) throws -> Double? {
    let cost = try attempt {
      let sql = "select indexname from \(schema).hypopg_create_index($1)"
      let make = Statement.inspecting(sql, parameters: [.text], columns: [.text])
      for ddl in tables.trials(of: option) { _ = try explainer.session.query(make(ddl)) }
      return try self.cost()
    }
    try forget()
    return cost
  }

  /// Those of an option without which much of what it saves is lost: a side of an OR may have its index already. That one is dearer
  /// than a hypothetical one, which has no height.
  func needed(
    of option: [String], from before: Double, to cost: Double, on tables: WishedTables
  ) throws -> [String] {
    var needed = option
    for body in option where needed.count > 1 {
      let rest = needed.filter { $0 != body }
      if let other = try self.cost(with: rest, on: tables), other - cost <= 0.1 * (before - cost) {
        needed = rest
      }
    }
    return needed
  }

  /// HypoPG keeps its indexes in the session, whatever becomes of the transaction.
  private func forget() throws {
    let reset = "select \(schema).hypopg_reset()"
    _ = try explainer.session.query(Statement.inspecting(reset, columns: [.void])())
  }
}
