public import Postgres
internal import Primitives

extension StatementStatistics {
  /// The statements of the session's database that lead in `order`.
  ///
  /// - Throws: as `StatementReport.read`.
  public static func read(
    _ session: Session, limit: Int, order: Order = .total, includesNested: Bool = false
  ) throws -> [StatementStatistics] {
    try StatementReport.read(session, limit: limit, order: order, includesNested: includesNested).statements
  }
}

extension StatementStatistics {
  /// The statements that took most time, of those that have plans: a night of CREATE INDEX is not to crowd out what runs by day.
  ///
  /// - Throws: as `StatementReport.read`.
  public static func readQueries(_ session: Session, limit: Int) throws -> [StatementStatistics] {
    let all = try read(session, limit: limit * 20)
    return Array(all.lazy.filter { $0.hasPlan(serverVersion: session.serverVersion) }.prefix(limit))
  }

  /// False for what is known to have none.
  private func hasPlan(serverVersion: Int) -> Bool {
    do throws(StatementNotExplainable) {
      _ = try NormalizedText(text, serverVersion: serverVersion)
      return true
    } catch {
      return false
    }
  }
}

extension StatementReport {
  /// Reads `pg_stat_statements`, whatever schema it is in, for the session's database alone.
  ///
  /// - Parameters:
  ///   - limit: how many statements at most.
  ///   - includesNested: also statements inside functions, which `pg_stat_statements.track = all` counts; before
  ///     PostgreSQL 14 they cannot be told apart and are always included.
  ///   - includesInspection: also what does no work of its own (`StatisticsPlace.inspection`).
  /// - Throws: `StatementStatisticsError`, `PostgresError`.
  public static func read(
    _ session: Session, limit: Int, order: StatementStatistics.Order = .total, includesNested: Bool = false,
    includesInspection: Bool = false
  ) throws -> StatementReport {
    let place = try StatisticsPlace(session)
    let statement = place.statistics(
      order: order, includesNested: includesNested, includesInspection: includesInspection)
    let rows = try place.asked { () throws(PostgresError) in
      try session.query(statement(Int64(clamping: max(0, limit))))
    }
    let info = try place.info.map { try session.query($0()) }
    return StatementReport(
      statements: try rows.map { row in try StatementStatistics(row) },
      statementCount: try rows.first?.decode(18) ?? 0,
      totalMilliseconds: try rows.first?.decode(17) ?? 0,
      since: try info?.first?.decodeIfPresent(0), evictions: try info?.first?.decodeIfPresent(1),
      isInputOutputTimed: place.isInputOutputTimed)
  }
}

extension StatementStatistics {
  fileprivate init(_ row: Row) throws(PostgresError) {
    id = try row.decode(0)
    text = try row.decode(1)
    users = try row.decode(2)
    calls = try row.decode(3)
    totalMilliseconds = try row.decode(4)
    meanMilliseconds = try row.decode(5)
    maxMilliseconds = try row.decode(6)
    deviationMilliseconds = try row.decode(7)
    rows = try row.decode(8)
    blocks = Blocks(
      sharedHit: try row.decode(9), sharedRead: try row.decode(10), sharedDirtied: try row.decode(11),
      sharedWritten: try row.decode(12), tempRead: try row.decode(13), tempWritten: try row.decode(14))
    readMilliseconds = try row.decode(15)
    writeMilliseconds = try row.decode(16)
    walBytes = try row.decode(19)
    searchPath = try row.decodeIfPresent(20)
  }
}

/// All SQL of this target that does not depend on the server. What does is described by `StatisticsPlace`.
public enum WorkloadStatements {
  /// For the test that prepares every statement.
  public static let all = [
    place, StatementGuard.isPowerful, StatementGuard.place, StatementGuard.setPath,
    StatementGuard.hiddenSchema,
    StatementGuard.hasStrangers, StatementGuard.strangers,
  ]

