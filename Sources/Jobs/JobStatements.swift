public import Postgres

/// All SQL of fixed text that this target sends. What names a user's table is made by `KeySource`.
public enum JobStatements {
  /// For the test that prepares every statement on a migrated database.
  public static let all: [Statement] = [
    selectRun, selectRuns, selectLatest, selectOpen, selectFailures,
    insertRun, takeOver, prune, pause, unpause, cancel, dropChunks, finish, markReported,
    keepISODates,
    lockRun, insertChunk, advance, selectOpenChunks, fold,
    lockChunk, isChunkOpen, finishChunk, deleteChunk, insertFailure, markRetried,
    localIdleTimeout, localStatementTimeout,
    LoadProbe.lockWaits, LoadProbe.standbyLag, LoadProbe.replicaLag, LoadProbe.canSeeStandbys,
    SQLTable.find, SQLTable.findColumns, SQLTable.findKeyIndex, SQLTable.findUnquoted,
  ]

  // A run with what its chunks add that are done and not folded in yet.
  private static let run = """
    select r.id, r.job, array(select o.key from jsonb_each_text(r.options) o order by o.key),
      array(select o.value from jsonb_each_text(r.options) o order by o.key),
      r.state, r.attempt, r.owner, r.chunk_size, r.concurrency, r.max_rate, r.max_lag_seconds, r.max_failures,
      r.key_columns, r.planned_to, r.total, r.is_total_exact, r.done + c.visited, r.affected + c.affected,
      r.failed + c.failed, r.rows_per_second, r.throttled_by, r.throttle_detail, r.error_code, r.error_message,
      r.created_at, r.started_at, r.heartbeat_at, r.finished_at,
      exists (
        select from pg_catalog.pg_locks l
        where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
          and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
          and (l.classid::bigint << 32 | l.objid::bigint) = r.lock_key
      ) and r.state not in ('done', 'cancelled'),
      r.state = 'done' and r.awaits_report
    from ironforge.job_runs r
    cross join lateral (
      select coalesce(sum(visited), 0)::bigint as visited, coalesce(sum(affected), 0)::bigint as affected,
        coalesce(sum(failed), 0)::bigint as failed
      from ironforge.job_chunks c
      where c.run_id = r.id and c.is_done
    ) c
    """

  private static let runTypes: [DataType] = [
    .uuid, .text, .textArray, .textArray, .text, .int4, .text, .int8, .int8, .int8, .float8, .int8,
    .textArray,
    .textArray, .int8, .bool, .int8, .int8, .int8, .float8, .text, .text, .text, .text, .timestamptz,
    .timestamptz,
    .timestamptz, .timestamptz, .bool, .bool,
  ]

  static let selectRun = Statement("\(run) where r.id = $1", parameters: [.uuid], columns: runTypes)

  static let selectRuns = Statement(
    """
    \(run)
    where r.id < $1 and ($2::text is null or r.job = $2)
    order by r.id desc
    limit $3
    """, parameters: [.uuid, .text, .int8], columns: runTypes)

  static let selectLatest = Statement("\(run) order by r.id desc limit 1", columns: runTypes)

  static let selectOpen = Statement(
    """
    \(run)
    where r.fingerprint = $1
      and (r.state not in ('done', 'cancelled') or (r.state = 'done' and r.awaits_report))
    """, parameters: [.text], columns: runTypes)

  static let selectFailures = Statement(
    """
    select key, code, message from ironforge.job_failures where run_id = $1 order by number limit $2
    """, parameters: [.uuid, .int8], columns: [.textArray, .text, .text])

  static let insertRun = Statement(
    """
    insert into ironforge.job_runs (id, job, options, fingerprint, lock_key, state, owner, chunk_size, concurrency,
      max_rate, max_lag_seconds, max_failures, key_columns, end_key, is_planned, total, is_total_exact, awaits_report)
    select $1, $2, coalesce(jsonb_object_agg(o.key, o.value), '{}'), $5, $6, 'running', $7, $8, $9, $10, $11, $12,
      $13, $14, $14::text[] is null, $15, $16, true
    from unnest($3::text[], $4::text[]) as o (key, value)
    """,
    parameters: [
      .uuid, .text, .textArray, .textArray, .text, .int8, .text, .int8, .int8, .int8, .float8, .int8,
      .textArray,
      .textArray, .int8, .bool,
    ])

  static let takeOver = Statement(
    """
    update ironforge.job_runs
    set state = 'running', attempt = attempt + 1, owner = $2, chunk_size = $3, concurrency = $4, max_rate = $5,
      max_lag_seconds = $6, max_failures = $7, started_at = clock_timestamp(),
      heartbeat_at = clock_timestamp(), finished_at = null,
      throttled_by = null, throttle_detail = null, error_code = null, error_message = null
    where id = $1 and state not in ('done', 'cancelled')
    returning attempt
    """, parameters: [.uuid, .text, .int8, .int8, .int8, .float8, .int8], columns: [.int4])

  // A job that cron starts every minute must not fill a table: the newest thousand finished runs of a job
  // stay.
  static let prune = Statement(
    """
    delete from ironforge.job_runs
    where id in (
      select id from ironforge.job_runs
      where job = $1 and state in ('done', 'cancelled')
      order by id desc
      offset 1000 limit 100
    )
    """, parameters: [.text])

  static let pause = Statement(
    """
    update ironforge.job_runs set state = 'paused' where id = $1 and state not in ('paused', 'done', 'cancelled')
    """, parameters: [.uuid])

  static let unpause = Statement(
    "update ironforge.job_runs set state = 'running' where id = $1 and state = 'paused'", parameters: [.uuid])

