public import Ledger
internal import Postgres
public import Primitives
internal import Wallet

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a batch run is asked to do besides moving money.
public struct BatchOptions: Sendable {
  /// Where the outcome of each row is written; nil for nowhere.
  public var outcomePath: String?
  /// Where the refused rows go that may succeed later; nil for nowhere.
  public var retryPath: String?
  /// Rows a chunk; nil to choose by itself.
  public var chunkSize: Int?
  /// All rows or none.
  public var isAtomic = false
  /// Writes nothing to the database.
  public var isDryRun = false
  /// A file that was edited after a run of it was cut short is a batch of its own.
  public var isNewBatch = false

  public init() {}
}

/// What a batch came to.
public struct BatchReport: Sendable {
  public let tally: BatchTally
  /// Nanoseconds from the start of the run, reading included.
  public let nanoseconds: Int64
  /// Whether rows were refused in an atomic batch, so that nothing was carried out.
  public let isAborted: Bool
}

/// Carries out a batch file: a large file of transfers, as if they were sent one after another in its order.
///
/// The file is read twice. The first time nothing moves: it is checked, counted and hashed. The second time its rows
/// are carried out, a chunk a transaction, by the `TransferProcessor`, which also settles what a lost connection
/// leaves in doubt. What became of each row is written to an outcome file, which appears when all is done.
///
/// A run that was cut short, by `kill -9` or anything else, is completed by running the same file again: rows have
/// keys, and `BatchRegistry` tells which of them the earlier run has carried out. Call `finish` when the outcome has
/// reached the user; until then the batch counts as unfinished.
public final class BatchRun {
  let source: BatchSource
  let options: BatchOptions
  let processor: TransferProcessor
  let shouldStop: () -> Bool
  private let start = monotonicNanoseconds()
  private var plan: BatchPlan?
  /// When the round began that this run belongs to.
  private var round: Timestamp?
  private var done = 0

  /// - Parameter shouldStop: asked between chunks; true ends the work there.
  public init(
    _ source: BatchSource, options: BatchOptions, processor: TransferProcessor,
    shouldStop: @escaping () -> Bool = { false }
  ) {
    self.source = source
    self.options = options
    self.processor = processor
    self.shouldStop = shouldStop
  }

  /// Carries the batch out.
  ///
  /// - Parameter progress: is told how many rows are done, of how many, while the server works.
  /// - Throws: `InputError` for a file that cannot be told apart into rows, before any money moves;
  ///   `batch_file_edited`; `output_failed`; `BatchInterrupted` where something ends the work in its middle.
  public func run(progress: @escaping (Int, Int) -> Void = { _, _ in }) throws -> BatchReport {
    try refuseToOverwriteInput()
    // What cannot be written later is better known now.
    let files = try makeFiles()
    let plan = try BatchPlan(of: source)
    self.plan = plan
    try refuseEditedFile(plan)
    let isSteady = !options.isAtomic && !options.isDryRun
    let count = { (done: Int) in
      if isSteady { self.done = done }
      progress(done, plan.rows)
    }
    do {
      return try run(plan, files, count)
    } catch is BatchStopped {
      throw BatchInterrupted(reason: nil, done: done, total: plan.rows, source: source.name)
    } catch let failure as any Failure where done > 0 || failure is OutcomeUnknown {
      throw BatchInterrupted(reason: failure, done: done, total: plan.rows, source: source.name)
    }
  }

  private func run(
    _ plan: BatchPlan, _ files: OutcomeFiles, _ count: @escaping (Int) -> Void
  ) throws -> BatchReport {
    if options.isDryRun {
      let rehearsal = BatchRehearsal(batch: self, plan: plan)
      let (tally, isAborted) = try rehearsal.run(files, count)
      return report(tally, isAborted: isAborted)
    }
    if options.isAtomic {
      let atomic = AtomicBatch(batch: self, plan: plan)
      let (tally, round) = try atomic.run(files, count)
      self.round = round
      return report(tally, isAborted: round == nil)
    }
    return report(try carryOut(plan, files, count), isAborted: false)
  }

  /// Marks the batch as finished: from now on its rows are told as `exists`. To be called when outcome and summary
  /// are out; harmless for a rehearsal, and for a batch that came to nothing.
  public func finish() throws {
    guard let plan, let round else { return }
    FaultPoint.beforeFinish.reach()
    try processor.withSession { try BatchRegistry(session: $0).finish(plan.digest, startedAt: round) }
  }

  /// One file for the outcome as it is, or as it would be.
  func makeFiles() throws -> OutcomeFiles {
    try OutcomeFiles(outcome: options.outcomePath, retry: options.retryPath)
  }