  /// A custom setting is known to a server only that has loaded the library.
  static let place = Statement.inspecting(
    """
    select e.extversion, quote_ident(n.nspname), pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
      current_setting('pg_stat_statements.max', true) is not null, current_setting('track_io_timing')::boolean,
      current_user
    from (values (1)) one (row)
    left join pg_extension e on e.extname = 'pg_stat_statements'
    left join pg_namespace n on n.oid = e.extnamespace
    """, columns: [.text, .text, .bool, .bool, .bool, .name])
}

/// Where the view of `pg_stat_statements` is, and which columns it has.
struct StatisticsPlace {
  /// Quoted.
  let schema: String
  /// Of the extension, after `1.`: 8 came with PostgreSQL 13, 9 with 14, 10 with 15, 11 with 17, 12 with 18. A database
  /// that was upgraded keeps its old view, so the version of the server does not count.
  let version: Int
  let isInputOutputTimed: Bool

  init(schema: String, version: Int, isInputOutputTimed: Bool = false) {
    self.schema = schema
    self.version = version
    self.isInputOutputTimed = isInputOutputTimed
  }

  /// - Throws: `StatementStatisticsError`, `PostgresError`.
  init(_ session: Session) throws {
    let row = try session.query(WorkloadStatements.place())[0]
    let isLoaded: Bool = try row.decode(3)
    guard let extensionVersion = try row.decodeIfPresent(0, as: String.self),
      let schema = try row.decodeIfPresent(1, as: String.self)
    else { throw StatementStatisticsError.missing(isLoaded: isLoaded) }
    guard isLoaded else { throw StatementStatisticsError.notLoaded }
    let parts = extensionVersion.split(separator: ".").map { Int($0) ?? 0 }
    guard parts.lexicographicallyPrecedes([1, 8]) == false else {
      throw StatementStatisticsError.outdated(version: extensionVersion)
    }
    guard try row.decode(2, as: Bool.self) else {
      throw StatementStatisticsError.hidden(role: try row.decode(5))
    }
    self.schema = schema
    // A version 2, should there be one, has what the newest 1 has.
    version = parts.first == 1 && parts.count > 1 ? parts[1] : .max
    isInputOutputTimed = try row.decode(4)
  }

  /// Runs a read of the view.
  ///
  /// - Throws: `notLoaded` for 55000 (object not in prerequisite state), by which the function refuses without its library;
  ///   a session may have loaded it by hand.
  func asked(_ read: () throws(PostgresError) -> Rows) throws -> Rows {
    do throws(PostgresError) {
      return try read()
    } catch {
      if error.sqlState == "55000" { throw StatementStatisticsError.notLoaded }
      throw error
    }
  }

  /// When counting began, and how often statements were thrown away.
  var info: Statement? {
    guard version >= 9 else { return nil }
    let sql = "select stats_reset, dealloc from \(schema).pg_stat_statements_info"
    return Statement.inspecting(sql, columns: [.timestamptz, .int8])
  }

  /// True for statements that somebody sent to look at the server or to make ready for work, not to do any: what this program asks, and
  /// kinds that only plan, name or set something. COMMIT and ROLLBACK are not among them: they may wait for a disk.
  private static let inspection = """
    s.query ~* '^[[:space:]]*(explain|deallocate|set|reset|show|discard|savepoint|release|'
              'rollback[[:space:]]+((work|transaction)[[:space:]]+)?to|begin|start)([[:space:](;]|$)'
            or position('\(Statement.inspectionMark)' in left(s.query, 40)) > 0
    """

