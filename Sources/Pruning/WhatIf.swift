internal import Indexes
internal import Plans
internal import Postgres
internal import Primitives
internal import Workload

/// A statement that the server runs, as pg_stat_statements knows it.
public struct ObservedStatement: Sendable {
  public let id: String
  public let text: String
  public let calls: Int64
  /// The setting under which it runs; nil for the session's own.
  public let searchPath: String?

  public init(id: String, text: String, calls: Int64, searchPath: String? = nil) {
    self.id = id
    self.text = text
    self.calls = calls
    self.searchPath = searchPath
  }
}

/// Plans the server's dearest statements with and without indexes. Nothing is executed, and nothing stays changed.
struct WhatIf {
  private let session: Session
  private let method: WhatIfMethod?
  /// Statements with what they cost now, and the tables that their plans read: an INSERT asks no index of its table.
  private let known: [Known]
  private let gap: Reason?
  /// What those could be about that have a plan and got none.
  private let unplanned: [StatementNames]
  private let check: () throws -> Void
  private let deadline: Deadline
  let unexplained: [UnexplainedStatement]
  var statementsPlanned: Int { known.count }

  private struct Known {
    let statement: ObservedStatement
    let plannable: PlannableStatement
    let cost: Double
    let relations: Set<String>
  }

  /// All of it together takes no longer; what comes later is not proven.
  static let timeMax = Duration.seconds(120)
  /// Statements on one table that are planned without an index: the dearest hold nearly all of a server's time.
  static let statementsMax = 50
  private static let timeIsUp = Reason(
    "time_is_up", "planning all statements without all indexes would have taken too long")
  /// A statement is worse when its cost grows by a tenth, and by one page read in sequence.
  static let growthMin = 1.1
  static let costMin = 1.0

  /// - Parameters:
  ///   - statements: the dearest first.
  ///   - gap: why there are none, where the server does not tell.
  ///   - check: asked before each statement; what it throws ends the work.
  init(
    _ session: Session, _ facts: ServerFacts, _ statements: [ObservedStatement], gap: Reason?,
    check: @escaping () throws -> Void
  ) throws {
    self.session = session
    method = facts.whatIfMethod
    self.check = check
    deadline = Deadline.after(Self.timeMax)
    var known: [Known] = []
    var unexplained: [UnexplainedStatement] = []
    var unplanned: [StatementNames] = []
    let planner = StatementPlanner(session)
    for statement in method == nil ? [] : statements {
      try check()
      guard !deadline.hasPassed else {
        unexplained.append(
          UnexplainedStatement(id: statement.id, reason: Self.timeIsUp.sentence, hasNoPlan: false))
        unplanned.append(StatementNames(statement.text))
        continue
      }
      do {
        let (plannable, plan) = try session.transaction(.snapshot) {
          let plannable = try planner.prepare(statement.text, searchPath: statement.searchPath)
          return (plannable, try plannable.plan())
        }
        known.append(
          Known(
            statement: statement, plannable: plannable, cost: plan.root.totalCost,
            relations: Set(plan.root.all.filter { $0.type != "ModifyTable" }.compactMap(\.relation))))
      } catch {
        unexplained.append(
          UnexplainedStatement(
            id: statement.id, reason: try Self.reason(error), hasNoPlan: error is StatementNotExplainable))
        if !(error is StatementNotExplainable) { unplanned.append(StatementNames(statement.text)) }
      }
    }
    self.known = known
    self.unexplained = unexplained
    self.unplanned = unplanned
    self.gap = Self.gap(facts, method, statements, known.count, gap)
  }

  private static func gap(
    _ facts: ServerFacts, _ method: WhatIfMethod?, _ statements: [ObservedStatement], _ plannable: Int,
    _ silence: Reason?
  ) -> Reason? {
    if method == nil {
      let found = facts.hypopgVersion.map { "this database has \($0)" } ?? "this database has none"
      return Reason(
        "cannot_hide",
        facts.isPooled
          ? "behind a pooler hiding an index takes a superuser"
          : facts.isStandby
            ? "on a standby no index can be hidden without HypoPG 1.4 (\(found))"
            : "hiding an index takes HypoPG 1.4 (\(found)) or a superuser")
    }
    if let silence { return silence }
    if statements.isEmpty {
      return Reason("no_statements", "pg_stat_statements knows no statement of this database")
    }
    if plannable == 0 {
      return Reason(
        "no_plans",
        statements.count == 1
          ? "the only statement that is known could not be planned"
          : "none of the \(statements.count) dearest statements could be planned")
    }
    return nil
  }