  func makePass(
    _ plan: BatchPlan, round: Timestamp?, transactionStart: Timestamp? = nil, size: ChunkSize? = nil
  ) throws -> BatchPass {
    try BatchPass(
      plan, source: source, processor: processor, round: round, transactionStart: transactionStart,
      size: size ?? ChunkSize(fixed: options.chunkSize), shouldStop: shouldStop)
  }

  /// As it is recorded.
  func registration(_ plan: BatchPlan) -> BatchRegistry.Batch {
    BatchRegistry.Batch(
      digest: plan.digest, keyPrefix: plan.keyPrefix, path: source.path, rows: plan.rows)
  }

  private func report(_ tally: BatchTally, isAborted: Bool) -> BatchReport {
    BatchReport(tally: tally, nanoseconds: monotonicNanoseconds() - start, isAborted: isAborted)
  }

  private func carryOut(
    _ plan: BatchPlan, _ files: OutcomeFiles, _ count: @escaping (Int) -> Void
  ) throws -> BatchTally {
    let round = try processor.withSession { session in
      let registry = BatchRegistry(session: session)
      return try registry.begin(
        registration(plan), processStart: registry.processStart(), startedAt: nil)
    }
    self.round = round
    var tally = BatchTally()
    try makePass(plan, round: round).run { requests, meanwhile in
      try carry(requests, meanwhile)
    } tell: { rows, results in
      for index in rows.indices { tally.add(rows[index], results[index]) }
      try files.write(rows, results, isReferred: plan.keys.matters)
      count(tally.rows)
    }
    try files.commit()
    return tally
  }

  /// Somebody else may hold wallets of the chunk for longer than a statement waits: it is tried again, a few times.
  private func carry(_ requests: [TransferRequest], _ meanwhile: () -> Void) throws -> [TransferOutcome] {
    var attemptsLeft = 3
    while true {
      do {
        return try processor.process(requests, meanwhile: meanwhile)
      } catch let error as PostgresError where error.sqlState == "55P03" && attemptsLeft > 1 {
        attemptsLeft -= 1
        if shouldStop() { throw error }
      }
    }
  }

  private func refuseToOverwriteInput() throws {
    for path in [options.outcomePath, options.retryPath] {
      guard let path, let input = source.path, resolvedPath(path) == input else { continue }
      throw SimpleFailure(
        .usage, code: "output_is_input", message: "\(path) is the file that is read",
        hint: "write the outcome to another file: the batch may have to be run again")
    }
  }

  /// An edited file is another batch, with other keys for rows that have none of their own: those that were paid
  /// already would be paid again.
  private func refuseEditedFile(_ plan: BatchPlan) throws {
    guard let path = source.path, plan.hasDerivedKeys else { return }
    let found = try processor.withSession { session in
      if options.isNewBatch, !options.isDryRun {
        try BatchRegistry(session: session).giveUp(path: path, digest: plan.digest)
      }
      return try BatchRegistry(session: session).abandoned(path: path, digest: plan.digest)
    }
    guard let found, !options.isNewBatch else { return }
    throw SimpleFailure(
      .refused, code: "batch_file_edited",
      message: "\(source.name) was changed after a run of it was cut short "
        + "(begun \(found.startedAt), SHA-256 \(found.digest.prefix(12))…); "
        + "rows without keys that were paid then would be paid again",
      hint:
        "put the original file back and run it to its end; or, when you are sure that nothing is paid twice, "
        + "run it with --as-new-batch")
  }
}

/// A batch that ended in its middle. What it did is done, and the same command completes it.
public struct BatchInterrupted: Failure {
  /// Why; nil where somebody asked it to stop.
  public let reason: (any Failure)?
  /// Rows that were told so far.
  public let done: Int
  public let total: Int
  /// The file, as the user named it.
  public let source: String

  public var code: String { reason?.code ?? "interrupted" }
  public var message: String {
    let what = done == 0 ? "no row" : "at least \(done) of the \(total) rows"
    return "\(reason?.message ?? "stopped"); \(what) of \(source) \(done > 1 ? "are" : "is") done"
  }
  public var hint: String? {
    let rest = "run the same command again: it completes the batch, and nothing is done twice"
    guard let hint = reason?.hint, reason?.kind != .outcomeUnknown else { return rest }
    return "\(hint); then \(rest)"
  }
  public var isRetryable: Bool { reason?.isRetryable ?? true }
  public var kind: FailureKind { reason?.kind ?? .interrupted }
}

/// Absolute, without symbolic links; nil where nothing has the path.
func resolvedPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}