  /// Takes the limit.
  func statistics(
    order: StatementStatistics.Order, includesNested: Bool, includesInspection: Bool = false
  ) -> Statement {
    // Local blocks, those of temporary tables, were timed with the shared ones before 1.11.
    let read = version >= 11 ? "s.shared_blk_read_time + s.local_blk_read_time" : "s.blk_read_time"
    let write = version >= 11 ? "s.shared_blk_write_time + s.local_blk_write_time" : "s.blk_write_time"
    let spillRead = version >= 10 ? " + s.temp_blk_read_time" : ""
    let spillWrite = version >= 10 ? " + s.temp_blk_write_time" : ""
    let onlyTop = version >= 9 && !includesNested ? "and s.toplevel" : ""
    let onlyWork = includesInspection ? "" : "and (s.query is null or not (\(Self.inspection)))"
    let sort =
      switch order {
      case .total: "total_ms desc"
      case .mean: "mean_ms desc"
      case .calls: "calls desc"
      case .io:
        """
        read_ms + write_ms desc,
          shared_read::float8 + shared_written + temp_read + temp_written desc
        """
      }
    let sql = """
      select queryid, text, users, calls, total_ms, mean_ms, max_ms,
        -- The variance of several roles together: the mean of the squares less the square of the mean.
        sqrt(greatest(0, squares / greatest(calls, 1) - mean_ms ^ 2)) as deviation_ms,
        rows, shared_hit, shared_read, shared_dirtied, shared_written, temp_read, temp_written, read_ms, write_ms,
        sum(total_ms) over () as all_ms, count(*) over () as all_count, wal_bytes, path
      from (
        select s.queryid,
          coalesce(min(s.query collate "C"), '-- the server has lost the text of this statement') as text,
          array_agg(distinct coalesce(r.rolname::text, s.userid::text)) as users,
          sum(s.calls)::bigint as calls, sum(s.total_exec_time) as total_ms,
          sum(s.total_exec_time) / greatest(sum(s.calls), 1)::float8 as mean_ms, max(s.max_exec_time) as max_ms,
          sum(s.calls * (s.stddev_exec_time ^ 2 + s.mean_exec_time ^ 2)) as squares, sum(s.rows)::bigint as rows,
          sum(s.shared_blks_hit)::bigint as shared_hit, sum(s.shared_blks_read)::bigint as shared_read,
          sum(s.shared_blks_dirtied)::bigint as shared_dirtied,
          sum(s.shared_blks_written)::bigint as shared_written,
          sum(s.temp_blks_read)::bigint as temp_read, sum(s.temp_blks_written)::bigint as temp_written,
          sum(\(read)\(spillRead)) as read_ms, sum(\(write)\(spillWrite)) as write_ms,
          sum(s.wal_bytes)::bigint as wal_bytes,
          (array_agg(
            replace(coalesce(configured.path, standard.path), '"$user"', quote_ident(r.rolname))
            order by s.total_exec_time desc))[1] as path
        from \(schema).pg_stat_statements s
        left join pg_roles r on r.oid = s.userid
        left join lateral (
          select substr(u.entry, length('search_path=') + 1) as path
          from pg_db_role_setting d cross join unnest(d.setconfig) u (entry)
          where d.setrole in (s.userid, 0) and d.setdatabase in (s.dbid, 0) and u.entry like 'search\\_path=%'
          -- That of the role in this database, else of the role, else of the database.
          order by d.setrole = 0, d.setdatabase = 0
          limit 1
        ) configured on true
        -- What the server gives to everybody, whatever this session has set for itself.
        cross join (
          select case when g.source in ('default', 'configuration file', 'command line', 'environment variable')
            then g.setting else g.boot_val end as path
          from pg_settings g where g.name = 'search_path'
        ) standard
        where s.dbid = (select oid from pg_database where datname = current_database())
          -- What was only planned, or is being run for the first time.
          and s.calls > 0 and s.queryid is not null \(onlyTop) \(onlyWork)
        group by s.queryid
      ) grouped
      order by \(sort), queryid
      limit $1
      """
    return Statement.inspecting(
      sql, parameters: [.int8],
      columns: [
        .int8, .text, .textArray, .int8, .float8, .float8, .float8, .float8, .int8, .int8, .int8, .int8,
        .int8, .int8, .int8, .float8, .float8, .float8, .int8, .int8, .text,
      ])
  }
}
