public import Postgres

/// SQL that this target sends, without what it makes of names: DROP INDEX, CREATE INDEX, and calls of HypoPG.
public enum PruneStatements {
  /// For the test that prepares every statement.
  public static let all = [server, hide, state, blockers, namesAbove]

  /// What decides how an index can be hidden, and whose undo file is whose.
  static let server = Statement.inspecting(
    """
    select (select rolsuper from pg_roles where rolname = current_user), pg_is_in_recovery(),
      (select e.extversion from pg_extension e where e.extname = 'hypopg'),
      (select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
       where e.extname = 'hypopg'),
      (select system_identifier::text from pg_control_system()), current_database()::text,
      current_user::text
    """, columns: [.bool, .bool, .text, .text, .text, .text, .text])

  /// For a superuser, in a transaction that is rolled back: nobody else ever sees it.
  static let hide = Statement.inspecting(
    "update pg_index set indisvalid = false where indexrelid = any (($1::int8[])::oid[])",
    parameters: [.int8Array])

  /// Names by which statements reach the tables of indexes: their own, those of views, and those of parents.
  static let namesAbove = Statement.inspecting(
    """
    with recursive reached as (
      select i.indrelid as oid from pg_index i where i.indexrelid = any (($1::int8[])::oid[])
      union
      select above.oid
      from reached r
      cross join lateral (
        select h.inhparent from pg_inherits h where h.inhrelid = r.oid
        union all
        select w.ev_class from pg_depend d
        join pg_rewrite w on w.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid
      ) above (oid)
    )
    select distinct c.relname::text from reached r join pg_class c on c.oid = r.oid
    """, parameters: [.int8Array], columns: [.text])

  /// What stands under a name. The transaction's search_path is empty, so that definitions read as in the catalog.
  static let state = Statement.inspecting(
    """
    select n.oid is not null, t.oid is not null, c.oid, c.relkind, pg_get_indexdef(i.indexrelid),
      i.indisvalid and i.indisready and i.indislive, obj_description(i.indexrelid, 'pg_class'), i.indisclustered,
      exists (select from pg_index other where other.indrelid = t.oid and other.indisclustered),
      array(
        select a.attnum from pg_attribute a where a.attrelid = i.indexrelid and coalesce(a.attstattarget, -1) >= 0
        order by a.attnum),
      -- As IndexStatements.abandoned: a build reports itself, a DROP shows in its lock.
      exists (
        select from pg_stat_progress_create_index p
        where p.datname = current_database() and p.relid = i.indrelid) or exists (
        select from pg_locks l
        where l.locktype = 'relation' and l.mode = 'ShareUpdateExclusiveLock' and l.granted
          and l.relation = i.indexrelid
          and l.database = (select oid from pg_database where datname = current_database())),
      format('%I.%I', given.schema, given.index), format('%I.%I', given.schema, given.relation), quote_ident(given.index),
      coalesce(pg_relation_size(t.oid) = 0, false) or exists (
        select from pg_stats s where s.schemaname = given.schema and s.tablename = given.index),
      array(select quote_ident(e.extname) from pg_extension e),
      array(
        select quote_ident(e.extname) from pg_extension e
        join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
        where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.deptype = 'x')
    from (values ($1::text, $2::text, $3::text)) given (schema, index, relation)
    left join pg_namespace n on n.nspname = given.schema
    left join pg_class t on t.relnamespace = n.oid and t.relname = given.relation
    left join pg_class c on c.relnamespace = n.oid and c.relname = given.index
    left join pg_index i on i.indexrelid = c.oid and i.indrelid = t.oid
    """,
    parameters: [.text, .text, .text],
    columns: [
      .bool, .bool, .oid, .char, .text, .bool, .text, .bool, .bool, .int2Array, .bool, .text, .text, .text,
      .bool, .textArray, .textArray,
    ])

  /// Who keeps DROP INDEX CONCURRENTLY waiting, the oldest first. A prepared transaction has no process.
  static let blockers = Statement.inspecting(
    """
    select case when l.pid is null then 'a prepared transaction (pg_prepared_xacts)'
      else format('process %s', l.pid) || coalesce(format(' (%s)', nullif(max(a.application_name), '')), '')
        || coalesce(to_char(max(a.xact_start) at time zone 'UTC', '", in a transaction since "YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
      end
    from pg_locks l
    left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and l.relation in (
        select i.indrelid from pg_index i where i.indexrelid = $1::int8::oid
        union select $1::int8::oid)
    group by l.pid
    order by max(a.xact_start) nulls first
    limit 5
    """, parameters: [.int8], columns: [.text])
}
