internal import Postgres

/// What the usage ledger is read and written with.
enum LedgerStatements {
  static let all = [
    presence, servers, gaps, history, counters, lock, lastSnapshot, removeServer, writeServer, removeGaps,
    writeGaps, removeIndexes, writeIndexes, writeCounters, writeDay, forgetDays, rollUp, days,
  ]

  /// Tables of the ledger.
  static let tableCount: Int64 = 5

  /// How many of the tables there are, and how many may be read.
  static let presence = Statement.inspecting(
    """
    select count(*),
      count(*) filter (where has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'ironforge' and c.relkind = 'r' and c.relname in (
      'index_servers', 'index_gaps', 'index_history', 'index_counters', 'index_usage_days')
      -- Before migration 9 it is none that can be read.
      and (c.relname <> 'index_history' or exists (
        select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'relieved_at'))
    """, columns: [.int8, .int8])

  // MARK: Reading

  static let servers = Statement.inspecting(
    """
    select id, name, is_standby, system_identifier, timeline, started_at, shared_reset_at, database_reset_at,
      covered_from, heard_at, left_at, database_oid
    from ironforge.index_servers
    """,
    columns: [
      .int4, .text, .bool, .int8, .int4, .timestamptz, .timestamptz, .timestamptz, .timestamptz,
      .timestamptz, .timestamptz, .int8,
    ])

  static let gaps = Statement.inspecting(
    "select server_id, from_at, to_at, cause from ironforge.index_gaps order by server_id, from_at, to_at",
    columns: [.int4, .timestamptz, .timestamptz, .text])

  static let history = Statement.inspecting(
    """
    select id, oid, schema_name, table_name, index_name, definition, relfilenode, size_bytes, tuples,
      first_seen_at, used_at, rebuilt_at, lost_seconds, best_bytes, best_tuples, relieved_at, covered_by
    from ironforge.index_history
    """,
    columns: [
      .int8, .int8, .text, .text, .text, .text, .int8, .int8, .int8, .timestamptz, .timestamptz,
      .timestamptz, .int8, .int8, .int8, .timestamptz, .int8Array,
    ])

  static let counters = Statement.inspecting(
    """
    select index_id, server_id, scans, tuples_read, tuples_fetched, scans_known, used_at
    from ironforge.index_counters
    """, columns: [.int8, .int4, .int8, .int8, .int8, .int8, .timestamptz])

  static let days = Statement.inspecting(
    """
    select h.oid, d.day - date '1970-01-01', sum(d.scans)::int8
    from ironforge.index_usage_days d
    join ironforge.index_history h on h.id = d.index_id
    join ironforge.index_servers s on s.id = d.server_id
    where (s.database_oid is null
        or s.database_oid = (select p.oid::int8 from pg_database p where p.datname = current_database()))
      and d.day >= ($1::timestamptz at time zone 'UTC')::date
    group by h.oid, d.day
    order by h.oid, d.day
    """, parameters: [.timestamptz], columns: [.int8, .int4, .int8])

  // MARK: Writing

  /// Readers go on. Whoever writes has the lock of the command as well; this is for the one whose lock was lost.
  static let lock = Statement("lock table ironforge.index_servers in share row exclusive mode")

  static let lastSnapshot = Statement(
    "select max(heard_at) from ironforge.index_servers", columns: [.timestamptz])

  static let removeServer = Statement(
    "delete from ironforge.index_servers where id = $1", parameters: [.int4])

  static let writeServer = Statement(
    """
    insert into ironforge.index_servers (
      id, name, is_standby, system_identifier, timeline, started_at, shared_reset_at, database_reset_at,
      covered_from, heard_at, left_at, database_oid)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (id) do update set
      name = excluded.name, is_standby = excluded.is_standby, system_identifier = excluded.system_identifier,
      timeline = excluded.timeline, started_at = excluded.started_at, shared_reset_at = excluded.shared_reset_at,
      database_reset_at = excluded.database_reset_at, covered_from = excluded.covered_from,
      heard_at = excluded.heard_at, left_at = excluded.left_at, database_oid = excluded.database_oid
    """,
    parameters: [
      .int4, .text, .bool, .int8, .int4, .timestamptz, .timestamptz, .timestamptz, .timestamptz,
      .timestamptz, .timestamptz, .int8,
    ])

  static let removeGaps = Statement(
    "delete from ironforge.index_gaps where server_id = $1", parameters: [.int4])

  static let writeGaps = Statement(
    """
    insert into ironforge.index_gaps (server_id, from_at, to_at, cause)
    select $1, g.from_at, g.to_at, g.cause
    from unnest($2::timestamptz[], $3::timestamptz[], $4::text[]) g (from_at, to_at, cause)
    on conflict do nothing
    """, parameters: [.int4, .timestamptzArray, .timestamptzArray, .textArray])

