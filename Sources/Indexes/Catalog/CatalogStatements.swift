public import Postgres

/// All SQL that this target sends. Each statement reads one kind of thing for the whole database, so that ten thousand
/// indexes cost as many round trips as ten.
public enum IndexStatements {
  /// For the test that prepares every statement: those that a server of this version knows, 150020 being 15.20.
  public static func all(serverVersion: Int) -> [Statement] {
    var known = everywhere
    if serverVersion >= 150_000 { known += since15 }
    if serverVersion >= 160_000 { known += since16 }
    return known
  }

  /// For the test that counts them.
  public static let all = everywhere + since15 + since16

  private static let everywhere =
    [
      plainPrinting, facts, lockedTables, schemas, tables, withoutStatistics, columns, fewValues, indexes,
      operatorClassAliases, indexColumns, extensions, foreignKeys, abandoned, usage, commitTimes,
    ] + UsageStatements.all + LedgerStatements.all + BloatStatements.all
  private static let since15 = [nullsNotDistinct]
  private static let since16 = [lastScans, newPageUpdates]

  /// With these the server qualifies every name that it prints, and writes constants so that they mean the same everywhere, as
  /// pg_dump has it: definitions read the same for every role, and can be run by any. For the transaction only.
  public static let plainPrinting = Statement.inspecting(
    """
    select set_config('search_path', '', true), set_config('quote_all_identifiers', 'off', true),
      -- Under another style 01/03/2020 in a WHERE clause is another day for whoever runs it.
      set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'postgres', true),
      set_config('timezone', 'UTC', true), set_config('extra_float_digits', '1', true)
    """, columns: [.text, .text, .text, .text, .text, .text])

  /// Relations that somebody holds, or waits for, in ACCESS EXCLUSIVE mode. Printing an expression or asking for a size
  /// would wait behind them.
  private static let locked = """
    (select relation from pg_locks
     where locktype = 'relation' and mode = 'AccessExclusiveLock' and pid <> pg_backend_pid()
       and database = (select oid from pg_database where datname = current_database()))
    """

  /// Tables of users: not those of the system, of sessions or of extensions.
  private static let userTables = """
    select t.oid from pg_class t join pg_namespace tn on tn.oid = t.relnamespace
    where t.relkind in ('r', 'p', 'm') and t.relpersistence <> 't'
      and tn.nspname <> 'information_schema' and tn.nspname not like 'pg\\_%'
      and not exists (
        select from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = t.oid and d.deptype = 'e')
    """

  static let facts = Statement.inspecting(
    """
    select d.datname::text, current_setting('server_version'), clock_timestamp(),
      -- NULL after a crash: then all counters began anew, with those of the background writer.
      coalesce(d.stats_reset, (select b.stats_reset from pg_stat_bgwriter b)),
      pg_is_in_recovery(), current_setting('track_counts')::boolean,
      current_setting('track_commit_timestamp')::boolean, pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
      (select count(*) from pg_class c
       where c.oid in (\(userTables)) and not has_any_column_privilege(c.oid, 'select')),
      current_setting('default_statistics_target')::int4
    from pg_stat_database d
    where d.datname = current_database()
    """,
    columns: [.text, .text, .timestamptz, .timestamptz, .bool, .bool, .bool, .bool, .int8, .int4])

  public static let lockedTables = Statement.inspecting(
    """
    select n.nspname || '.' || c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid in (\(userTables))
      and (c.oid in \(locked) or exists (
        select from pg_index i where i.indrelid = c.oid and i.indexrelid in \(locked)))
    order by 1
    """, columns: [.text])

  static let schemas = Statement.inspecting("select nspname::text from pg_namespace", columns: [.text])

  /// Those that can be looked at without waiting.
  private static let openTables = """
    open_tables as materialized (
      select c.oid from pg_class c
      where c.oid in (\(userTables)) and c.oid not in \(locked) and not exists (
        select from pg_index i where i.indrelid = c.oid and i.indexrelid in \(locked)))
    """

  static let tables = Statement.inspecting(
    """
    with \(openTables), locked_children as (
      -- Joined, not looked up for each table: that looked so dear that the server compiled it first (jit).
      select h.inhparent as parent, count(*) from pg_inherits h
      where h.inhrelid in (\(userTables)) and h.inhrelid not in (select oid from open_tables)
      group by h.inhparent
    )
    select c.oid, n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname),
      c.relkind = 'p',
      -- A child of plain inheritance is a table of its own; only a partition goes with its parent.
      case when c.relispartition then (select min(h.inhparent::bigint) from pg_inherits h where h.inhrelid = c.oid) end,
      -- -1 is unknown; before version 14 so was 0 in an empty file.
      case when c.reltuples > 0 or c.reltuples = 0 and c.relpages > 0 then c.reltuples::bigint end,
      coalesce(pg_relation_size(c.oid), 0),
      array[
        pg_stat_get_numscans(c.oid), pg_stat_get_tuples_returned(c.oid), pg_stat_get_tuples_inserted(c.oid),
        pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid),
        pg_stat_get_tuples_hot_updated(c.oid), pg_stat_get_mod_since_analyze(c.oid),
        pg_stat_get_live_tuples(c.oid)],
      greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)),
      pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'usage'),
      case when c.relkind = 'p' then (select count(*) from pg_inherits h where h.inhparent = c.oid) else 0 end,
      case when c.relkind = 'p' then coalesce(k.count, 0) else 0 end
    from open_tables o
    join pg_class c on c.oid = o.oid
    join pg_namespace n on n.oid = c.relnamespace
    left join locked_children k on k.parent = c.oid
    """,
    columns: [
      .oid, .text, .text, .text, .bool, .int8, .int8, .int8, .int8Array, .timestamptz, .text, .bool, .int8,
      .int8,
    ])

