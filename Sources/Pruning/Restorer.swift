public import Indexes
public import Postgres
public import Primitives

/// What is to be done about one index of an undo file.
public enum RestoreAction: Sendable {
  /// There is nothing of this name.
  case create
  /// What a build or a drop has left half done goes, and the index is made again.
  case rebuild
  /// It is there, without some of what CREATE INDEX does not set.
  case complete([String])
  case present
  /// It cannot be made as things are.
  case refused(Reason)

  /// The word for it in JSON.
  public var name: String {
    switch self {
    case .create: "create"
    case .rebuild: "rebuild"
    case .complete: "complete"
    case .present: "present"
    case .refused: "refused"
    }
  }
}

/// What became of one index of an undo file.
public enum RestoreOutcome: Sendable {
  case restored
  case present
  case refused(Reason)
  /// `isLeftover`: an index that no query uses stays behind; the same command repairs it.
  case failed(any Failure, isLeftover: Bool)
  /// The run was stopped before.
  case notTried

  /// The word for it in JSON.
  public var name: String {
    switch self {
    case .restored: "restored"
    case .present: "present"
    case .refused: "refused"
    case .failed: "failed"
    case .notTried: "not_tried"
    }
  }

  /// Whether the index is there.
  public var isDone: Bool {
    switch self {
    case .restored, .present: true
    case .refused, .failed, .notTried: false
    }
  }
}

/// Makes the indexes of an undo file again, concurrently.
public struct Restorer {
  private let session: Session
  private let creating: PatientSession
  private let altering: PatientSession

  /// - Parameters:
  ///   - session: outside a transaction, not behind a pooler. A signal may cancel its statements.
  ///   - shouldStop: asked between two statements.
  ///   - onWait: told who is waited for before a further attempt.
  public init(
    _ session: Session, lockTimeout: Duration, shouldStop: @escaping () -> Bool,
    onWait: @escaping ([String], Duration) -> Void
  ) {
    self.session = session
    let check = { if shouldStop() { throw Stopped() } }
    creating = PatientSession(
      session: session, patience: .creating(lockTimeout: lockTimeout), check: check, onWait: onWait)
    altering = PatientSession(
      session: session, patience: .dropping(lockTimeout: lockTimeout), check: check, onWait: onWait)
  }

  /// What is to be done about one index. Changes nothing.
  ///
  /// - Throws: `PostgresError`.
  public func action(for restoration: IndexRestoration) throws -> RestoreAction {
    Self.action(for: restoration, try IndexState(of: restoration, session))
  }

  static func action(for restoration: IndexRestoration, _ state: IndexState) -> RestoreAction {
    func refused(_ code: String, _ sentence: String) -> RestoreAction { .refused(Reason(code, sentence)) }
    guard state.schemaExists else {
      return refused("schema_missing", "there is no schema \(restoration.index.schema) any more")
    }
    guard state.tableExists else {
      return refused("table_missing", "there is no table \(restoration.table) any more")
    }
    let starts = ["", "UNIQUE "].map {
      "CREATE \($0)INDEX \(state.quotedName) ON \(state.quotedTable) USING "
    }
    guard starts.contains(where: restoration.definition.hasPrefix),
      state.quotedIndex == restoration.index.quoted, state.quotedTable == restoration.table.quoted
    else {
      return refused("names_differ", "its definition is not that of an index of this name on this table")
    }
    // Only names that the server knows become part of a statement.
    if let lost = restoration.extensions.first(where: { !state.extensionsInstalled.contains($0) }) {
      return refused(
        "extension_missing", "there is no extension \(lost) any more, with which it would have gone")
    }
    guard state.oid != nil else { return .create }
    guard state.matches(restoration) else {
      return refused("name_taken", "the name stands for something else now")
    }
    guard !state.isInWork else { return refused("in_work", "somebody builds or drops it at this moment") }
    if !state.isWhole { return .rebuild }
    let missing = missing(restoration, state)
    return missing.isEmpty ? .present : .complete(missing)
  }

