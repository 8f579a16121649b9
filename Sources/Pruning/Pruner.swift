public import Indexes
public import Postgres
public import Primitives

/// Makes plans of what to drop, and carries them out.
public struct Pruner {
  private let request: PruneRequest
  private let facts: ServerFacts
  private let audit: (Session) throws -> (catalog: Catalog, report: IndexAuditReport)

  /// - Parameter audit: reads the catalog and judges it; called for the plan, and again before each drop.
  public init(
    _ request: PruneRequest, _ facts: ServerFacts,
    audit: @escaping (Session) throws -> (catalog: Catalog, report: IndexAuditReport)
  ) {
    self.request = request
    self.facts = facts
    self.audit = audit
  }

  // MARK: Plan

  /// What would be dropped, with the proof of each. Changes nothing.
  ///
  /// - Parameters:
  ///   - session: for the audit and the what-if.
  ///   - statements: the server's dearest ones, as many as shall be planned.
  ///   - gap: why there are none, where the server does not tell.
  ///   - undo: entries of earlier runs, the newest first, whose half-dropped indexes are finished.
  ///   - check: asked again and again; what it throws ends the work.
  /// - Throws: `PostgresError`; what `audit`, `check` and the selection of tables throw.
  public func plan(
    on session: Session, statements: [ObservedStatement], gap: Reason? = nil, undo: [UndoFile.Entry] = [],
    check: @escaping () throws -> Void = {}
  ) throws -> PrunePlan {
    let (catalog, report) = try audit(session)
    let tables = try request.tables.names(in: catalog)
    let found = PruneCandidate.all(in: report, catalog, kinds: request.kinds, tables: tables)
    let candidates = found.filter { !request.accepts($0, at: catalog.facts.now) }
    var plan = PrunePlan(facts: facts)
    plan.catalogFacts = catalog.facts
    plan.doubts = report.trust.doubts
    plan.acceptedCount = found.count - candidates.count
    plan.reviewCount = report.findings.count {
      $0.verdict == .review && request.kinds.contains($0.kind) && tables.contains($0.table)
    }
    plan.items =
      Self.unfinished(undo, catalog, kinds: request.kinds, tables: tables) + candidates.map { PruneItem($0) }
    if !candidates.contains(where: \.isOwned) {
      for position in plan.items.indices where plan.items[position].candidate != nil {
        plan.items[position].heldBack = .notOwner
      }
      return plan
    }
    let whatIf = try WhatIf(session, facts, statements, gap: gap, check: check)
    plan.statementsPlanned = whatIf.statementsPlanned
    plan.unexplained = whatIf.unexplained
    // Two indexes that stand in for each other hurt only together: each is judged without those before it, too.
    var gone: [PruneCandidate] = []
    for position in plan.items.indices {
      guard let candidate = plan.items[position].candidate else { continue }
      guard candidate.isOwned else {
        // Whatever its plans would be, this role cannot drop it.
        plan.items[position].heldBack = .notOwner
        continue
      }
      let proof = try whatIf.proof(of: candidate, with: gone)
      plan.items[position].proof = proof
      plan.items[position].heldBack = Self.heldBack(candidate, proof, request)
      if plan.items[position].heldBack == nil { gone.append(candidate) }
    }
    return plan
  }

  /// Indexes that an earlier run has left half dropped: those of its undo file that are not whole now, of the kinds and tables
  /// that are asked about. When it was killed a moment ago, the server may still be at work on one.
  static func unfinished(
    _ undo: [UndoFile.Entry], _ catalog: Catalog, kinds: Set<Finding.Kind>, tables: Set<RelationName>
  ) -> [PruneItem] {
    let entries = Dictionary(grouping: undo) { $0.restoration.index }
    if entries.isEmpty { return [] }
    return catalog.sortedIndexes.compactMap { index in
      guard !index.isWhole, index.constraint == nil, tables.contains(catalog.tableName(index)),
        let entry = entries[index.name]?.first(where: {
          ExactText($0.restoration.definition) == ExactText(index.definition)
        }), Finding.Kind(rawValue: entry.kind).map(kinds.contains) ?? true
      else { return nil }
      return PruneItem(unfinished: index, entry, on: catalog.tables[index.table])
    }
  }

