public import Plans
public import Postgres
internal import Primitives
internal import SQLSyntax

/// Has the server explain one statement, with everything that a review of its plan needs.
///
/// Without `isAnalyzed` nothing is executed. With it the statement runs in a transaction that is rolled back, and that is
/// read-only unless `mayWrite`.
public struct StatementExplainer {
  public struct Request: Sendable {
    public var sql: String
    public var isAnalyzed = false
    public var mayWrite = false
    /// Values of `$1`, `$2`, … in PostgreSQL's text form. Without any a statement with parameters gets its generic plan.
    public var parameters: [String] = []

    public init(_ sql: String) { self.sql = sql }
  }

  /// What became of it.
  public struct Outcome: Sendable {
    public let plan: Plan
    public let context: PlanContext
    /// Whether the plan is one for any values of `$1`.
    public let isGeneric: Bool
  }

  let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// - Throws: `SQLSyntaxError` and `StatementRefusal` for what is wrong with the statement, `PostgresError`, `PlanError`.
  public func explain(_ request: Request) throws -> Outcome {
    try StatementRefusal.requireOneStatement(request.sql)
    switch try way(for: request) {
    case .generic(let statement):
      if request.isAnalyzed { throw StatementRefusal.parametersMissing(statement.parameterCount) }
      let plan = try statement.plan()
      return Outcome(plan: plan, context: try context(of: plan), isGeneric: true)
    case .exact(let types):
      let plan = try plan(request, types, analyzed: request.isAnalyzed)
      return Outcome(plan: plan, context: try context(of: plan), isGeneric: false)
    }
  }

  /// How a statement can be planned.
  enum Way {
    /// As it is, with values of these types.
    case exact([UInt32])
    /// Without values of its parameters.
    case generic(PlannableStatement)
  }

  /// Parameters may stand where no value can (`date $1`, from pg_stat_statements): the planner of generic plans knows what to do.
  func way(for request: Request) throws -> Way {
    let types: [UInt32]
    do throws(PostgresError) {
      types = try session.describe(request.sql).parameters
    } catch {
      let mapped = StatementRefusal.mapped(error, sql: request.sql, prefix: 0)
      guard request.parameters.isEmpty, request.sql.utf8.contains(UInt8(ascii: "$")), case .server = error
      else {
        throw mapped
      }
      do {
        let statement = try StatementPlanner(session, author: .caller).prepare(request.sql)
        if statement.parameterCount > 0 { return .generic(statement) }
      } catch let failure as PostgresError where failure.endsSession {
        throw failure
      } catch {
        // What the server said of the text as it stands is the better message.
      }
      throw mapped
    }
    guard request.parameters.isEmpty || request.parameters.count == types.count else {
      throw StatementRefusal.parameterCount(given: request.parameters.count, wanted: types.count)
    }
    if types.isEmpty || !request.parameters.isEmpty { return .exact(types) }
    return .generic(try StatementPlanner(session, author: .caller).prepare(request.sql))
  }

  private func plan(_ request: Request, _ types: [UInt32], analyzed: Bool) throws -> Plan {
    _ = try session.pipeline(session.beginning(request.mayWrite && analyzed ? .readCommitted : .snapshot))
    defer { session.rollback() }
    return try run(request, types, analyzed: analyzed)
  }

  /// Inside a transaction.
  func run(_ request: Request, _ types: [UInt32], analyzed: Bool) throws -> Plan {
    var options = ["format json", "verbose", "settings"]
    if analyzed { options += ["analyze", "buffers", "wal"] }
    if session.serverVersion >= 170_000 { options.append("memory") }
    let prefix = "explain (\(options.joined(separator: ", "))) "
    let parameters = types.map { DataType(oid: $0, name: "type \($0)") }
    let sql = prefix + request.sql
    let statement = Statement(sql, parameters: parameters, columns: [.json])
    let values = zip(request.parameters, parameters).map { TextValue($0, of: $1) }
    let rows: Rows
    do throws(PostgresError) {
      rows = try session.query(BoundStatement(statement: statement, values: values))
    } catch {
      throw StatementRefusal.mapped(error, sql: request.sql, prefix: prefix.unicodeScalars.count)
    }
    guard let row = rows.first else { throw PlanError("the server gave no plan") }
    return try Plan(parsingJSON: try row.withBytes(0) { $0.map(Array.init) ?? [] })
  }

  // MARK: What the server knows beyond the plan

  private func context(of plan: Plan) throws -> PlanContext {
    let nodes = plan.root.all.filter { $0.relation != nil }
    let tables = Set(nodes.compactMap { node in node.relation.map { [node.schema ?? "", $0] } })
    guard !tables.isEmpty, tables.count <= 1000 else {
      return PlanContext(serverVersion: session.serverVersion)
    }
    let rows = try session.query(
      Self.staleTables(tables.map { $0[0] }, tables.map { $0[1] }))
    var stale: [String: String] = [:]
    for row in rows {
      let schema: String = try row.decode(0)
      let name: String = try row.decode(1)
      let changed: Int64 = try row.decode(2)
      let count: Double = try row.decode(3)
      stale[schema.isEmpty ? name : "\(schema).\(name)"] =
        count < 0
        ? "it was never analysed"
        : "\(PlanNumbers.count(Double(changed))) rows changed since the last ANALYZE, of \(PlanNumbers.count(count))"
    }
    return PlanContext(staleTables: stale, serverVersion: session.serverVersion)
  }

  static let staleTables = Statement.inspecting(
    """
    select t.schema, t.name, s.n_mod_since_analyze, c.reltuples::float8
    from unnest($1::text[], $2::text[]) as t (schema, name)
    -- A plan without VERBOSE tells no schema; then the table is the one that the search path finds.
    join pg_class c on c.oid = to_regclass(
      case when t.schema = '' then quote_ident(t.name) else quote_ident(t.schema) || '.' || quote_ident(t.name) end)
    join pg_stat_all_tables s on s.relid = c.oid
    -- autovacuum's own rule; from 14 on -1 stands for a table that was never analysed
    where c.reltuples < 0 or s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
    """, parameters: [.textArray, .textArray], columns: [.text, .text, .int8, .float8])
}
