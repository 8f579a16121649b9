public import Postgres
public import Primitives
public import Wallet

/// Carries transfers out: one short transaction a chunk, tried again where that is safe, and settled by key
/// where the answer to COMMIT was lost.
///
/// Two round trips a chunk: BEGIN, locks and reads; then writes and COMMIT. Between them the rules run as a
/// fold over values (`TransferFold`). The session is opened when it is first needed and again after a loss.
///
/// Running a chunk again is always safe, because every request has a key: what had been committed after all is
/// found under it.
public final class TransferProcessor {
  private let connect: () throws -> Session
  private let fence: (any CommitFence)?
  private let policy: RetryPolicy
  private let shouldStop: () -> Bool
  private var identifiers = IdentifierGenerator()
  private var session: Session?
  /// Chunks that the session has carried out.
  private var chunks = 0
  /// Whether the last chunk that was looked up had only keys that were never used.
  private var expectsNewKeys = true
  /// Scales of the currencies seen so far.
  private var scales: [String: Int] = [:]

  /// - Parameters:
  ///   - fence: raised before each COMMIT; nil where nobody keeps copies of the ledger's rows.
  ///   - shouldStop: asked before each further attempt; true ends the work as soon as the outcome is certain.
  ///   - connect: opens a session. The first failure to connect is final; after a loss it is tried again.
  public init(
    policy: RetryPolicy = RetryPolicy(), fence: (any CommitFence)? = nil,
    shouldStop: @escaping () -> Bool = { false }, connect: @escaping () throws -> Session
  ) {
    self.policy = policy
    self.fence = fence
    self.shouldStop = shouldStop
    self.connect = connect
  }

  /// The ids of wallets that people named; see `Ledger.identifiers(of:)`.
  public func identifiers(of references: [WalletReference]) throws -> [WalletReference: Identifier] {
    try withSession { try Ledger($0).identifiers(of: references) }
  }

  /// What a transaction of the caller's on the lent session fences.
  public func transactionFences() -> TransactionFences { TransactionFences(fence) }

  /// Lends the session to something that may be done twice, such as a read. It is done again over a new connection
  /// when the one that was in use is lost.
  public func withSession<T>(_ body: (Session) throws -> T) throws -> T {
    var isConnected = session != nil
    var backoff = Backoff(policy)
    while true {
      do {
        let session = try openSession()
        isConnected = true
        return try body(session)
      } catch let error as PostgresError {
        if let session, session.isOpen { session.rollback() } else { session = nil }
        guard isConnected, error.endsSession || error.isTransient, !shouldStop(), backoff.wait() else {
          throw error
        }
      }
    }
  }

  /// Carries out requests as if they were sent one after another, all in one transaction.
  ///
  /// - Parameter meanwhile: runs once, while the server writes and commits; the session is not to be used in it.
  /// - Returns: one outcome a request, in their order.
  /// - Throws: `OutcomeUnknown` when COMMIT was sent and could not be settled; other failures mean that nothing
  ///   was changed.
  public func process(
    _ requests: [TransferRequest], meanwhile: () -> Void = {}
  ) throws -> [TransferOutcome] {
    var chunk = TransferChunk(requests: requests)
    var attempt = Attempt(fences: transactionFences())
    var backoff = Backoff(policy)
    FaultPoint.beforeBegin.reach()
    while true {
      attempt.begin(transactionFences())
      do {
        let session = try openSession()
        attempt.isConnected = true
        let outcomes = try run(&chunk, on: session, &attempt, meanwhile)
        for fences in attempt.fencesInDoubt + [attempt.fences] { fences.settle(on: session) }
        return outcomes
      } catch let error as PostgresError {
        if let session, session.isOpen { session.rollback() } else { session = nil }
        if attempt.isInDoubt(after: error) {
          attempt.isCommitInDoubt = true
          attempt.fencesInDoubt.append(attempt.fences)
        }
        attempt.isRepeated = true
        if !attempt.canRepeat(after: error) || stopsNow(attempt) || !backoff.wait() {
          throw attempt.isCommitInDoubt ? OutcomeUnknown(key: requests.first?.key, reason: error) : error
        }
      }
    }
  }

