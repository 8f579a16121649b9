public import Postgres

/// All SQL of this target whose text is known beforehand; what plans and hypothetical indexes need is made at run time.
public enum AdviceStatements {
  /// For the test that prepares every statement.
  public static let all = [tables, columns, costs, setPath, path, hypoPG, hypoPGAvailable]

  /// With those that inherit from them: a query reads their rows too, and no index of a parent finds those. The largest, since
  /// each takes planning for itself.
  private static let named = """
    select c.oid from pg_class c
    where c.relname = any($1::text[]) and c.relkind in ('r', 'p', 'm', 'v') and c.relpersistence <> 't'
      and c.relnamespace <> 'pg_catalog'::regnamespace
    union
    select k.oid from pg_class c
    cross join lateral (
      with recursive heirs as (
        select h.inhrelid as oid from pg_inherits h where h.inhparent = c.oid
        union
        select h.inhrelid from heirs r join pg_inherits h on h.inhparent = r.oid
      )
      select k.oid from heirs join pg_class k on k.oid = heirs.oid and k.relkind = 'r'
      order by k.reltuples desc, k.oid limit \(heirsMax)
    ) k
    where c.relname = any($1::text[]) and c.relkind = 'r' and c.relpersistence <> 't'
    """
  static let heirsMax = 32

  static let tables = Statement.inspecting(
    """
    with recursive named as (\(named)), parts as (
      -- Pages, rows and counters of a partitioned table are those of its partitions.
      select n.oid as root, n.oid from named n
      union all
      select p.root, h.inhrelid from parts p
      join pg_inherits h on h.inhparent = p.oid
      join pg_class c on c.oid = h.inhparent and c.relkind = 'p'
    ), sums as (
      select p.root, sum(greatest(c.reltuples, 0)::float8) filter (where c.relkind <> 'p') as rows,
        sum(c.relpages::float8) as pages,
        sum((pg_stat_get_tuples_inserted(c.oid)
          + greatest(pg_stat_get_tuples_updated(c.oid) - pg_stat_get_tuples_hot_updated(c.oid), 0))::float8) as writes
      from parts p join pg_class c on c.oid = p.oid
      group by p.root
    )
    select c.oid, n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname),
      pg_table_is_visible(c.oid), c.relkind = 'p', coalesce(s.rows, 0), coalesce(s.pages, 0), coalesce(s.writes, 0),
      case when c.relkind = 'v' then pg_get_viewdef(c.oid) end,
      coalesce((
        with recursive heirs as (
          select h.inhrelid as oid from pg_inherits h where h.inhparent = c.oid and c.relkind = 'r'
          union
          select h.inhrelid from heirs r join pg_inherits h on h.inhparent = r.oid
        )
        select array_agg(heirs.oid::int8 order by heirs.oid) from heirs join named on named.oid = heirs.oid), '{}')
    from sums s
    join pg_class c on c.oid = s.root
    join pg_namespace n on n.oid = c.relnamespace
    """,
    parameters: [.textArray],
    columns: [.oid, .text, .text, .text, .bool, .bool, .float8, .float8, .float8, .text, .int8Array])

