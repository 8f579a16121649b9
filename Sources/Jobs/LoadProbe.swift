internal import Postgres
internal import Primitives

/// Asks the servers what the run does to others.
enum LoadProbe {
  /// How many sessions wait for locks of these backends, and are none of them.
  static func lockWaits(for backends: [Int32], _ session: Session) throws(PostgresError) -> Int {
    Int(clamping: try session.query(lockWaits(backends))[0].decode(0, as: Int64.self))
  }

  // pg_blocking_pids() stops the lock table for a moment, so only sessions that wait are asked about.
  // pg_locks shows them to every role, pg_stat_activity does not.
  static let lockWaits = Statement(
    """
    select count(*)
    from (select distinct l.pid from pg_catalog.pg_locks l where not l.granted and l.pid <> all ($1)) w
    where pg_catalog.pg_blocking_pids(w.pid) && $1
    """, parameters: [.int4Array], columns: [.int8])

  /// Whether the role may see what pg_stat_replication says.
  ///
  /// - Throws: a `privilege` failure where it may not.
  static func requireSightOfStandbys(_ session: Session) throws {
    if try session.query(canSeeStandbys())[0].decode(0) { return }
    throw SimpleFailure(
      .privilege, code: "insufficient_privilege",
      message: "--max-lag needs to see how far standbys are behind, and this role may not",
      hint: "grant pg_monitor to the role, or leave --max-lag out")
  }

  static let canSeeStandbys = Statement(
    "select pg_has_role(current_user, 'pg_read_all_stats', 'usage')", columns: [.bool])

  /// How far the primary's own standbys are.
  static func standbys(_ session: Session) throws(PostgresError) -> StandbyReport {
    let row = try session.query(standbyLag())[0]
    return StandbyReport(
      written: try row.decode(0), replayed: try row.decodeIfPresent(1), reported: try row.decodeIfPresent(2))
  }

  // Base backups and receivers that replay nothing have no replay_lsn.
  static let standbyLag = Statement(
    """
    select (pg_current_wal_lsn() - '0/0')::bigint, (min(s.replay_lsn) - '0/0')::bigint,
      extract(epoch from max(s.replay_lag))::float8
    from pg_catalog.pg_stat_replication s
    where s.state in ('streaming', 'catchup')
    """, columns: [.int8, .int8, .float8])

  /// Seconds that a replica is behind, asked on the replica itself.
  static func replicaLag(_ session: Session) throws(PostgresError) -> Double {
    try session.query(replicaLag())[0].decode(0)
  }

  // A replica that has replayed all that it received is not behind, however long ago that was.
  static let replicaLag = Statement(
    """
    select case
      when not pg_is_in_recovery() or pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
      else coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 'infinity')
    end::float8
    """, columns: [.float8])
}

/// What the primary knows of its standbys at a moment. Positions are bytes of WAL.
struct StandbyReport: Sendable, Equatable {
  let written: Int64
  /// The slowest standby; nil where there is none.
  let replayed: Int64?
  /// The largest `replay_lag`, in seconds. NULL when all is replayed, and unreliable while replay stands
  /// still.
  let reported: Double?
}

/// Turns positions into time: WAL that is not replayed was written after the last moment at which no more
/// than what is replayed had been written.
struct StandbyLag: Sendable {
  private var samples: [(written: Int64, time: Int64)] = []

  /// Samples beyond it are forgotten, oldest first: an hour's worth.
  private static let samplesMax = 3600

  /// Seconds that the slowest standby is behind at `now`, in nanoseconds; nil without a standby.
  mutating func update(_ report: StandbyReport, at now: Int64) -> Double? {
    if samples.last?.written != report.written {
      samples.append((report.written, now))
      if samples.count > Self.samplesMax { samples.removeFirst(samples.count - Self.samplesMax) }
    }
    guard let replayed = report.replayed else { return nil }
    guard replayed < report.written else { return 0 }
    let missing = samples.first { $0.written > replayed }
    let measured = missing.map { Double(now - $0.time) / 1e9 } ?? 0
    return max(measured, report.reported ?? 0)
  }
}