  /// What the requests would come to now, without writing or locking anything. The codes are those of
  /// `process`; identifiers and balances are what they would be.
  public func rehearse(_ requests: [TransferRequest]) throws -> [TransferOutcome] {
    let session = try openSession()
    var rehearsal = TransferRehearsal()
    return try session.transaction(.snapshot) {
      try rehearsal.rehearse(requests, on: session) { _ in false }
    }
  }

  /// What has been tried so far for one chunk.
  fileprivate struct Attempt {
    var isConnected = false
    /// The caller's own work was done in the first attempt that came so far.
    var hasWorkedMeanwhile = false
    /// An earlier attempt failed: nothing is left to hope.
    var isRepeated = false
    /// COMMIT is on its way in the running attempt.
    var hasSentCommit = false
    /// The answer to a COMMIT was lost, in this attempt or an earlier one.
    var isCommitInDoubt = false
    /// What the running attempt sends.
    var sending: [Sent] = []
    /// What the running attempt fences.
    var fences: TransactionFences
    /// What earlier attempts fenced whose answer to COMMIT was lost. Those that were rolled back need no care.
    var fencesInDoubt: [TransactionFences] = []
    /// What attempts before it sent: found under its key, it is ours and no replay.
    private var sentBefore: Set<Sent> = []

    /// What a request left in the database, told apart from what others may have left under the same key.
    enum Sent: Hashable {
      case transfer(Identifier)
      case resolution(of: Identifier, key: String, at: Timestamp)
    }

    init(fences: TransactionFences) { self.fences = fences }

    /// Begins with the next attempt.
    mutating func begin(_ fences: TransactionFences) {
      self.fences = fences
      hasSentCommit = false
      sentBefore.formUnion(sending)
      sending = []
    }

    /// Outcomes as the caller should see them: what an earlier attempt of the same call stored is new to him. Only
    /// the first row with a key carried it out; another with the same key is a replay all the same.
    func claimed(_ outcomes: [TransferOutcome]) -> [TransferOutcome] {
      var unclaimed = sentBefore
      return outcomes.map { outcome in
        guard outcome.replayed, let transfer = outcome.transfer else { return outcome }
        let found = outcome.resolution.map(Sent.init) ?? .transfer(transfer.id)
        guard unclaimed.remove(found) != nil else { return outcome }
        var own = outcome
        own.code = transfer.refusal ?? .created
        own.replayed = false
        return own
      }
    }

    func isInDoubt(after error: PostgresError) -> Bool {
      if case .notReplicated = error { return true }
      return hasSentCommit && error.endsSession
    }

    func canRepeat(after error: PostgresError) -> Bool {
      if error.isTransient { return true }
      if case .server(let detail) = error {
        // 23505: somebody else stored the same key, or created the same asset. 23503: a wallet was frozen or
        // closed while its first asset was created. The next attempt sees it and answers by the rules.
        switch (detail.sqlState, detail.table) {
        case ("23505", "transfers"), ("23505", "hold_resolutions"), ("23505", "assets"),
          ("23503", "transactions"):
          return true
        default: break
        }
      }
      return error.endsSession && isConnected
    }
  }

  /// A stop is honoured at once where it leaves nothing uncertain.
  private func stopsNow(_ attempt: Attempt) -> Bool { !attempt.isCommitInDoubt && shouldStop() }

  private func openSession() throws -> Session {
    if let session, session.isOpen { return session }
    let opened = try connect()
    session = opened
    chunks = 0
    return opened
  }

  /// BEGIN. A session that comes to its second chunk will see many, and is told to keep its plans: in a round
  /// trip of its own, because a setting is rolled back with its transaction. Behind a pooler the session is
  /// another one each time, and the settings end with the transaction.
  private func opening(_ session: Session) throws(PostgresError) -> [BoundStatement] {
    defer { chunks += 1 }
    if chunks == 1, try !session.isShared() { try session.query(TransferStatements.settle(false)) }
    return session.beginning() + (chunks > 0 && session.isPooled ? [TransferStatements.settle(true)] : [])
  }

