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
    findings.map { unverified($0, because: reason) { WishedTables($0) } }
  }

  private static func unverified(
    _ finding: PlanFinding, because reason: String, _ tables: (IndexWish) throws -> WishedTables
  ) rethrows -> PlanFinding {
    guard let wish = finding.wish else { return finding }
    var finding = finding
    let tables = try tables(wish)
    let candidates = IndexCandidates(wish, types: tables.types, bare: false)
    if let bare = BareProof.unverified(wish, tables) {
      finding.nextStep = "\(bare); -- not verified: \(reason)"
    } else if let option = candidates.options.first {
      finding.nextStep = "\(tables.ddl(option)); -- not verified: \(reason)"
    } else if let step = candidates.otherStep(tables) {
      finding.nextStep = step
    }
    return finding
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
      let reason = "HypoPG is not installed in this database"
      return try findings.map { try Self.unverified($0, because: reason) { try WishedTables($0, session) } }
    }
    let way = try explainer.way(for: request)
    let schema = try session.quoted(identifier: try row.decode(0))
    // One transaction: behind a pooler the next one may run on another connection.
    _ = try session.pipeline(session.beginning(.snapshot))
    defer { session.rollback() }
    let trial = IndexTrial(explainer: explainer, request: request, way: way, schema: schema)
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
    _ finding: PlanFinding, _ wish: IndexWish, _ tables: WishedTables, _ trial: IndexTrial, _ before: Double
  ) throws -> (finding: PlanFinding?, gain: Gain) {
    var finding = finding
    let candidates = IndexCandidates(wish, types: tables.types, bare: false)
    let (best, tried) = try best(of: candidates.options, trial, tables)
    var gain = best.map { Self.gain(from: before, to: $0.cost) } ?? .none
    var bare = try BareProof(trial, tables).step(wish)
    let isUnasked = bare == nil
    // Of an expression the planner knows nothing, and takes few rows for it; of the column it knows that they are many.
    if bare?.gain == Gain.none {
      bare = nil
      if best.map({ $0.option.contains(where: IndexCandidates.hasExpression) }) ?? false { gain = .none }
    }
    // Where an index on columns does as well for the statement as it stands, nothing need be written otherwise.
    if let best, gain != .none, !best.option.contains(where: IndexCandidates.hasExpression),
      let rest = bare?.rest, best.cost / max(before, 0.01) <= 2 * rest
    {
      bare = nil
    }
    guard gain != .none || bare != nil else {
      let other = candidates.otherStep(tables)
      if finding.needsIndex, other == nil { return (nil, gain) }
      let unseen = tried.last { option in option.contains { IndexCandidates.hasExpression($0) } }
      if let unseen, !tables.isFirst(in: trial.request.sql) {
        finding.nextStep =
          "\(tables.ddl(unseen)); -- not verified: HypoPG judges an index on an expression only where its table comes first in"
          + " the statement"
      } else {
        finding.nextStep =
          other
          ?? (isUnasked
            ? BareProof.unverified(wish, tables).map {
              "\($0); -- not verified: its conditions cannot be planned alone"
            }
            : nil) ?? Self.stepWithoutIndex(tried)
      }
      return (finding, gain)
    }
    var steps = bare.map { [$0.text] } ?? []
    if let best, gain != .none {
      let option = try trial.needed(of: best.option, from: before, to: best.cost, on: tables)
      steps.append(
        "\(tables.ddl(option)); -- verified with HypoPG: the statement's cost falls from \(PlanNumbers.count(before)) to"
          + " \(PlanNumbers.count(best.cost))")
    }
    finding.nextStep = steps.joined(separator: ". Or, where the statement cannot be changed: ")
    let isCause = gain == .cause || bare?.gain == .cause
    if !isCause { finding.isRootCause = false }
    return (finding, isCause ? .cause : .some)
  }

  private func best(of options: [[String]], _ trial: IndexTrial, _ tables: WishedTables) throws
    -> (best: IndexTrial.Result?, tried: [[String]])
  {
    var best: IndexTrial.Result?
    var tried: [[String]] = []
    for option in options {
      // What a candidate's shape makes impossible (a type without order) is no reason to fail.
      guard let cost = try trial.cost(with: option, on: tables) else { continue }
      tried.append(option)
      // An index more only for a real gain: the candidates go from wide to narrow.
      if best.map({ cost <= $0.cost * 1.01 }) ?? true { best = (option, cost) }
    }
    return (best, tried)
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
    StatementExplainer.staleTables, IndexProof.extensionSchema, WishedTables.columnTypes,
    WishedTables.partitionRoots,
  ]
}
