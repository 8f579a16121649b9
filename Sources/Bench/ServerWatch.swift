public import Postgres
internal import Primitives
public import Redis

/// Reads what the servers of a run count, over connections of its own: at the begin of the measurement, now and then, and at
/// the end. A server that cannot be asked is left out, and the findings say so; it is no reason to end the run.
public struct ServerWatch: Sendable {
  /// What the servers have counted during the measurement.
  public struct Findings: Sendable {
    public var postgres: ServerCounters?
    public var redis: ServerCounters?
  }

  private let postgres: Postgres.Connection?
  private let redis: Redis.Connection?
  private var before = Findings()
  private var waits = LockWaits()
  private var postgresTrouble: String?
  private var redisTrouble: String?

  /// Sessions that waited for a lock, at the moments of looking.
  private struct LockWaits: Sendable {
    var looks = 0
    var sessions = 0
    var most = 0
    var isPartial = false
  }

  /// Nil for a server that the load does not use.
  public init(postgres: Postgres.Connection?, redis: Redis.Connection?) {
    self.postgres = postgres
    self.redis = redis
  }

  /// Reads where the counters stand.
  mutating func begin() async {
    before.postgres = await readPostgres()
    before.redis = await readRedis()
  }

  /// Looks who waits for a lock.
  mutating func look() async {
    guard let postgres, postgresTrouble == nil else { return }
    do {
      let (waiting, isPartial) = try await postgres.withSession { session in
        let row = try session.query(BenchStatements.lockWaits())[0]
        return (Int(clamping: try row.decode(0, as: Int64.self)), try row.decode(1, as: Bool.self))
      }
      waits.looks += 1
      waits.sessions += waiting
      waits.most = max(waits.most, waiting)
      if isPartial { waits.isPartial = true }
    } catch {
      // The end of the load cancels it: that is no trouble.
      if !Task.isCancelled { postgresTrouble = Self.reason(error) }
    }
  }

  /// What was counted since `begin`.
  mutating func end() async -> Findings {
    var findings = Findings()
    if let before = before.postgres, let now = await readPostgres() {
      findings.postgres = now.since(before)
      note(&findings.postgres)
    }
    if let before = before.redis, let now = await readRedis() { findings.redis = now.since(before) }
    if let postgresTrouble {
      findings.postgres = ServerCounters(notes: ["PostgreSQL could not be asked: \(postgresTrouble)"])
    }
    if let redisTrouble {
      findings.redis = ServerCounters(notes: ["Redis could not be asked: \(redisTrouble)"])
    }
    return findings
  }

  /// Adds the waits for locks.
  private func note(_ counters: inout ServerCounters?) {
    guard waits.looks > 0 else { return }
    counters?.counts += [
      .init(name: "lock_wait_samples", value: Double(waits.looks)),
      .init(name: "lock_waiting_sessions_mean", value: Double(waits.sessions) / Double(waits.looks)),
      .init(name: "lock_waiting_sessions_max", value: Double(waits.most)),
    ]
    if waits.isPartial {
      counters?.notes.append(
        "waits for locks are those of your own role: those of others are seen by members of pg_read_all_stats"
      )
    }
  }

  private mutating func readPostgres() async -> ServerCounters? {
    guard let postgres, postgresTrouble == nil else { return nil }
    do {
      return try await postgres.withSession { try ServerCounters(in: $0) }
    } catch {
      if !Task.isCancelled { postgresTrouble = Self.reason(error) }
      return nil
    }
  }

  private mutating func readRedis() async -> ServerCounters? {
    guard let redis, redisTrouble == nil else { return nil }
    do {
      return try await redis.withSession { try ServerCounters(in: $0) }
    } catch {
      if !Task.isCancelled { redisTrouble = Self.reason(error) }
      return nil
    }
  }

  private static func reason(_ error: any Error) -> String { (error as? any Failure)?.message ?? "\(error)" }
}
