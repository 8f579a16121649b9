internal import Indexes
internal import Postgres
internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How long a rebuild may wait, and how often it tries.
struct RebuildPolicy: Sendable {
  /// For transactions that it would have to wait for, before it begins.
  var patience: Duration = .seconds(60)
  /// For one lock while it works. REINDEX CONCURRENTLY holds up no reader and no writer while it waits, so that it need not be
  /// as short as for a statement that does.
  var lockTimeout: Duration { min(patience, .seconds(30)) }
  /// Transactions that are younger will have ended by the time that the index is built.
  var readerAgeSeconds = 2.0
  var attemptsMax = 3
  /// For one whole rebuild.
  var timeout: Duration = .seconds(12 * 3600)
}

/// REINDEX CONCURRENTLY of one index, with what goes wrong around it. Not in a transaction: the server allows none.
struct IndexRebuild {
  private let session: Session
  private let policy: RebuildPolicy

  /// How it ended.
  enum Outcome: Equatable {
    /// Bytes of the new index.
    case rebuilt(Int64)
    /// There is nothing left to do: dropped, or rebuilt by somebody else.
    case gone
    case failed(code: String, message: String)
  }

  private static let poll = Duration.milliseconds(250)

  init(_ session: Session, _ policy: RebuildPolicy) {
    self.session = session
    self.policy = policy
  }

  /// Rebuilds the index, unless it is not the one any more that was chosen.
  ///
  /// - Throws: `CancellationError`, and `PostgresError` where no other index would fare better.
  func rebuild(_ chosen: BloatedIndex) throws -> Outcome {
    var obstacle: PostgresError?
    for attempt in 1...policy.attemptsMax {
      guard let target = try target(chosen), target.isValid, target.oid == chosen.oid,
        target.bytes * 2 > chosen.sizeBytes
      else { return .gone }
      try dropLeftovers(of: target.table)
      if let blocker = try waitForReaders(of: target.table) {
        return .failed(code: "blocked", message: blocker)
      }
      do {
        try run("reindex index concurrently \(target.quoted)")
        return .rebuilt(try self.target(chosen)?.bytes ?? 0)
      } catch {
        let failure = try tolerable(error, table: target.table)
        obstacle = failure
        guard failure.code == "lock_timeout" || failure.isTransient else {
          return .failed(code: failure.code, message: failure.message)
        }
        // The server has locked and built for nothing; the next attempt is later.
        try pause(.seconds(1 << (attempt - 1)))
      }
    }
    return .failed(
      code: obstacle?.code ?? "lock_timeout",
      message:
        "\(policy.attemptsMax) attempts failed; the last: \(obstacle?.message ?? "a lock was not to be had")")
  }

  /// Drops what an interrupted rebuild left of an index.
  ///
  /// - Throws: as `rebuild`.
  func dropLeftover(_ chosen: BloatedIndex) throws -> Outcome {
    guard let target = try target(chosen), !target.isValid else { return .gone }
    guard try leftovers(of: target.table).contains(target.quoted) else { return .gone }
    for attempt in 1...policy.attemptsMax {
      if let blocker = try waitForReaders(of: target.table) {
        return .failed(code: "blocked", message: blocker)
      }
      do {
        try run("drop index concurrently if exists \(target.quoted)")
        return .rebuilt(0)
      } catch {
        _ = try tolerable(error, table: target.table, mayDrop: false)
        try pause(.seconds(1 << (attempt - 1)))
      }
    }
    return .failed(
      code: "lock_timeout", message: "it could not be dropped: somebody holds a lock on its table")
  }

  // MARK: Steps

  private struct Target {
    let oid: UInt32
    let table: Int64
    let quoted: String
    let isValid: Bool
    let bytes: Int64
  }

  private func target(_ chosen: BloatedIndex) throws -> Target? {
    guard
      let row = try session.query(MaintenanceStatements.target(chosen.name.schema, chosen.name.name)).first
    else { return nil }
    return Target(
      oid: try row.decode(0), table: Int64(try row.decode(1, as: UInt32.self)), quoted: try row.decode(2),
      isValid: try row.decode(3), bytes: try row.decodeIfPresent(4) ?? 0)
  }

  private func leftovers(of table: Int64) throws -> [String] {
    try session.query(MaintenanceStatements.leftovers(table)).map { row in try row.decode(0) }
  }

  private func dropLeftovers(of table: Int64) throws {
    for name in try leftovers(of: table) {
      do {
        try run("drop index concurrently if exists \(name)")
      } catch {
        // It stays for the next attempt, or the next run, which begin with the same step.
        _ = try tolerable(error, table: table, mayDrop: false)
      }
    }
  }

  /// - Returns: who is still in the way at the end of our patience.
  private func waitForReaders(of table: Int64) throws -> String? {
    let deadline = Deadline.after(policy.patience)
    while true {
      guard let row = try session.query(MaintenanceStatements.blockers(table, policy.readerAgeSeconds)).first
      else { return nil }
      if deadline.hasPassed {
        let (pid, seconds): (Int32, Double) = (try row.decode(0), try row.decode(1))
        let (name, state): (String, String) = (try row.decode(2), try row.decode(3))
        return
          "process \(pid) (\(name), \(state)) has been in a transaction for \(Int64(min(seconds, 1e12))) s,"
          + " and REINDEX would wait for it"
      }
      try pause(min(Self.poll, deadline.remaining))
    }
  }

  /// By the simple protocol, a statement alone: anything else would be a transaction.
  private func run(_ sql: String) throws {
    try session.withStatementTimeout(policy.timeout) {
      try session.simple("set lock_timeout = \(policy.lockTimeout.settingMilliseconds)")
      let result = Result { try session.simple(sql) }
      if session.isOpen {
        try session.simple("set lock_timeout = \(session.options.lockTimeout.settingMilliseconds)")
      }
      try result.get()
    }
  }

  /// Sees to what a failed statement left, and tells whether to go on.
  ///
  /// - Throws: the error, where it is none of a lock, a privilege, or the index itself.
  private func tolerable(
    _ error: any Error, table: Int64, mayDrop: Bool = true
  ) throws -> PostgresError {
    guard let failure = error as? PostgresError, !failure.endsSession else { throw error }
    switch failure.sqlState {
    // A lock time-out, a deadlock; the role is not the owner; dropped meanwhile.
    case "55P03", "40P01", "42501", "42P01", "42704", "0A000":
      return failure
    default:
      // Somebody stops us, or the disk is full: a half-built index would only be maintained for nothing. Where it cannot be
      // dropped now, the next run drops it.
      if mayDrop, session.isOpen { dropLeftoversOnce(of: table) }
      throw error
    }
  }

  private func dropLeftoversOnce(of table: Int64) {
    do {
      for name in try leftovers(of: table) {
        try session.simple("set lock_timeout = 1000")
        try session.simple("drop index concurrently if exists \(name)")
      }
      try session.simple("set lock_timeout = \(session.options.lockTimeout.settingMilliseconds)")
    } catch {
      session.close()
    }
  }

  private func pause(_ duration: Duration) throws {
    let deadline = Deadline.after(duration)
    while !deadline.hasPassed {
      if Task.isCancelled { throw CancellationError() }
      usleep(20_000)
    }
  }
}