  static let cancel = Statement(
    """
    update ironforge.job_runs set state = 'cancelled', finished_at = clock_timestamp()
    where id = $1 and state not in ('done', 'cancelled')
    """, parameters: [.uuid])

  // Chunks of a run that nobody will go on with. One that a transaction still holds goes with its run.
  static let dropChunks = Statement(
    """
    delete from ironforge.job_chunks
    where (run_id, number) in (
      select c.run_id, c.number from ironforge.job_chunks c
      where c.run_id = $1 and not c.is_done
      for update skip locked
    )
    """, parameters: [.uuid])

  // The last word of an owner. `cancelled` came from outside and stays; so does `paused` unless the run is
  // done.
  static let finish = Statement(
    """
    update ironforge.job_runs
    set state = case when state = 'cancelled' or (state = 'paused' and $3 = 'interrupted') then state else $3 end,
      error_code = $4, error_message = $5, throttled_by = null, throttle_detail = null,
      -- What was estimated is known now.
      total = case when $3 = 'done' and not is_total_exact then done else total end,
      is_total_exact = is_total_exact or $3 = 'done',
      rows_per_second = case when $3 = 'done'
        then done / greatest(extract(epoch from clock_timestamp() - created_at)::float8, 0.001)
        else rows_per_second end,
      heartbeat_at = clock_timestamp(),
      finished_at = case when state = 'cancelled' or $3 = 'done' then clock_timestamp() end
    where id = $1 and attempt = $2
    """, parameters: [.uuid, .int4, .text, .text, .text])

  static let markReported = Statement(
    "update ironforge.job_runs set awaits_report = false where id = $1", parameters: [.uuid])

  // A process that was stopped (SIGSTOP, a frozen machine) must not keep its locks.
  static let localIdleTimeout = Statement(
    "select set_config('idle_in_transaction_session_timeout', $1, true)", parameters: [.text],
    columns: [.text])

  static let localStatementTimeout = Statement(
    "select set_config('statement_timeout', $1, true)", parameters: [.text], columns: [.text])

  // Dates among the keys must read the same in every session. PgBouncer carries this setting over.
  static let keepISODates = Statement("set datestyle = 'ISO'")

  static let lockRun = Statement(
    """
    select planned_to, end_key, is_planned from ironforge.job_runs
    where id = $1 and attempt = $2 and state = 'running'
    for no key update
    """, parameters: [.uuid, .int4], columns: [.textArray, .textArray, .bool])

  static let insertChunk = Statement(
    """
    insert into ironforge.job_chunks (run_id, first_key, last_key, rows) values ($1, $2, $3, $4) returning number
    """, parameters: [.uuid, .textArray, .textArray, .int8], columns: [.int8])

  static let advance = Statement(
    """
    update ironforge.job_runs set planned_to = coalesce($3, planned_to), is_planned = $4
    where id = $1 and attempt = $2
    """, parameters: [.uuid, .int4, .textArray, .bool])

  static let selectOpenChunks = Statement(
    """
    select number, first_key, last_key, rows from ironforge.job_chunks
    where run_id = $1 and not is_done
    order by number
    """, parameters: [.uuid], columns: [.int8, .textArray, .textArray, .int8])

  // Locks the run before it takes chunks away, so that an owner that was superseded takes none.
  static let fold = Statement(
    """
    with mine as (
      select id from ironforge.job_runs where id = $1 and attempt = $2 for no key update
    ), folded as (
      delete from ironforge.job_chunks c using mine where c.run_id = mine.id and c.is_done
      returning c.visited, c.affected, c.failed
    ), sums as (
      select coalesce(sum(visited), 0)::bigint as visited, coalesce(sum(affected), 0)::bigint as affected,
        coalesce(sum(failed), 0)::bigint as failed
      from folded
    )
    update ironforge.job_runs r
    set done = r.done + s.visited, affected = r.affected + s.affected, failed = r.failed + s.failed,
      rows_per_second = $3, throttled_by = $4, throttle_detail = $5, heartbeat_at = clock_timestamp()
    from mine, sums s
    where r.id = mine.id
    returning r.state, r.done, r.failed, r.is_planned
    """,
    parameters: [.uuid, .int4, .float8, .text, .text], columns: [.text, .int8, .int8, .bool])

  // Who gets no row is told why by the next statement.
  static let lockChunk = Statement(
    """
    select pg_backend_pid()
    from ironforge.job_chunks c
    join ironforge.job_runs r on r.id = c.run_id
    where c.run_id = $1 and c.number = $2 and not c.is_done and r.attempt = $3 and r.state in ('running', 'paused')
    for update of c skip locked
    """, parameters: [.uuid, .int8, .int4], columns: [.int4])

  static let isChunkOpen = Statement(
    """
    select exists (select from ironforge.job_chunks where run_id = $1 and number = $2 and not is_done)
    """, parameters: [.uuid, .int8], columns: [.bool])

  static let finishChunk = Statement(
    """
    update ironforge.job_chunks set is_done = true, visited = $3, affected = $4, failed = $5
    where run_id = $1 and number = $2
    """, parameters: [.uuid, .int8, .int8, .int8, .int8])

  static let deleteChunk = Statement(
    "delete from ironforge.job_chunks where run_id = $1 and number = $2", parameters: [.uuid, .int8])

  static let insertFailure = Statement(
    """
    insert into ironforge.job_failures (run_id, key, code, message) values ($1, $2, $3, $4)
    """, parameters: [.uuid, .textArray, .text, .text])

  static let markRetried = Statement(
    """
    update ironforge.job_failures set retried_by = $3 where run_id = $1 and key = $2 and retried_by is null
    """, parameters: [.uuid, .textArray, .uuid])
}
