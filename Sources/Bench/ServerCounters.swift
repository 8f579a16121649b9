public import Postgres
internal import Primitives
internal import Redis

/// What a server has counted between two moments, of everybody who uses it.
public struct ServerCounters: Sendable, Hashable {
  /// The names of the counters with their numbers, in the order in which they are shown.
  public var counts: [Count] = []
  /// What could not be told, and why.
  public var notes: [String] = []

  /// One of them. A name that ends in `_bytes` or `_seconds` says its unit; others count.
  public struct Count: Sendable, Hashable {
    public let name: String
    public let value: Double
  }

  /// The difference to what was read before, for counters that only rise.
  func since(_ before: ServerCounters) -> ServerCounters {
    var difference = ServerCounters(notes: notes)
    for count in counts {
      guard let old = before.counts.first(where: { $0.name == count.name }) else { continue }
      guard count.value >= old.value else {
        difference.notes = [
          "the counters began anew during the run: the server was restarted, or they were reset"
        ]
        continue
      }
      difference.counts.append(Count(name: count.name, value: count.value - old.value))
    }
    return difference
  }

  fileprivate mutating func append(_ name: String, _ value: Int64?) {
    if let value { counts.append(Count(name: name, value: Double(value))) }
  }
}

/// The statements that ask PostgreSQL how it does during a run. An ordinary role may say them.
public enum BenchStatements {
  // WAL is the whole server's; a standby writes none of its own.
  static let counters = Statement(
    """
    select xact_commit, xact_rollback, blks_hit, blks_read, temp_bytes, deadlocks,
      case when pg_is_in_recovery() then null
        else (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint end
    from pg_stat_database
    where datname = current_database()
    """, columns: [.int8, .int8, .int8, .int8, .int8, .int8, .int8])

  // Of sessions of other roles an ordinary role sees neither state nor wait event.
  static let lockWaits = Statement(
    """
    select count(*) filter (where wait_event_type = 'Lock'),
      coalesce(bool_or(state is null), false)
    from pg_stat_activity
    where datname = current_database() and backend_type is distinct from 'parallel worker'
      and pid <> pg_backend_pid()
    """, columns: [.int8, .bool])

  static let wallets = Statement(
    "select id from wallets order by id limit $1", parameters: [.int8], columns: [.uuid])

  /// All of them, for the test that prepares each on a migrated database.
  public static let all: [Statement] = [counters, lockWaits, wallets]
}

extension ServerCounters {
  /// Those of the database of a session, since they began.
  ///
  /// - Throws: `PostgresError`.
  init(in session: Postgres.Session) throws(PostgresError) {
    let row = try session.query(BenchStatements.counters())[0]
    let names = ["commits", "rollbacks", "block_hits", "block_reads", "temp_bytes", "deadlocks", "wal_bytes"]
    for (place, name) in names.enumerated() { append(name, try row.decodeIfPresent(place)) }
  }

  /// Those of a Redis, of all nodes of a cluster together, since they began.
  ///
  /// - Throws: `RedisError`.
  init(in runner: some CommandRunner) throws {
    let fields = [
      ("keyspace_hits", "hits"), ("keyspace_misses", "misses"), ("evicted_keys", "evictions"),
      ("expired_keys", "expirations"), ("total_commands_processed", "commands"),
      ("used_cpu_user", "cpu_seconds"), ("used_cpu_sys", "cpu_seconds"),
    ]
    var sums: [String: Double] = [:]
    for node in try runner.nodes() {
      for section in ["stats", "cpu"] {
        let info = try node.session.execute(Command("INFO", .text(section)), isIdempotent: true).text() ?? ""
        for line in info.split(whereSeparator: \.isNewline) {
          let parts = line.split(separator: ":", maxSplits: 1)
          guard parts.count == 2, let field = fields.first(where: { $0.0 == parts[0] }),
            let value = Double(parts[1]), value.isFinite
          else { continue }
          sums[field.1, default: 0] += value
        }
      }
    }
    for name in ["hits", "misses", "evictions", "expirations", "commands", "cpu_seconds"] {
      if let sum = sums[name] { counts.append(Count(name: name, value: sum)) }
    }
  }
}