  /// What the statements on the candidate's tables cost without it and `others`.
  func proof(of candidate: PruneCandidate, with others: [PruneCandidate]) throws -> WhatIfProof {
    guard let method else { return WhatIfProof(gap: gap) }
    let unexplained = try unexplained(on: candidate)
    if let gap { return WhatIfProof(gap: unexplained ?? gap) }
    if deadline.hasPassed { return WhatIfProof(gap: unexplained ?? Self.timeIsUp) }
    let touched = known.lazy.filter { !$0.relations.isDisjoint(with: candidate.relations) }
      .prefix(Self.statementsMax)
    var proof = WhatIfProof(method: method, gap: unexplained, statementsPlanned: touched.count)
    if touched.isEmpty {
      proof.gap = unexplained ?? Self.untouched
      return proof
    }
    // Those that none of the statements can read need not be hidden: each costs a new version of its row in pg_index.
    let read = touched.reduce(into: Set<String>()) { $0.formUnion($1.relations) }
    let hidden = others.filter { !$0.relations.isDisjoint(with: read) }.flatMap(\.tree)
    do {
      proof.worse = try hiding(candidate.tree + hidden, by: method) { try touched.compactMap(compared) }
    } catch {
      return WhatIfProof(gap: try unexplained ?? Reason("what_if_failed", Self.reason(error)))
    }
    return proof
  }

  private static let untouched = Reason(
    "no_statement_planned", "none of the dearest statements is on its table")

  /// A statement that could not be planned and names a table of the index, or what stands above it, may need the index.
  private func unexplained(on candidate: PruneCandidate) throws -> Reason? {
    if unplanned.isEmpty { return nil }
    let rows = try session.query(PruneStatements.namesAbove(candidate.tree.map { Int64($0) }))
    let names = try rows.map { row in try row.decode(0, as: String.self) }
    let count = unplanned.count { statement in names.contains { statement.mentions($0) } }
    if count == 0 { return nil }
    return Reason(
      WhatIfProof.statementUnexplained,
      "\(counted(count, "statement that names", "statements that name")) its table could not be planned")
  }

  private func compared(_ known: Known) throws -> WorseStatement? {
    try check()
    let cost = try known.plannable.cost()
    guard cost > known.cost * Self.growthMin, cost - known.cost >= Self.costMin else { return nil }
    return WorseStatement(
      id: known.statement.id, text: known.statement.text, calls: known.statement.calls,
      costBefore: known.cost, costAfter: cost)
  }

  private func hiding<T>(
    _ indexes: [UInt32], by method: WhatIfMethod, _ body: () throws -> T
  ) throws -> T {
    switch method {
    case .hypopg(let schema):
      defer { unhide(schema) }
      for index in indexes { try hide(index, schema) }
      return try session.transaction(.snapshot, body)
    case .catalogFlag:
      defer { session.rollback() }
      let hide = PruneStatements.hide(indexes.map { Int64($0) })
      let rows = try session.pipeline(session.beginning() + [hide])
      guard rows.last?.affected == indexes.count else { throw Self.indexGone }
      // From here on nothing can be written, whatever functions the planner may call.
      try session.simple("set transaction read only")
      return try body()
    }
  }

  private func hide(_ index: UInt32, _ schema: String) throws {
    let sql = "select \(schema).hypopg_hide_index(\(index))"
    guard try session.query(Statement.inspecting(sql, columns: [.bool])())[0].decode(0, as: Bool.self) else {
      throw Self.indexGone
    }
  }

  private static let indexGone = SimpleFailure(
    .unexpected, code: "index_gone", message: "an index went away while the plan was made")

  /// What is hidden stays so for the session: one that cannot be put back is closed.
  private func unhide(_ schema: String) {
    guard session.isOpen else { return }
    do throws(PostgresError) {
      try session.simple(
        "select \(Statement.inspectionMark) \(schema).hypopg_unhide_all_indexes()")
    } catch {
      session.close()
    }
  }

  /// What is wrong with one statement or index; what ends the session or the run is thrown on.
  private static func reason(_ error: any Error) throws -> String {
    if let error = error as? PostgresError {
      if error.endsSession { throw error }
      if case .cancelled = error { throw error }
    }
    guard let failure = error as? any Failure, failure.kind != .interrupted, failure.kind != .terminated
    else { throw error }
    return failure.message
  }
}
