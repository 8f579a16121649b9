internal import Postgres

/// What is asked of every server of a cluster.
enum UsageStatements {
  static let all = [server, counters, standbys, receiver, storage]

  static let server = Statement.inspecting(
    """
    select s.system_identifier, d.datid, d.datname::text,
      -- The last checkpoint of a primary may be older than its promotion.
      case when pg_is_in_recovery() then c.timeline_id
        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int4 end,
      pg_is_in_recovery(), pg_postmaster_start_time(), (select b.stats_reset from pg_stat_bgwriter b), d.stats_reset,
      clock_timestamp()
    from pg_control_system() s, pg_control_checkpoint() c, pg_stat_database d
    where d.datname = current_database()
    """,
    columns: [
      .int8, .oid, .text, .int4, .bool, .timestamptz, .timestamptz, .timestamptz, .timestamptz,
    ])

  /// Of whatever has been read; takes no lock, and waits for none. System catalogs have the low numbers
  /// (FirstNormalObjectId in src/include/access/transam.h).
  static let counters = Statement.inspecting(
    """
    select i.indexrelid, pg_stat_get_numscans(i.indexrelid), pg_stat_get_tuples_returned(i.indexrelid),
      pg_stat_get_tuples_fetched(i.indexrelid)
    from pg_index i
    where i.indexrelid >= 16384 and pg_stat_get_numscans(i.indexrelid) > 0
    """, columns: [.oid, .int8, .int8, .int8])

  /// A subscriber's indexes are not ours, a base backup has none, and what receives files only (pg_receivewal) says that
  /// it writes, but replays nothing.
  static let standbys = Statement.inspecting(
    """
    select coalesce(nullif(r.application_name, ''), r.client_addr::text, 'a standby without a name'), s.slot_name::text
    from pg_stat_replication r
    left join pg_replication_slots s on s.active_pid = r.pid
    where r.state is distinct from 'backup' and s.slot_type is distinct from 'logical'
      and not (r.write_lsn is not null and r.replay_lsn is null)
    order by 1, 2
    """, columns: [.text, .text])

  /// Passwords in it are asterisks.
  static let receiver = Statement.inspecting(
    "select nullif(w.slot_name, ''), w.conninfo from pg_stat_wal_receiver w where w.conninfo is not null",
    columns: [.text, .text])

  /// How dense indexes are: entries as VACUUM, ANALYZE or the last build counted them.
  static let storage = Statement.inspecting(
    """
    select c.oid, c.relfilenode::int8, case when c.reltuples > 0 then c.reltuples::int8 end
    from pg_class c
    where c.relkind = 'i' and c.oid >= 16384
    """, columns: [.oid, .int8, .int8])
}
