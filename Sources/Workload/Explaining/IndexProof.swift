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
      if let wish = finding.wish, let option = IndexCandidates(wish).options.first {
        finding.nextStep = "\(WishedTables(wish).ddl(option)); -- not verified: \(reason)"
      }
      return finding
    }
  }

  /// Findings with what the planner says of the indexes. Those that are worth a word only for an index are left out where none would
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
    var causes: Set<Int> = []
    for (place, finding) in findings.enumerated() {
      guard let wish = finding.wish, place < Self.findingsMax else {
        proven.append(finding)
        if let entry = finding.entry { causes.insert(entry) }
        continue
      }
      let tables = try WishedTables(wish, session)
      let (judged, gain) = try judged(finding, wish, tables, trial, before)
      if let judged { proven.append(judged) }
      if gain == .cause, let entry = finding.entry { causes.insert(entry) }
    }
    // What seemed to follow from a scan that no index spares is a cause of its own.
    for index in proven.indices where proven[index].scanBehind.map({ !causes.contains($0) }) ?? false {
      proven[index].isRootCause = true
    }
    return proven.filter(\.isRootCause) + proven.filter { !$0.isRootCause }
  }

  private func judged(
    _ finding: PlanFinding, _ wish: IndexWish, _ tables: WishedTables, _ trial: Trial, _ before: Double
  ) throws -> (finding: PlanFinding?, gain: Gain) {
    var finding = finding
    var best: (option: [String], cost: Double)?
    var tried: [[String]] = []
    for option in IndexCandidates(wish).options {
      // What a candidate's shape makes impossible (a type without order) is no reason to fail.
      guard let cost = try trial.cost(with: option, on: tables) else { continue }
      tried.append(option)
      // An index more only for a real gain: the candidates go from wide to narrow.
      if best.map({ cost <= $0.cost * 1.01 }) ?? true { best = (option, cost) }
    }
    let gain = best.map { Self.gain(from: before, to: $0.cost) } ?? .none
    guard var best, gain != .none else {
      if finding.needsIndex { return (nil, gain) }
      let unseen = tried.last { option in option.contains { IndexCandidates.hasExpression($0) } }
      if let unseen, !tables.isFirst(in: trial.request.sql) {
        finding.nextStep =
          "\(tables.ddl(unseen)); -- not verified: HypoPG judges an index on an expression only where its table comes first in"
          + " the statement"
      } else {
        finding.nextStep = Self.stepWithoutIndex(tried)
      }
      return (finding, gain)
    }
    best.option = try trial.needed(of: best.option, from: before, to: best.cost, on: tables)
    finding.nextStep =
      "\(tables.ddl(best.option)); -- verified with HypoPG: the statement's cost falls from \(PlanNumbers.count(before)) to"
      + " \(PlanNumbers.count(best.cost))"
    if gain == .some { finding.isRootCause = false }
    return (finding, gain)
  }

  /// Says what was tried, so that nobody takes it for all that there is.
  private static func stepWithoutIndex(_ tried: [[String]]) -> String {
    guard !tried.isEmpty else {
      return
        "No btree finds rows by its conditions: see whether an index of another kind does (GIN, GiST; pg_trgm for parts of"
        + " texts), filter by something more selective, or read fewer rows before it."
    }
    let list = tried.map { $0.joined(separator: " with ") }.joined(separator: ", ")
    return
      "No index on \(list) would be used, says the planner (HypoPG); filter by something more selective, or read"
      + " fewer rows before it."
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

    /// Nil where PostgreSQL would not make such indexes.
    func cost(with option: [String], on tables: WishedTables) throws -> Double? {
      let session = explainer.session
      try session.simple("savepoint ironforge_trial")
      do {
        let sql = "select indexname from \(schema).hypopg_create_index($1)"
        let make = Statement(sql, parameters: [.text], columns: [.text])
        for ddl in tables.trials(of: option) { _ = try session.query(make(ddl)) }
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
  public static let all = [
    StatementExplainer.staleTables, IndexProof.extensionSchema, WishedTables.partitionRoots,
  ]
}