  /// Columns that an index, its WHERE clause or a foreign key names: a wide table's others would only cost memory.
  static let columns = Statement.inspecting(
    """
    with \(openTables), named as (
      select i.indrelid as relation, unnest(i.indkey::int2[]) as number from pg_index i
      where i.indrelid in (select oid from open_tables)
      union
      select f.conrelid, unnest(f.conkey) from pg_constraint f
      where f.contype = 'f' and f.conrelid in (select oid from open_tables)
      union
      -- What an expression names stands nowhere else in the catalog.
      select d.refobjid, d.refobjsubid::int2 from pg_index i
      join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
        and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
      where i.indpred is not null and i.indrelid in (select oid from open_tables)
    )
    select a.attrelid, a.attnum, a.attname::text, quote_ident(a.attname), a.atttypid = 'bool'::regtype,
      a.attcollation::bigint, a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    from named
    join pg_attribute a on a.attrelid = named.relation and a.attnum = named.number and a.attnum > 0
    """, columns: [.oid, .int2, .text, .text, .bool, .int8, .bool])

  /// Columns with few values, as far as the role may see statistics of columns.
  static let fewValues = Statement.inspecting(
    """
    with \(openTables)
    select c.oid, a.attnum, s.n_distinct::float8
    from pg_stats s
    join pg_namespace n on n.nspname = s.schemaname
    join pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
    join pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
    where s.n_distinct > 0 and s.n_distinct <= $1::float8 and s.inherited = (c.relkind = 'p')
      and c.oid in (select oid from open_tables)
    """, parameters: [.float8], columns: [.oid, .int2, .float8])

  /// Tables that have rows and no statistics of any column: ANALYZE never ran, or a pg_upgrade before version 18 left them
  /// behind. Only of tables whose columns the role may all see.
  static let withoutStatistics = Statement.inspecting(
    """
    with \(openTables)
    select c.oid
    from open_tables o
    join pg_class c on c.oid = o.oid
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind <> 'p' and c.reltuples > 0 and has_table_privilege(c.oid, 'select') and not row_security_active(c.oid)
      and pg_stat_get_last_analyze_time(c.oid) is null and pg_stat_get_last_autoanalyze_time(c.oid) is null
      and exists (
        select from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and coalesce(a.attstattarget, -1) <> 0)
      -- Not EXISTS: the planner thinks that the view has few rows, and would look through it for each table.
      and (n.nspname, c.relname) not in (
        select s.schemaname, s.tablename from pg_stats s where not s.inherited)
    """, columns: [.oid])

  static let indexes = Statement.inspecting(
    """
    with \(openTables)
    select i.indexrelid, i.indrelid, n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname),
      am.amname::text,
      i.indkey::int2[], i.indnkeyatts, i.indclass::oid[]::int8[], i.indcollation::oid[]::int8[], i.indoption::int2[],
      case when i.indexprs is null then '{}'::text[]
        else array(
          select coalesce(pg_get_indexdef(i.indexrelid, k, false), '')
          from generate_series(1, i.indnkeyatts) k where i.indkey[k - 1] = 0 order by k) end,
      pg_get_expr(i.indpred, i.indrelid, false),
      -- In the order of CatalogReader.setFlags.
      array[
        c.relkind = 'I', i.indisunique, i.indimmediate, i.indisreplident, i.indisclustered, i.indisvalid, i.indisready,
        i.indislive,
        exists (select from pg_constraint f where f.conindid = i.indexrelid and f.contype = 'f')],
      (select min(h.inhparent::bigint) from pg_inherits h where h.inhrelid = i.indexrelid),
      k.conname::text, k.contype, k.condeferrable,
      quote_ident(s.spcname), coalesce(c.reloptions, '{}'), obj_description(i.indexrelid, 'pg_class'),
      coalesce(pg_relation_size(i.indexrelid), 0),
      pg_get_indexdef(i.indexrelid),
      -- Also those of tables that are not open.
      case when c.relkind = 'I' then (select count(*) from pg_inherits h where h.inhparent = i.indexrelid) else 0 end
    from open_tables o
    join pg_index i on i.indrelid = o.oid
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_am am on am.oid = c.relam
    left join pg_tablespace s on s.oid = c.reltablespace
    left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
    """,
    columns: [
      .oid, .oid, .text, .text, .text, .text, .int2Array, .int2, .int8Array, .int8Array, .int2Array,
      .textArray, .text, .boolArray, .int8, .text, .char, .bool, .text, .textArray, .text, .int8, .text,
      .int8,
    ])