  /// What CREATE INDEX does not set, where nothing else was set since.
  private static func missing(_ restoration: IndexRestoration, _ state: IndexState) -> [String] {
    var statements = restoration.statisticsTargets.keys.sorted().filter { !state.targets.contains($0) }
      .compactMap { restoration.settingTarget(of: $0) }
    if let comment = restoration.comment, state.comment == nil {
      statements.append(restoration.setting(comment: comment))
    }
    statements += restoration.extensions.filter { !state.extensions.contains($0) }.map(restoration.depending)
    if restoration.isClustered, !state.isTableClustered { statements.append(restoration.clustering) }
    if restoration.hasExpressions, !state.hasStatistics { statements.append(restoration.analysis) }
    return statements
  }

  /// Does what is to be done about one index. It throws nothing: what ends the connection is the outcome, too.
  public func restore(_ restoration: IndexRestoration) -> RestoreOutcome {
    guard session.isOpen else { return .notTried }
    do {
      return try carryOut(restoration)
    } catch is Stopped {
      return cleanUp(restoration) ? .failed(Self.stopped, isLeftover: true) : .notTried
    } catch let error as PostgresError {
      if case .cancelled = error {
        return cleanUp(restoration) ? .failed(Self.stopped, isLeftover: true) : .notTried
      }
      return .failed(error, isLeftover: cleanUp(restoration))
    } catch let blocked as Blocked {
      let by = blocked.holders.isEmpty ? "others held" : listed(blocked.holders, "held", "held")
      let failure = SimpleFailure(
        .busy, code: "blocked", message: "\(by) a lock at each of \(blocked.attempts) attempts",
        hint: "run the same command again when they are done", isRetryable: true)
      return .failed(failure, isLeftover: cleanUp(restoration))
    } catch {
      let failure =
        (error as? any Failure) ?? SimpleFailure(.unexpected, code: "internal_error", message: "\(error)")
      return .failed(failure, isLeftover: cleanUp(restoration))
    }
  }

  private static let stopped = SimpleFailure(
    .interrupted, code: "interrupted", message: "stopped while it was made", isRetryable: true)

  private func carryOut(_ restoration: IndexRestoration) throws -> RestoreOutcome {
    switch try action(for: restoration) {
    case .present: return .present
    case .refused(let reason): return .refused(reason)
    case .complete: break
    case .create, .rebuild: try create(restoration)
    }
    FaultPoint.recreated.reach()
    let action = try action(for: restoration)
    if case .complete(let statements) = action {
      for statement in statements { try altering.send(statement, on: 0) { .send } }
      return .restored
    }
    if case .present = action { return .restored }
    throw SimpleFailure(
      .unexpected, code: "not_restored", message: "the index was made, and the catalog does not show it")
  }

  private func create(_ restoration: IndexRestoration) throws {
    // An index without a tablespace of its own goes where the database has its files.
    try session.simple("set default_tablespace = ''")
    try creating.send(restoration.creation, on: 0) {
      let state = try IndexState(of: restoration, session)
      guard case .rebuild = Self.action(for: restoration, state), let oid = state.oid else {
        return state.isWhole ? .end : .send
      }
      try altering.send("drop index concurrently \(restoration.index.quoted)", on: oid) { .send }
      return .send
    }
  }

  /// Removes what a build that failed has left behind, once.
  ///
  /// - Returns: whether anything stays.
  private func cleanUp(_ restoration: IndexRestoration) -> Bool {
    guard session.isOpen else { return true }
    do {
      let state = try IndexState(of: restoration, session)
      guard case .rebuild = Self.action(for: restoration, state) else { return false }
      try session.simple("set lock_timeout = \(altering.patience.lockTimeout.settingMilliseconds)")
      try session.simple("drop index concurrently \(restoration.index.quoted)")
      return false
    } catch {
      // Whoever runs the command again meets it, and repairs it then.
      return true
    }
  }
}
