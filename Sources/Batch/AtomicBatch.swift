internal import Ledger
internal import Postgres
internal import Primitives
internal import Wallet

/// A batch that is carried out whole or not at all: one transaction over all rows.
///
/// All wallets of the file are locked first, in the order that every program locks in; a set of them is kept in
/// memory. Then the rows are carried out chunk by chunk inside the transaction. One refused row, and it is rolled
/// back: nothing is recorded, no key is used up. The record of the batch is written in the same transaction.
struct AtomicBatch {
  let batch: BatchRun
  let plan: BatchPlan

  /// Assets that one statement locks.
  private static let lockCount = 10_000
  /// Rows that are carried out in one step of the transaction, where nobody says how many.
  private static let chunkSize = 2000

  /// - Returns: the tally, and when the round began; nil where nothing was carried out.
  /// - Throws: `OutcomeUnknown`; other failures mean that nothing was changed.
  func run(
    _ files: OutcomeFiles, _ count: @escaping (Int) -> Void
  ) throws -> (tally: BatchTally, round: Timestamp?) {
    var files = files
    var backoff = Backoff(RetryPolicy(attempts: 8, budget: .seconds(60)))
    var isInDoubt = false
    var fences = batch.processor.transactionFences()
    var fencesInDoubt: [TransactionFences] = []
    FaultPoint.beforeBegin.reach()
    while true {
      var hasSentCommit = false
      do {
        let outcome = try AtomicOutcome(files, try batch.makeFiles(), isReferred: plan.keys.matters)
        let session = try batch.processor.withSession { $0 }
        fences = batch.processor.transactionFences()
        switch try attempt(session, outcome, count, &fences, &hasSentCommit) {
        case .over(let round):
          for fences in fencesInDoubt + [fences] { fences.settle(on: session) }
          return (try outcome.commit(), round)
        case .overtaken:
          files.discard()
          files = try batch.makeFiles()
        }
      } catch let error as PostgresError {
        if hasSentCommit, error.endsSession {
          isInDoubt = true
          fencesInDoubt.append(fences)
        }
        // The attempt is over, and its session with it; what was in doubt is found under its keys by the next one.
        guard isInDoubt || !batch.shouldStop(), Self.canRepeat(error), backoff.wait() else {
          throw isInDoubt ? OutcomeUnknown(key: nil, reason: error) : error
        }
        files.discard()
        files = try batch.makeFiles()
      }
    }
  }

  private enum Ending {
    /// With the beginning of the round; nil where nothing was carried out.
    case over(round: Timestamp?)
    /// Another run of the file has committed since the question for a round: its rows were taken for those of an earlier batch.
    /// It happens once, for the next attempt finds that round.
    case overtaken
  }

  private func attempt(
    _ session: Session, _ outcome: AtomicOutcome, _ count: @escaping (Int) -> Void,
    _ fences: inout TransactionFences, _ hasSentCommit: inout Bool
  ) throws -> Ending {
    defer { session.rollback() }
    _ = try session.pipeline(session.beginning())
    try lockAll(session)
    FaultPoint.afterLocks.reach()
    let registry = BatchRegistry(session: session)
    // Under the locks, so that whoever carried out the same file before has mostly committed. Not where the wallets hold
    // nothing yet: there is nothing to lock.
    let processStart = try registry.processStart()
    let (joined, now) = try registry.current(plan.digest, processStart: processStart)
    var identifiers = IdentifierGenerator()
    let size = ChunkSize(fixed: batch.options.chunkSize ?? Self.chunkSize)
    try batch.makePass(plan, round: joined, transactionStart: now, size: size).run { requests, meanwhile in
      let outcomes = try Ledger(session).post(
        requests, identifiers: &identifiers, fences: &fences)
      meanwhile()
      return outcomes
    } tell: { rows, results in
      try outcome.tell(rows, results)
      count(outcome.rows)
    }
    if outcome.isAborted { return .over(round: nil) }
    let round = try registry.begin(
      batch.registration(plan), processStart: processStart, startedAt: joined ?? now)
    if joined == nil, round != now { return .overtaken }
    FaultPoint.afterInserts.reach()
    hasSentCommit = true
    let pending = try session.send([Statement.commit()])
    FaultPoint.commitSent.reach()
    _ = try session.receive(pending)
    FaultPoint.afterCommit.reach()
    return .over(round: round)
  }

  private func lockAll(_ session: Session) throws {
    let ledger = Ledger(session)
    var assets: Set<AssetKey> = []
    try batch.makePass(plan, round: nil, size: ChunkSize(fixed: Self.chunkSize)).forEachChunk { requests in
      assets.formUnion(try ledger.assets(of: requests))
    }
    var rest = assets.sorted()[...]
    assets = []
    while !rest.isEmpty {
      try ledger.lock(rest.prefix(Self.lockCount))
      rest = rest.dropFirst(Self.lockCount)
    }
  }

  /// What may be gone at the next attempt: a deadlock, a lost connection, a lock that somebody holds, and what
  /// somebody else did between our look and our write.
  private static func canRepeat(_ error: PostgresError) -> Bool {
    if error.isTransient || error.endsSession { return true }
    guard case .server(let detail) = error else { return false }
    switch (detail.sqlState, detail.table) {
    case ("55P03", _), ("23505", "transfers"), ("23505", "hold_resolutions"), ("23505", "assets"),
      ("23503", "transactions"), ("23505", "batches"):
      return true
    default: return false
    }
  }
}