  /// Operator classes of one method, family and type have the same operators and support functions: the catalog knows these by
  /// family and type alone. `varchar_ops` is `text_ops` under another name.
  static let operatorClassAliases = Statement.inspecting(
    """
    select c.oid::int8, c.first
    from (
      select o.oid, first_value(o.oid::int8) over (
          partition by o.opcmethod, o.opcfamily, o.opcintype, o.opckeytype order by not o.opcdefault, o.oid) as first
      from pg_opclass o) c
    where c.first <> c.oid::int8
    """, columns: [.int8, .int8])

  /// What is not the default about the columns of indexes: operator classes' parameters, statistics targets. The latter
  /// default to -1, from version 17 on to NULL.
  static let indexColumns = Statement.inspecting(
    """
    select a.attrelid, a.attnum, a.attoptions::text, coalesce(a.attstattarget::int4, -1)
    from pg_index i
    join pg_attribute a on a.attrelid = i.indexrelid
    where a.attoptions is not null or coalesce(a.attstattarget, -1) >= 0
    """, columns: [.oid, .int2, .text, .int4])

  /// Extensions with which indexes go. Older servers let one stand there twice.
  static let extensions = Statement.inspecting(
    """
    select d.objid, array_agg(distinct quote_ident(e.extname) collate "C")
    from pg_extension e
    join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'x'
    where d.classid = 'pg_class'::regclass and d.objid in (select indexrelid from pg_index)
    group by d.objid
    """, columns: [.oid, .textArray])

  /// Of locked tables too, which takes no lock: one that is locked here and open in the next statement would look unused.
  static let usage = Statement.inspecting(
    """
    select i.indexrelid, pg_stat_get_numscans(i.indexrelid), pg_stat_get_tuples_returned(i.indexrelid),
      pg_stat_get_tuples_fetched(i.indexrelid)
    from pg_index i
    where pg_stat_get_numscans(i.indexrelid) > 0
    """, columns: [.oid, .int8, .int8, .int8])

  /// For servers with track_commit_timestamp only; on others it fails.
  static let commitTimes = Statement.inspecting(
    """
    with \(openTables)
    select i.indexrelid, pg_xact_commit_timestamp(i.xmin)
    from open_tables o join pg_index i on i.indrelid = o.oid
    """, columns: [.oid, .timestamptz])

  static let lastScans = Statement.inspecting(
    """
    with \(openTables)
    select i.indexrelid, pg_stat_get_lastscan(i.indexrelid)
    from open_tables o join pg_index i on i.indrelid = o.oid
    where pg_stat_get_lastscan(i.indexrelid) is not null
    """, columns: [.oid, .timestamptz])

  static let newPageUpdates = Statement.inspecting(
    """
    with \(openTables)
    select oid, pg_stat_get_tuples_newpage_updated(oid) from open_tables
    """, columns: [.oid, .int8])

  static let nullsNotDistinct = Statement.inspecting(
    "select indexrelid from pg_index where indnullsnotdistinct", columns: [.oid])

  /// Of a partitioned table the root only; its partitions repeat it.
  static let foreignKeys = Statement.inspecting(
    """
    with \(openTables)
    select f.conname::text, f.conrelid, f.conkey, f.confrelid, f.confkey, n.nspname::text, p.relname::text,
      format('%I.%I', n.nspname, p.relname)
    from pg_constraint f
    join pg_class p on p.oid = f.confrelid
    join pg_namespace n on n.oid = p.relnamespace
    where f.contype = 'f' and f.conparentid = 0 and f.conrelid in (select oid from open_tables)
    """,
    columns: [.text, .oid, .int2Array, .oid, .int2Array, .text, .text, .text])

  /// Invalid ones that nobody is at work on. CREATE INDEX and REINDEX report it, without names to a role that lacks
  /// pg_read_all_stats; DROP INDEX CONCURRENTLY only shows in the lock that it holds on the index. Sent before the
  /// snapshot is taken: what is on this list and invalid in a later snapshot has not just been waiting for its end.
  static let abandoned = Statement.inspecting(
    """
    select i.indexrelid from pg_index i
    where not i.indisvalid
      and i.indrelid not in (
        select p.relid from pg_stat_progress_create_index p
        where p.datname = current_database() and p.relid is not null)
      and i.indexrelid not in (
        select l.relation from pg_locks l
        where l.locktype = 'relation' and l.mode = 'ShareUpdateExclusiveLock' and l.granted
          and l.database = (select oid from pg_database where datname = current_database()))
    """, columns: [.oid])
}
