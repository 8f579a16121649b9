internal import Postgres
internal import Primitives
internal import Synchronization

/// How a chunk's task ended.
enum ChunkResult: Sendable {
  /// The work is committed.
  case done(ChunkWork)
  /// Its only row was set aside.
  case setAside(ItemFailure)
  /// It was cut in two.
  case split([Chunk])
  /// It had been done before, or belongs to another owner by now.
  case gone
  /// Somebody else has it: the backend of a process that died, which the server has not noticed yet.
  case locked
  case failed(ChunkError)
}

/// Which run chunks belong to, and who works on them.
struct RunTicket: Sendable {
  let run: Identifier
  let attempt: Int32
  /// A run whose failed rows are tried again; nil for a run over a table.
  let retries: Identifier?
}

/// Carries out one chunk after another, on a connection of its own.
final class ChunkWorker: Sendable {
  private let prepared: any PreparedJob
  private let ticket: RunTicket
  private let keeper: ConnectionKeeper
  private let activeBackend = Mutex<Int32?>(nil)

  /// After so long a server ends a transaction in which nothing happens.
  private static let idleTimeoutMilliseconds = "60000"

  init(
    _ prepared: any PreparedJob, ticket: RunTicket, connect: @escaping @Sendable () async throws -> Connection
  ) {
    self.prepared = prepared
    self.ticket = ticket
    keeper = ConnectionKeeper(connect)
  }

  /// The backend that has a chunk of this worker in a transaction.
  var backend: Int32? { activeBackend.withLock { $0 } }

  func close() async { await keeper.close() }

  /// Carries out one task in one transaction. What it leaves open is rolled back by the connection.
  func perform(_ task: ChunkTask) async -> ChunkResult {
    defer { activeBackend.withLock { $0 = nil } }
    do {
      return try await keeper.withSession { session in
        if let obstacle = try self.claim(task.chunk, session) { return obstacle }
        FaultPoint.claimed.reach()
        switch task.kind {
        case .work: return try self.work(task.chunk, session)
        case .isolate(let code, let message):
          return try self.isolate(task.chunk, code: code, message: message, session)
        }
      }
    } catch {
      return .failed(ChunkError(error))
    }
  }

  /// Opens the transaction and locks the chunk.
  ///
  /// - Returns: nil once it is ours.
  private func claim(_ chunk: Chunk, _ session: Session) throws -> ChunkResult? {
    let results = try session.pipeline(
      session.beginning() + [
        JobStatements.localIdleTimeout(Self.idleTimeoutMilliseconds),
        JobStatements.lockChunk(chunk.run, chunk.number, ticket.attempt),
        JobStatements.isChunkOpen(chunk.run, chunk.number),
      ])
    guard let locked = results.dropLast().last, let isOpen = results.last?.first else {
      throw PostgresError.misuse("a pipeline returned fewer results than it has statements")
    }
    guard let row = locked.first else { return try isOpen.decode(0) ? .locked : .gone }
    let backend: Int32 = try row.decode(0)
    activeBackend.withLock { $0 = backend }
    return nil
  }

  private func work(_ chunk: Chunk, _ session: Session) throws -> ChunkResult {
    if !prepared.isTransactional { return try workApart(chunk, session) }
    let work = try prepared.work(chunk, session)
    FaultPoint.worked.reach()
    try commit(recording(work.failures) + [finished(chunk, work)] + retried(chunk), session)
    work.afterCommit?(session)
    return .done(work)
  }

  /// Work that cannot be in a transaction: the claim only tells that the chunk is still to be done, and it is claimed again to
  /// record it.
  private func workApart(_ chunk: Chunk, _ session: Session) throws -> ChunkResult {
    session.rollback()
    let work = try prepared.work(chunk, session)
    FaultPoint.worked.reach()
    if let obstacle = try claim(chunk, session) { return obstacle }
    try commit(recording(work.failures) + [finished(chunk, work)] + retried(chunk), session)
    work.afterCommit?(session)
    return .done(work)
  }

  /// Cuts a chunk that failed in two, or sets its only row aside.
  private func isolate(
    _ chunk: Chunk, code: String, message: String, _ session: Session
  ) throws -> ChunkResult {
    let keys = try session.query(prepared.keys.keys(of: chunk)).map { row throws(PostgresError) -> [String] in
      try row.decode(0)
    }
    guard let first = keys.first, let last = keys.last else {
      // The rows that were at fault are gone.
      try commit([finished(chunk, ChunkWork(visited: 0, affected: 0))], session)
      return .done(ChunkWork(visited: 0, affected: 0))
    }
    if keys.count == 1 {
      let failure = ItemFailure(key: first, code: code, message: message)
      let work = ChunkWork(visited: 1, affected: 0, failures: [failure])
      try commit(recording([failure]) + [finished(chunk, work)] + retried(chunk), session)
      return .setAside(failure)
    }
    let middle = keys.count / 2
    var halves: [Chunk] = []
    for (start, end, count) in [
      (first, keys[middle - 1], middle), (keys[middle], last, keys.count - middle),
    ] {
      let inserted = try session.query(JobStatements.insertChunk(chunk.run, start, end, Int64(count)))
      halves.append(
        Chunk(
          run: chunk.run, number: try inserted[0].decode(0), first: start, last: end, rows: Int64(count)))
    }
    FaultPoint.split.reach()
    try commit([JobStatements.deleteChunk(chunk.run, chunk.number)], session)
    return .split(halves)
  }

  private func finished(_ chunk: Chunk, _ work: ChunkWork) -> BoundStatement {
    JobStatements.finishChunk(
      chunk.run, chunk.number, work.visited, work.affected, Int64(work.failures.count))
  }

  private func recording(_ failures: [ItemFailure]) -> [BoundStatement] {
    failures.map { JobStatements.insertFailure(ticket.run, $0.key, $0.code, $0.message) }
  }

  /// A row that is tried again is none of the earlier run's failures any more. Such a chunk has one row.
  private func retried(_ chunk: Chunk) -> [BoundStatement] {
    ticket.retries.map { [JobStatements.markRetried($0, chunk.first, ticket.run)] } ?? []
  }

  /// Sends the last statements and COMMIT in one round trip.
  private func commit(_ statements: [BoundStatement], _ session: Session) throws {
    let pending = try session.send(statements + [Statement.commit()])
    FaultPoint.commitSent.reach()
    let results = try session.receive(pending)
    FaultPoint.committed.reach()
    // Where the job has swallowed an error, the server answers COMMIT with a rollback.
    guard results.last?.commandTag == "COMMIT" else {
      throw PostgresError.misuse("the job went on in a transaction that had failed")
    }
  }
}
