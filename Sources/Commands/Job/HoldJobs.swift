import Jobs
import Ledger
import Postgres
import Primitives
import Wallet

/// Captures open holds, each whole. What a rule refuses (a frozen wallet) is set aside, and the run goes on.
struct SettlePendingJob: Job {
  /// Only holds that are at least so many seconds old.
  let olderThanSeconds: Int64
  /// Raised before the COMMIT of each chunk.
  let fence: (any CommitFence)?

  static let name = "settle-pending"
  var name: String { Self.name }
  var options: [String: String] { ["older_than_seconds": "\(olderThanSeconds)"] }
  // Chunks that touch one wallet wait for each other: more of them at a time than this only wait.
  var limits: JobLimits { JobLimits(concurrency: 8) }
  var isRepeatable: Bool { true }

  func prepare(_ session: Session) throws -> any PreparedJob {
    let due = """
      (expires_at is null or expires_at > now()) and created_at <= now() - make_interval(secs => \(olderThanSeconds))
      """
    return PreparedHoldJob(keys: .holds(where: due), verb: "capture", fence: fence, work: Self.capture)
  }

  /// The key is made of run and hold: a chunk that is tried again finds what it did.
  private static func capture(
    _ ids: [Identifier], _ run: Identifier, _ session: Session, _ fences: inout TransactionFences
  ) throws -> ChunkWork {
    var identifiers = IdentifierGenerator()
    let requests = ids.map {
      TransferRequest(key: "settle:\(run):\($0)", kind: .capture, ref: $0.description)
    }
    let outcomes = try Ledger(session).post(requests, identifiers: &identifiers, fences: &fences)
    var work = ChunkWork(visited: Int64(ids.count), affected: 0)
    for (id, outcome) in zip(ids, outcomes) {
      switch outcome.code {
      case let code where code.isSuccess: work.affected += 1
      // Somebody was faster, or its time has passed: nothing is left to settle.
      case .holdNotPending, .holdExpired: break
      case let code:
        work.failures.append(
          ItemFailure(key: [id.description], code: code.rawValue, message: code.sentence))
      }
    }
    return work
  }
}

extension SettlePendingJob {
  /// Makes the job again out of the options of a run; nil where they are none of this job.
  init?(options: [String: String], fence: (any CommitFence)?) {
    guard let seconds = options["older_than_seconds"].flatMap({ Int64($0) }), seconds >= 0 else { return nil }
    olderThanSeconds = seconds
    self.fence = fence
  }
}

/// Frees holds whose time has passed.
struct ExpireHoldsJob: Job {
  /// Raised before the COMMIT of each chunk.
  let fence: (any CommitFence)?

  static let name = "expire-holds"
  var name: String { Self.name }
  var options: [String: String] { [:] }
  var limits: JobLimits { JobLimits(concurrency: 8) }
  var isRepeatable: Bool { true }

  func prepare(_ session: Session) throws -> any PreparedJob {
    PreparedHoldJob(keys: .holds(where: "expires_at <= now()"), verb: "free", fence: fence) {
      ids, _, session, fences in
      let freed = try Ledger(session).expireHolds(ids, fences: &fences)
      return ChunkWork(visited: Int64(ids.count), affected: Int64(freed))
    }
  }
}

extension KeySource {
  /// Open holds by id, which is by age; along the index on them.
  fileprivate static func holds(where predicate: String) -> KeySource {
    KeySource(
      relation: "(select * from public.transfers where status = 'pending')",
      columns: [KeySource.Column(name: "id", quoted: "id", type: "uuid", arrayType: .uuidArray)],
      predicate: predicate)
  }
}

/// Work on holds, inside the chunk's transaction.
private struct PreparedHoldJob: PreparedJob {
  let keys: KeySource
  /// As in "capture 12 holds".
  let verb: String
  let fence: (any CommitFence)?
  let work: @Sendable ([Identifier], _ run: Identifier, Session, inout TransactionFences) throws -> ChunkWork

  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    let ids = try holds(of: chunk, session)
    if ids.isEmpty { return ChunkWork(visited: 0, affected: 0) }
    var fences = TransactionFences(fence)
    var work = try work(ids, chunk.run, session, &fences)
    work.afterCommit = { [fences] in fences.settle(on: $0) }
    return work
  }

  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    let ids = try holds(of: chunk, session)
    return ["the first chunk would \(verb) \(ids.count) hold\(ids.count == 1 ? "" : "s"):"]
      + ids.prefix(20).map(\.description) + (ids.count > 20 ? ["…"] : [])
  }

  private func holds(of chunk: Chunk, _ session: Session) throws -> [Identifier] {
    try session.query(keys.keys(of: chunk)).map { row in
      guard let id = Identifier(try row.decode(0, as: [String].self).first ?? "") else {
        throw PostgresError.decoding("an id of a hold that is none")
      }
      return id
    }
  }
}
