public import Postgres

/// All SQL that this target sends. Each takes `pg_monitor` at most, and works on a standby.
public enum DoctorStatements {
  /// For the test that prepares every statement: those that a server of this version knows, 150020 being 15.20.
  public static func all(serverVersion: Int) -> [Statement] {
    everywhere + [serverVersion >= 170_000 ? checkpointsSince17 : checkpointsBefore17]
  }

  /// For the test that counts them.
  public static let all = everywhere + [checkpointsBefore17, checkpointsSince17]

  private static let everywhere = [
    settings, counters, ages, sessions, preparedTransactions, standbys, slots, standbyLag, activeUsers,
  ]

  // The settings that a server of this version does not know come with missing_ok.
  static let settings = Statement.inspecting(
    """
    select current_setting('max_connections')::bigint,
      current_setting('superuser_reserved_connections')::bigint
        + coalesce(current_setting('reserved_connections', true)::bigint, 0),
      current_setting('autovacuum')::boolean, current_setting('track_counts')::boolean,
      current_setting('track_io_timing')::boolean, current_setting('fsync')::boolean,
      current_setting('full_page_writes')::boolean, current_setting('synchronous_commit'),
      current_setting('data_checksums')::boolean, current_setting('autovacuum_freeze_max_age')::bigint,
      current_setting('autovacuum_multixact_freeze_max_age')::bigint,
      pg_size_bytes(current_setting('max_wal_size')), pg_size_bytes(current_setting('shared_buffers')),
      pg_size_bytes(current_setting('work_mem')), pg_is_in_recovery(),
      pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
      -- Null for a Unix socket.
      coalesce(inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1', true),
      current_database(), (select sum(numbackends)::bigint from pg_stat_database)
    """,
    columns: [
      .int8, .int8, .bool, .bool, .bool, .bool, .bool, .text, .bool, .int8, .int8, .int8, .int8, .int8,
      .bool, .bool, .bool, .name, .int8,
    ])

  // A database that was never reset says null since PostgreSQL 15; then it counts since all counters were lost for
  // the last time, which pg_stat_bgwriter knows.
  static let counters = Statement.inspecting(
    """
    select blks_hit, blks_read, temp_files, temp_bytes,
      extract(epoch from clock_timestamp()
        - coalesce(stats_reset, (select stats_reset from pg_stat_bgwriter)))::double precision
    from pg_stat_database
    where datname = current_database()
    """, columns: [.int8, .int8, .int8, .int8, .float8])

  static let ages = Statement.inspecting(
    """
    select datname, age(datfrozenxid)::bigint, mxid_age(datminmxid)::bigint
    from pg_database
    order by 2 desc
    """, columns: [.name, .int8, .int8])

  // pg_blocking_pids stops all of the lock manager for a moment: it is asked of waiting sessions only.
  static let sessions = Statement.inspecting(
    """
    select pid, coalesce(application_name, ''), coalesce(usename::text, ''),
      coalesce(state like 'idle in transaction%', false), coalesce(wait_event_type = 'Lock', false),
      extract(epoch from clock_timestamp() - xact_start)::double precision,
      extract(epoch from clock_timestamp() - coalesce(state_change, xact_start))::double precision,
      extract(epoch from clock_timestamp() - coalesce(query_start, xact_start))::double precision,
      case when wait_event_type = 'Lock' then pg_blocking_pids(pid) else '{}' end
    from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
      and xact_start is not null
    order by xact_start
    limit 1000
    """, columns: [.int4, .text, .text, .bool, .bool, .float8, .float8, .float8, .int4Array])

  static let preparedTransactions = Statement.inspecting(
    """
    select gid, extract(epoch from clock_timestamp() - prepared)::double precision
    from pg_prepared_xacts
    where database = current_database()
    order by prepared
    limit 1000
    """, columns: [.text, .float8])

  // A walsender that makes a base backup is no standby.
  static let standbys = Statement.inspecting(
    """
    select coalesce(nullif(application_name, ''), pid::text),
      pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        replay_lsn)::bigint,
      extract(epoch from replay_lag)::double precision
    from pg_stat_replication
    where state in ('streaming', 'catchup')
    order by 1
    """, columns: [.text, .int8, .float8])

  static let slots = Statement.inspecting(
    """
    select slot_name, active,
      greatest(0, coalesce(pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
        restart_lsn), 0))::bigint,
      coalesce(wal_status, '')
    from pg_replication_slots
    order by 1
    """, columns: [.name, .bool, .int8, .text])

  // A primary that does nothing sends nothing: who has replayed all that came is not behind.
  static let standbyLag = Statement.inspecting(
    """
    select case
      when not pg_is_in_recovery() then null
      when pg_last_wal_receive_lsn() is not distinct from pg_last_wal_replay_lsn() then 0
      else greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()))
    end::double precision
    """, columns: [.float8])

  static let checkpointsBefore17 = Statement.inspecting(
    "select checkpoints_timed, checkpoints_req from pg_stat_bgwriter", columns: [.int8, .int8])

  static let checkpointsSince17 = Statement.inspecting(
    "select num_timed, num_requested from pg_stat_checkpointer", columns: [.int8, .int8])

  // Those who were here last are the likeliest to come again, and the index finds them.
  static let activeUsers = Statement.inspecting(
    """
    select id
    from public.users
    where last_login_at > now() - interval '7 days'
    order by last_login_at desc
    limit $1
    """, parameters: [.int8], columns: [.uuid])
}
