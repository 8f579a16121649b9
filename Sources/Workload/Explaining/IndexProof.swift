public import Plans
public import Postgres
internal import Primitives

/// Tries the indexes that findings wish for, as hypothetical ones (HypoPG), and puts what came of it into their next step.
public struct IndexProof {
  /// Findings for which indexes are tried; planning a large statement takes time.
  private static let findingsMax = 5
  /// What the best index makes of a statement's cost.
  enum Gain: Equatable { case none, some, cause }

  /// A gain under a tenth is within what the cost model knows; one under 30 % is worth telling, but what it serves is not why the
  /// statement is slow.
  static func gain(from before: Double, to after: Double) -> Gain {
    if after > 0.9 * before { return .none }
    return after > 0.7 * before ? .some : .cause
  }

  private let explainer: StatementExplainer

  public init(_ session: Session) {
    explainer = StatementExplainer(session)
  }

  /// Names the index without having tried it, for a plan from a file.
  public static func unverified(_ findings: [PlanFinding], because reason: String) -> [PlanFinding] {
    findings.map { finding in
      var finding = finding
      if let ddl = finding.wish.flatMap({ IndexCandidates($0).ddl.first }) {
        finding.nextStep = "\(ddl); -- not verified: \(reason)"
      }
      return finding
    }
  }

  /// Findings with what the planner says of the indexes. Those of a plan that was not executed are left out where no index would
  /// help: reading the table is right then.
  ///
  /// - Throws: `PostgresError`, `PlanError`. Hypothetical indexes stay in the session only where it is of no use any more.
  public func verified(_ findings: [PlanFinding], of request: StatementExplainer.Request) throws
    -> [PlanFinding]
  {
    guard findings.contains(where: { $0.wish != nil }) else { return findings }
    let session = explainer.session
    guard let row = try session.query(Self.extensionSchema()).first else {
      return Self.unverified(findings, because: "HypoPG is not installed in this database")
    }
    let way = try explainer.way(for: request)
    let schema = try session.quoted(identifier: try row.decode(0))
    // One transaction: behind a pooler the next one may run on another connection.
    _ = try session.pipeline(session.beginning(.snapshot))
    defer { session.rollback() }
    let trial = Trial(explainer: explainer, request: request, way: way, schema: schema)
    let before = try trial.cost()
    var proven: [PlanFinding] = []
    for (place, finding) in findings.enumerated() {
      guard let wish = finding.wish, place < Self.findingsMax else {
        proven.append(finding)
        continue
      }
      if let finding = try judged(finding, wish, trial, before, isExecuted: request.isAnalyzed) {
        proven.append(finding)
      }
    }
    return proven.filter(\.isRootCause) + proven.filter { !$0.isRootCause }
  }

  private func judged(
    _ finding: PlanFinding, _ wish: IndexWish, _ trial: Trial, _ before: Double, isExecuted: Bool
  ) throws -> PlanFinding? {
    var finding = finding
    var best: (ddl: String, cost: Double)?
    for ddl in IndexCandidates(wish).ddl {
      // What a candidate's shape makes impossible (a type without order) is no reason to fail.
      guard let cost = try trial.cost(with: ddl) else { continue }
      // An index more only for a real gain: the candidates go from wide to narrow.
      if best.map({ cost <= $0.cost * 1.01 }) ?? true { best = (ddl, cost) }
    }
    let gain = best.map { Self.gain(from: before, to: $0.cost) } ?? .none
    guard let best, gain != .none else {
      if finding.code == .seqScan, !isExecuted { return nil }
      finding.nextStep =
        "No index on the columns of its conditions would be used, says the planner (HypoPG); filter by something"
        + " more selective, or read fewer rows before it."
      return finding
    }
    finding.nextStep =
      "\(best.ddl); -- verified with HypoPG: the statement's cost falls from \(PlanNumbers.count(before)) to"
      + " \(PlanNumbers.count(best.cost))"
    if gain == .some { finding.isRootCause = false }
    return finding
  }

  /// One statement, planned with and without an index.
  private struct Trial {
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

    /// Nil where PostgreSQL would not make such an index.
    func cost(with ddl: String) throws -> Double? {
      let session = explainer.session
      try session.simple("savepoint ironforge_trial")
      do {
        let make = "select indexname from \(schema).hypopg_create_index($1)"
        _ = try session.query(Statement(make, parameters: [.text], columns: [.text])(ddl))
        let cost = try cost()
        try forget()
        return cost
      } catch let error as PostgresError {
        guard case .server = error, session.isOpen, error.sqlState != "57014" else { throw error }
        try session.simple("rollback to savepoint ironforge_trial")
        try forget()
        return nil
      }
    }

    /// HypoPG keeps its indexes in the session, whatever becomes of the transaction.
    private func forget() throws {
      let reset = "select \(schema).hypopg_reset()"
      _ = try explainer.session.query(Statement(reset, columns: [.void])())
    }
  }

  static let extensionSchema = Statement.inspecting(
    """
    select n.nspname::text
    from pg_extension e
    join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'hypopg'
    """, columns: [.text])
}

/// The statements that a session is sent for an explanation; those of users are made at run time.
public enum ExplainStatements {
  public static let all = [StatementExplainer.staleTables, IndexProof.extensionSchema]
}