  /// Opens the transaction, locks, reads, and carries the requests out in memory.
  ///
  /// A session that has seen chunks before hopes that keys are new, and leaves out to look them up: storing them
  /// tells. One that met an old key looks again, until a chunk without any.
  private func decide(
    _ chunk: inout TransferChunk, on session: Session, _ attempt: inout Attempt
  ) throws(PostgresError) -> (fold: TransferFold, outcomes: [TransferOutcome]) {
    var opening = try opening(session)
    if chunk.hasReferences {
      guard let found = try session.pipeline(opening + [chunk.finding()]).last else { return try missing() }
      try chunk.refer(to: found)
      opening = []
    } else if expectsNewKeys, !attempt.isRepeated, !scales.isEmpty {
      let results = try attempt.fences.ask(opening + [chunk.locking()], on: session)
      guard let assets = results.last else { return try missing() }
      FaultPoint.afterLocks.reach()
      if let hopeful = try chunk.hopefulFold(assets: assets, scales: scales, identifiers: identifiers) {
        return hopeful
      }
      return try settled(chunk, [assets] + session.pipeline(chunk.asking()), on: session)
    }
    let results = try attempt.fences.ask(opening + chunk.reading(locked: true), on: session)
    FaultPoint.afterLocks.reach()
    return try settled(chunk, Array(results.dropFirst(opening.count)), on: session)
  }

  private func settled(
    _ chunk: TransferChunk, _ results: [Rows], on session: Session
  ) throws(PostgresError) -> (fold: TransferFold, outcomes: [TransferOutcome]) {
    let (fold, outcomes) = try chunk.fold(results, identifiers: identifiers, on: session)
    expectsNewKeys = !outcomes.contains { $0.replayed || $0.code == .keyReusedWithDifferentRequest }
    // A currency's scale never changes; there are few currencies.
    for (request, outcome) in zip(chunk.requests, outcomes) where !request.kind.isSequel {
      scales[request.currency] = outcome.scale
    }
    return (fold, outcomes)
  }

  private func missing<T>() throws(PostgresError) -> T {
    throw .misuse("a pipeline returned fewer results than it has statements")
  }

  private func run(
    _ chunk: inout TransferChunk, on session: Session, _ attempt: inout Attempt, _ meanwhile: () -> Void
  ) throws(PostgresError) -> [TransferOutcome] {
    let (fold, outcomes) = try decide(&chunk, on: session, &attempt)
    identifiers = fold.identifiers
    var writes = fold.writing()
    if writes.isEmpty {
      if attempt.isCommitInDoubt {
        // It is found after all. Whether a synchronous standby has it, too, is known when this COMMIT returns: it wrote
        // down the locks on the assets, so it waits for the standby as the lost one did.
        attempt.hasSentCommit = true
        try session.query(Statement.commit())
      } else {
        session.rollback()
      }
      if !attempt.hasWorkedMeanwhile { meanwhile() }
      return attempt.claimed(outcomes)
    }
    if FaultPoint.afterInserts.isArmed {
      _ = try session.pipeline(writes)
      FaultPoint.afterInserts.reach()
      writes = []
    }
    attempt.sending =
      fold.transfers.map { .transfer($0.id) } + fold.resolved.compactMap(\.resolution).map(Attempt.Sent.init)
    let writing = try attempt.fences.send(writes, changing: fold.changedRows, on: session)
    attempt.hasSentCommit = true
    let pending = try attempt.fences.complete(writing, with: [Statement.commit()], on: session)
    FaultPoint.commitSent.reach()
    if !attempt.hasWorkedMeanwhile {
      attempt.hasWorkedMeanwhile = true
      meanwhile()
    }
    try attempt.fences.receive(pending, on: session)
    FaultPoint.afterCommit.reach()
    return attempt.claimed(outcomes)
  }
}

extension TransferProcessor.Attempt.Sent {
  init(_ resolution: HoldResolution) {
    self = .resolution(of: resolution.holdID, key: resolution.key, at: resolution.createdAt)
  }
}

/// COMMIT was sent and no answer came: the money moved, or it did not.
public struct OutcomeUnknown: Failure {
  /// The key by which it can be settled; nil for an empty chunk.
  public let key: String?
  /// What happened to the connection.
  public let reason: PostgresError

  public init(key: String?, reason: PostgresError) {
    self.key = key
    self.reason = reason
  }

  public var code: String { "outcome_unknown" }
  public var message: String {
    if case .notReplicated = reason { return reason.message }
    return "COMMIT was sent and no answer came, so the outcome is unknown (\(reason.message))"
  }
  public var hint: String? {
    key.map {
      "settle it with `ironforge transfer resolve \($0)`, or send the same request again with --key \($0)"
    }
  }
  public var isRetryable: Bool { true }
  public var kind: FailureKind { .outcomeUnknown }
}
