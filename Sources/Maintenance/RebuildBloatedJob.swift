public import Indexes
public import Jobs
public import Postgres
internal import Primitives
internal import Synchronization

/// Rebuilds the indexes that the audit calls bloated, one at a time, and drops what interrupted rebuilds left.
///
/// REINDEX CONCURRENTLY cannot be part of a transaction, so it is not exactly once that an index is rebuilt: a process that is
/// killed between the rebuild and its record finds the index small when it looks again, and passes it over.
public struct RebuildBloatedJob: Job {
  private let schema: String?
  private let wasteBytes: Int64
  private let policy: RebuildPolicy
  /// What this process has done.
  public let tally = RebuildTally()

  /// - Parameters:
  ///   - schema: only indexes of this schema, by its exact name; nil for all but the system's.
  ///   - wasteBytes: only indexes that waste as much.
  ///   - patience: how long to wait for old transactions on an index's table before it is passed over.
  public init(
    schema: String? = nil, wasteBytes: Int64 = Self.wasteDefault, patience: Duration = Self.patienceDefault
  ) {
    self.schema = schema
    self.wasteBytes = wasteBytes
    policy = RebuildPolicy(patience: patience)
  }

  /// That of the audit.
  public static let wasteDefault = Thresholds().bloatWasteBytes
  public static let patienceDefault = RebuildPolicy().patience

  /// Makes the job again out of the options of a run; nil where they are none of this job.
  public init?(options: [String: String]) {
    guard let waste = options["min_waste"].flatMap(Int64.init) else { return nil }
    self.init(schema: options["schema"], wasteBytes: waste)
  }

  public static let name = "rebuild-bloated"
  public var name: String { Self.name }

  public var options: [String: String] {
    var options = ["min_waste": "\(wasteBytes)"]
    if let schema { options["schema"] = schema }
    return options
  }

  // Each reads a table whole and writes an index: two would only share the disk, and need room at the same time.
  public var limits: JobLimits { JobLimits(chunkSize: 1, concurrency: 1) }
  public var isRepeatable: Bool { true }

  public func prepare(_ session: Session) throws -> any PreparedJob {
    guard try !session.isShared() else {
      throw SimpleFailure(
        .configuration, code: "pooler_unsuitable",
        message: "REINDEX CONCURRENTLY needs a session of its own, and this connection is a pooler's",
        hint: "give the server's own address with --database-url")
    }
    var thresholds = Thresholds()
    thresholds.bloatWasteBytes = wasteBytes
    let chosen = try BloatedIndex.find(session, thresholds: thresholds)
      .filter { index in schema.map { $0 == index.name.schema } ?? true }
    let statement = MaintenanceStatements.rebuilt(serverVersion: session.serverVersion)
    var tables: Set<UInt32> = []
    for row in try session.query(statement(chosen.map { Int64($0.table) })) {
      tables.insert(try row.decode(0))
    }
    return PreparedRebuildJob(
      keys: try NameList.keys(chosen.map(\.name), as: "index_name", session), chosen: chosen,
      tables: tables, policy: policy, tally: tally)
  }
}

final class PreparedRebuildJob: PreparedJob {
  let keys: KeySource
  let chosen: [BloatedIndex]
  /// Those whose indexes the role may rebuild.
  let tables: Set<UInt32>
  let policy: RebuildPolicy
  let tally: RebuildTally

  /// Whether the leftovers were seen to.
  private let isCleared = Mutex(false)

  init(
    keys: KeySource, chosen: [BloatedIndex], tables: Set<UInt32>, policy: RebuildPolicy,
    tally: RebuildTally
  ) {
    self.keys = keys
    self.chosen = chosen
    self.tables = tables
    self.policy = policy
    self.tally = tally
  }

  var item: ItemNoun { ItemNoun("index", "indexes") }

  /// The server allows no REINDEX CONCURRENTLY in a transaction.
  var isTransactional: Bool { false }

  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    var work = ChunkWork(visited: 0, affected: 0)
    // With the first chunk of this process, whichever it is: an interrupted run that goes on has planned its chunks before the
    // leftovers were there.
    let mustClear = isCleared.withLock { isCleared in
      defer { isCleared = true }
      return !isCleared
    }
    if mustClear {
      for index in chosen where index.isLeftover { try self.work(on: index, &work, session) }
    }
    for row in try session.query(keys.keys(of: chunk)) {
      let key: [String] = try row.decode(0)
      work.visited += 1
      let index = chosen.first { [$0.name.schema, $0.name.name] == key }
      if let index, !index.isLeftover { try self.work(on: index, &work, session) }
    }
    return work
  }

  /// Why the role cannot do it; nil where it can. A leftover is dropped, which MAINTAIN does not allow.
  private func refusal(_ index: BloatedIndex) -> String? {
    if index.isLeftover ? index.isOwned : tables.contains(index.table) { return nil }
    return index.isLeftover
      ? "\(index.owner) owns it, and only that role and its members may drop it"
      : "\(index.owner) owns it: only that role, its members, and from PostgreSQL 17 on who was granted MAINTAIN may rebuild it"
  }

  private func work(on index: BloatedIndex, _ work: inout ChunkWork, _ session: Session) throws {
    if let refusal = refusal(index) {
      work.failures.append(
        ItemFailure(
          key: [index.name.schema, index.name.name], code: PlannedAnalysis.refusalCode, message: refusal))
      return
    }
    let start = monotonicNanoseconds()
    let rebuild = IndexRebuild(session, policy)
    switch index.isLeftover ? try rebuild.dropLeftover(index) : try rebuild.rebuild(index) {
    case .gone: break
    case .rebuilt(let bytes):
      FaultPoint("index-rebuilt").reach()
      work.affected += 1
      tally.add(
        RebuiltIndex(
          name: index.name, isLeftover: index.isLeftover, bytesBefore: index.sizeBytes, bytesAfter: bytes,
          duration: .nanoseconds(monotonicNanoseconds() - start)))
    case .failed(let code, let message):
      work.failures.append(
        ItemFailure(key: [index.name.schema, index.name.name], code: code, message: message))
    }
  }

  /// All of them, the largest waste first.
  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    chosen.sorted { $0.wastedBytes > $1.wastedBytes }.map { index in
      if let refusal = refusal(index) {
        return "-- not \(index.name): \(refusal)"
      }
      return index.isLeftover
        ? "drop index concurrently \(index.name)  -- left by an interrupted REINDEX"
        : "reindex index concurrently \(index.name)  -- \(index.reason)"
    }
  }
}

/// An index that was rebuilt, or dropped as a leftover.
public struct RebuiltIndex: Sendable {
  public let name: RelationName
  public let isLeftover: Bool
  public let bytesBefore: Int64
  /// 0 for one that was dropped.
  public let bytesAfter: Int64
  public let duration: Duration
}

/// What one process has rebuilt.
public final class RebuildTally: Sendable {
  private let state = Mutex<[RebuiltIndex]>([])

  /// In the order of the work.
  public var rebuilt: [RebuiltIndex] { state.withLock { $0 } }

  func add(_ index: RebuiltIndex) { state.withLock { $0.append(index) } }
}