  /// The default operator class is searched as `GetDefaultOpClass` does: of the type itself, then of what it is
  /// binary-coercible to (varchar goes by text's), then of the polymorphic ones.
  static let columns = Statement.inspecting(
    """
    with named as (\(named)), typed as (
      select a.attrelid, a.attnum, a.attname, a.attcollation, c.relkind, c.relname, c.reltuples, n.nspname,
        coalesce(nullif(t.typbasetype, 0), t.oid) as base
      from named join pg_class c on c.oid = named.oid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_type t on t.oid = a.atttypid
    )
    select y.attrelid, y.attnum, y.attname::text, quote_ident(y.attname),
      (select o.oid::int8 from pg_opclass o join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
       where o.opcdefault and (
         o.opcintype = y.base
         or o.opcintype = 'text'::regtype and y.base = 'varchar'::regtype
         or o.opcintype = 'anyenum'::regtype and b.typtype = 'e'
         or o.opcintype = 'anyarray'::regtype and b.typcategory = 'A'
         or o.opcintype = 'anyrange'::regtype and b.typtype = 'r')
       order by o.opcintype = y.base desc limit 1),
      p.opcname::text, p.oid::int8, y.attcollation::int8,
      -- What has no "equalimage" support function; bpchar has one, and is not deduplicated all the same (measured on 15).
      b.typcategory not in ('A', 'R') and b.oid not in (
        'numeric'::regtype, 'float4'::regtype, 'float8'::regtype, 'jsonb'::regtype, 'interval'::regtype,
        'bpchar'::regtype),
      case when s.n_distinct >= 0 then s.n_distinct::float8 else -s.n_distinct::float8 * greatest(y.reltuples, 0) end,
      coalesce(s.null_frac::float8, 0), coalesce(s.avg_width::float8, 8),
      -- A short value of variable length stands anywhere.
      case when b.typlen < 0 and coalesce(s.avg_width, 8) < 127 then 1
        else case b.typalign when 'd' then 8 when 'i' then 4 when 's' then 2 else 1 end end::float8,
      -- Few are enough, and long values are no constants of a partial index.
      coalesce((select array_agg(left(v, 100) order by k) from unnest(s.most_common_vals::text::text[])
        with ordinality u (v, k) where k <= 20), '{}'),
      coalesce((select array_agg(f::text order by k) from unnest(s.most_common_freqs)
        with ordinality u (f, k) where k <= 20), '{}'),
      s.correlation::float8, b.typlen < 0 and b.oid <> 'bpchar'::regtype
    from typed y
    join pg_type b on b.oid = y.base
    left join pg_collation l on l.oid = y.attcollation
    left join pg_opclass p on not coalesce(l.collname in ('C', 'POSIX'), true)
      and not (l.collname = 'default' and
        (select datcollate in ('C', 'POSIX') from pg_database where datname = current_database()))
      and p.opcmethod = (select oid from pg_am where amname = 'btree')
      and p.opcnamespace = 'pg_catalog'::regnamespace
      and p.opcname = case when b.oid in ('text'::regtype, 'varchar'::regtype) then 'text_pattern_ops'
        when b.oid = 'bpchar'::regtype then 'bpchar_pattern_ops' end
    left join pg_stats s on s.schemaname = y.nspname and s.tablename = y.relname and s.attname = y.attname
      and s.inherited = (y.relkind = 'p')
    order by y.attrelid, y.attnum
    """,
    parameters: [.textArray],
    columns: [
      .oid, .int2, .text, .text, .int8, .text, .int8, .int8, .bool, .float8, .float8, .float8, .float8,
      .textArray,
      .textArray, .float8, .bool,
    ])

  /// `RepeatedScans.Costs`.
  static let costs = Statement.inspecting(
    """
    select current_setting('random_page_cost')::float8, current_setting('seq_page_cost')::float8,
      current_setting('cpu_tuple_cost')::float8 + current_setting('cpu_index_tuple_cost')::float8
        + current_setting('cpu_operator_cost')::float8,
      current_setting('cpu_operator_cost')::float8,
      (select setting::float8 from pg_settings where name = 'effective_cache_size')
    """, columns: [.float8, .float8, .float8, .float8, .float8])

  /// Until the end of the transaction.
  static let setPath = Statement.inspecting(
    "select set_config('search_path', $1, true)", parameters: [.text], columns: [.text])

  static let path = Statement.inspecting("select current_schemas(false)::text[]", columns: [.textArray])

  /// Where HypoPG's functions are; it may live in any schema.
  static let hypoPG = Statement.inspecting(
    """
    select quote_ident(n.nspname), e.extversion
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'hypopg'
    """, columns: [.text, .text])

  static let hypoPGAvailable = Statement.inspecting(
    "select exists (select from pg_available_extensions where name = 'hypopg')", columns: [.bool])
}