  /// Whether an index stays although an audit would drop it. Algebra proves that a covered one is not needed, and needs no
  /// statement, unless there is one that may need it and has no plan; an unused one is judged by counters, and a plan may need it
  /// for an estimate that no counter shows.
  static func heldBack(
    _ candidate: PruneCandidate, _ proof: WhatIfProof, _ request: PruneRequest
  ) -> HoldBack? {
    if !candidate.isOwned { return .notOwner }
    if candidate.index.isPartitioned { return .notConcurrent }
    if !proof.worse.isEmpty, !request.acceptsWorse { return .worse }
    if let gap = proof.gap, !request.acceptsUnproven,
      !candidate.isCovered || gap.code == WhatIfProof.statementUnexplained
    {
      return .unproven
    }
    return nil
  }

  // MARK: Execution

  /// Drops what the plan does not hold back, one after another. The undo file must be on disk.
  ///
  /// - Parameters:
  ///   - session: outside a transaction, not behind a pooler. A signal must not cancel its statements: a DROP that is
  ///     cancelled leaves half an index.
  ///   - shouldStop: asked before each drop and each further attempt; what is not done then is `notTried`.
  ///   - onResult: told after each index.
  /// - Returns: an outcome for each item that is not held back, in the order of the plan. It throws nothing: what ends
  ///   the connection is the outcome of the index at hand.
  public func execute(
    _ plan: PrunePlan, on session: Session, patience: Patience, shouldStop: @escaping () -> Bool,
    onWait: @escaping (PruneItem, [String], Duration) -> Void, onResult: (PruneItem, DropOutcome) -> Void
  ) -> [DropOutcome] {
    FaultPoint.undoWritten.reach()
    var outcomes: [DropOutcome] = []
    // Behind one that nobody lets through the others of its table would only be left half dropped as well.
    var stuck: [RelationName: [String]] = [:]
    for item in plan.dropped {
      guard !shouldStop(), session.isOpen else {
        outcomes.append(.notTried)
        continue
      }
      if let holders = stuck[item.restoration.table] {
        outcomes.append(.blocked(holders: holders, isHalfDropped: item.candidate == nil))
        continue
      }
      let dropper = IndexDropper(
        item: item, audit: audit,
        patient: PatientSession(
          session: session, patience: patience,
          check: { if shouldStop() { throw Stopped() } }, onWait: { onWait(item, $0, $1) }))
      let outcome = dropper.drop()
      onResult(item, outcome)
      outcomes.append(outcome)
      if case .blocked(let holders, _) = outcome { stuck[item.restoration.table] = holders }
      if case .dropped = outcome { FaultPoint.dropped.reach() }
    }
    return outcomes
  }
}

/// Somebody asked to stop.
struct Stopped: Error {}

/// What became of an index that was to be dropped.
public enum DropOutcome: Sendable {
  case dropped
  /// Somebody else has dropped it meanwhile.
  case gone
  /// The audit does not want it dropped any more; nothing was done.
  case changed(Reason)
  /// Somebody held a lock on its table at each attempt.
  case blocked(holders: [String], isHalfDropped: Bool)
  case failed(any Failure, isHalfDropped: Bool)
  /// The run was stopped before.
  case notTried

  /// The word for it in JSON.
  public var name: String {
    switch self {
    case .dropped: "dropped"
    case .gone: "gone"
    case .changed: "changed"
    case .blocked: "blocked"
    case .failed: "failed"
    case .notTried: "not_tried"
    }
  }

  /// Whether the index is not there any more.
  public var isDone: Bool {
    switch self {
    case .dropped, .gone: true
    case .changed, .blocked, .failed, .notTried: false
    }
  }

  /// Whether writes maintain the index and no query uses it.
  public var isHalfDropped: Bool {
    switch self {
    case .blocked(_, let isHalf), .failed(_, let isHalf): isHalf
    case .dropped, .gone, .changed, .notTried: false
    }
  }
}
