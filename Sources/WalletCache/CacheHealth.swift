public import Postgres
public import Redis

/// What waits in the outbox: keys whose values may be stale until it is drained.
public struct OutboxState: Sendable, Hashable {
  /// Rows.
  public let pending: Int64
  /// The age of the oldest; nil where none waits.
  public let oldestSeconds: Double?

  /// Reads it.
  ///
  /// - Throws: `PostgresError`.
  public init(in session: Postgres.Session) throws {
    let row = try session.query(OutboxStatements.state())[0]
    pending = try row.decode(0)
    oldestSeconds = try row.decodeIfPresent(1)
  }
}

/// The statements that look at the outbox.
public enum OutboxStatements {
  static let state = Statement(
    """
    select count(*), extract(epoch from clock_timestamp() - min(created_at))::double precision
    from ironforge.cache_outbox
    """, columns: [.int8, .float8])

  /// All of them, for the test that prepares each on a migrated database.
  public static let all = [state]
}

/// How often lookups of keys found something, by any program, since each server started.
public struct RedisHits: Sendable, Hashable {
  /// `keyspace_hits`, of all servers.
  public private(set) var hits: Int64 = 0
  /// `keyspace_misses`.
  public private(set) var misses: Int64 = 0

  /// Asks every server.
  ///
  /// - Throws: `RedisError`.
  public init(in runner: some CommandRunner) throws {
    for node in try runner.nodes() {
      let info = try node.session.execute(Command("INFO", "stats"), isIdempotent: true).text() ?? ""
      for line in info.split(whereSeparator: \.isNewline) {
        let parts = line.split(separator: ":")
        guard parts.count == 2, let number = Int64(parts[1]) else { continue }
        if parts[0] == "keyspace_hits" { hits = Int64(clamping: Int128(hits) + Int128(number)) }
        if parts[0] == "keyspace_misses" { misses = Int64(clamping: Int128(misses) + Int128(number)) }
      }
    }
  }
}
