internal import Postgres

/// What tells how large an index should be. Sent for large ones only: most are too small to waste anything.
enum BloatStatements {
  static let all = [entries, columnStatistics, pgstattuple]

  /// Entries, and for btrees what they are made of. $1 are OIDs.
  static let entries = Statement.inspecting(
    """
    select i.indexrelid,
      -- -1 is unknown; before version 14 so was 0 in an empty file.
      case when c.reltuples > 0 or c.reltuples = 0 and c.relpages > 0 then c.reltuples::int8 end,
      c.relam = (select oid from pg_am where amname = 'btree'),
      array(select a.attlen from pg_attribute a where a.attrelid = i.indexrelid order by a.attnum),
      array(select a.attalign::text from pg_attribute a where a.attrelid = i.indexrelid order by a.attnum),
      -- As _bt_allequalimage decides: every operator class says that equal is equal byte for byte, and there is no INCLUDE.
      i.indnatts = i.indnkeyatts and not exists (
        select from unnest(i.indclass::oid[], i.indcollation::oid[]) as k (opclass, coll)
        join pg_opclass o on o.oid = k.opclass
        left join pg_amproc p on p.amprocfamily = o.opcfamily and p.amproclefttype = o.opcintype
          and p.amprocrighttype = o.opcintype and p.amprocnum = 4
        left join pg_collation l on l.oid = k.coll
        where p.amproc is null or p.amproc = 'pg_catalog.btvarstrequalimage'::regproc and not l.collisdeterministic)
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where i.indexrelid = any ($1::int8[]::oid[])
    """,
    parameters: [.int8Array], columns: [.oid, .int8, .bool, .int2Array, .textArray, .bool])

  /// Of the columns of these indexes' tables that they name, and of their own expressions.
  static let columnStatistics = Statement.inspecting(
    """
    with named as (
      select i.indrelid as relation, unnest(i.indkey::int2[]) as number from pg_index i
      where i.indexrelid = any ($1::int8[]::oid[])
      union
      select a.attrelid, a.attnum from pg_attribute a
      join pg_index i on i.indexrelid = a.attrelid
      where i.indexprs is not null and i.indexrelid = any ($1::int8[]::oid[])
    )
    select a.attrelid, a.attnum, s.n_distinct::float8, s.avg_width::float8, s.null_frac::float8
    from named
    join pg_attribute a on a.attrelid = named.relation and a.attnum = named.number
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname
      and not s.inherited
    """,
    parameters: [.int8Array], columns: [.oid, .int2, .float8, .float8, .float8])

  /// Where the extension is, and whether the role may use it (pg_stat_scan_tables may, and so pg_monitor).
  static let pgstattuple = Statement.inspecting(
    """
    select quote_ident(n.nspname), has_function_privilege(p.oid, 'execute') and has_schema_privilege(n.oid, 'usage')
    from pg_extension e
    join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
      and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
    join pg_proc p on p.oid = d.objid and p.proname = 'pgstatindex' and p.proargtypes = array['regclass'::regtype]::oidvector
    join pg_namespace n on n.oid = p.pronamespace
    where e.extname = 'pgstattuple'
    """, columns: [.text, .bool])

  /// Reads all pages of one index, by its OID in $1. The schema is the server's, quoted by it.
  static func density(schema: String) -> Statement {
    let sql = """
      select s.index_size, s.leaf_pages, s.internal_pages, s.avg_leaf_density::float8
      from \(schema).pgstatindex($1::int8::oid::regclass) s
      """
    return Statement.inspecting(sql, parameters: [.int8], columns: [.int8, .int8, .int8, .float8])
  }
}