  static let removeIndexes = Statement(
    "delete from ironforge.index_history where id = any($1)", parameters: [.int8Array])

  static let writeIndexes = Statement(
    """
    insert into ironforge.index_history as h (
      id, oid, schema_name, table_name, index_name, definition, relfilenode, size_bytes, tuples,
      first_seen_at, used_at, rebuilt_at, lost_seconds, best_bytes, best_tuples, relieved_at, covered_by)
    select n.id, n.oid, n.schema_name, n.table_name, n.index_name, n.definition, n.relfilenode, n.size_bytes, n.tuples,
      n.first_seen_at, n.used_at, n.rebuilt_at, n.lost_seconds, n.best_bytes, n.best_tuples, n.relieved_at,
      -- As text: arrays of several lengths make no array.
      n.covered_by::int8[]
    from unnest(
      $1::int8[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[], $9::int8[],
      $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::int8[], $14::int8[], $15::int8[],
      $16::timestamptz[], $17::text[])
      n (id, oid, schema_name, table_name, index_name, definition, relfilenode, size_bytes, tuples,
        first_seen_at, used_at, rebuilt_at, lost_seconds, best_bytes, best_tuples, relieved_at, covered_by)
    on conflict (id) do update set
      oid = excluded.oid, schema_name = excluded.schema_name, table_name = excluded.table_name,
      index_name = excluded.index_name, definition = excluded.definition, relfilenode = excluded.relfilenode,
      size_bytes = excluded.size_bytes, tuples = excluded.tuples, used_at = excluded.used_at,
      rebuilt_at = excluded.rebuilt_at, lost_seconds = excluded.lost_seconds, best_bytes = excluded.best_bytes, best_tuples = excluded.best_tuples,
      relieved_at = excluded.relieved_at, covered_by = excluded.covered_by
    """,
    parameters: [
      .int8Array, .int8Array, .textArray, .textArray, .textArray, .textArray, .int8Array, .int8Array,
      .int8Array, .timestamptzArray, .timestamptzArray, .timestamptzArray, .int8Array, .int8Array, .int8Array,
      .timestamptzArray, .textArray,
    ])

  static let writeCounters = Statement(
    """
    insert into ironforge.index_counters (
      index_id, server_id, scans, tuples_read, tuples_fetched, scans_known, used_at)
    select * from unnest($1::int8[], $2::int4[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::timestamptz[])
    on conflict (index_id, server_id) do update set
      scans = excluded.scans, tuples_read = excluded.tuples_read, tuples_fetched = excluded.tuples_fetched,
      scans_known = excluded.scans_known, used_at = excluded.used_at
    """,
    parameters: [
      .int8Array, .int4Array, .int8Array, .int8Array, .int8Array, .int8Array, .timestamptzArray,
    ])

  static let writeDay = Statement(
    """
    insert into ironforge.index_usage_days as d (day, index_id, server_id, scans, tuples_read, tuples_fetched)
    select ($1::timestamptz at time zone 'UTC')::date, n.*
    from unnest($2::int8[], $3::int4[], $4::int8[], $5::int8[], $6::int8[])
      n (index_id, server_id, scans, tuples_read, tuples_fetched)
    on conflict (index_id, day, server_id) do update set
      scans = d.scans + excluded.scans, tuples_read = d.tuples_read + excluded.tuples_read,
      tuples_fetched = d.tuples_fetched + excluded.tuples_fetched
    """, parameters: [.timestamptz, .int8Array, .int4Array, .int8Array, .int8Array, .int8Array])

  /// As long as UsageLedger.retention.
  static let forgetDays = Statement(
    """
    delete from ironforge.index_usage_days where day < ($1::timestamptz at time zone 'UTC')::date - 400
    """, parameters: [.timestamptz])

  /// Whole months that ended two months ago or earlier become one row each. The first of a month is in its own month, so
  /// that a row that stands for all of it is added to.
  static let rollUp = Statement(
    """
    with old as (
      delete from ironforge.index_usage_days
      where day < date_trunc('month', ($1::timestamptz at time zone 'UTC') - interval '62 days')::date
        and extract(day from day) <> 1
      returning *
    )
    insert into ironforge.index_usage_days as d (day, index_id, server_id, scans, tuples_read, tuples_fetched)
    select date_trunc('month', o.day::timestamp)::date, o.index_id, o.server_id, sum(o.scans)::int8,
      sum(o.tuples_read)::int8, sum(o.tuples_fetched)::int8
    from old o
    group by 1, 2, 3
    on conflict (index_id, day, server_id) do update set
      scans = d.scans + excluded.scans, tuples_read = d.tuples_read + excluded.tuples_read,
      tuples_fetched = d.tuples_fetched + excluded.tuples_fetched
    """, parameters: [.timestamptz])
}
