public import Postgres

/// All SQL that this target sends, apart from the migrations themselves.
public enum MigrationStatements {
  /// For the test that prepares every statement on a migrated database.
  public static let all: [Statement] = [
    recordsExist, schemaExists, records, begun, progressed, applied, reverting, reverted, invalidIndexNamed,
    invalidIndexes,
  ]

  static let recordsExist = Statement(
    "select to_regclass('ironforge.schema_migrations') is not null", columns: [.bool])

  // Schema and table are made apart from each other: CREATE SCHEMA IF NOT EXISTS wants the privilege to create
  // one even where it is there.
  static let schemaExists = Statement(
    "select exists (select from pg_catalog.pg_namespace where nspname = 'ironforge')", columns: [.bool])

  static let createSchema = Statement("create schema ironforge")

  /// `state` is `running` from before the first statement of a migration without transaction until after its
  /// last, and `reverting` likewise. `progress` counts the statements that are done, and `progress_digest` says
  /// which they were.
  static let createRecords = Statement(
    """
    create table ironforge.schema_migrations (
      version bigint primary key check (version > 0),
      name text not null,
      checksum text not null,
      state text not null check (state in ('running', 'applied', 'reverting')),
      progress integer not null default 0 check (progress >= 0),
      progress_digest text not null default '',
      started_at timestamptz not null default clock_timestamp(),
      applied_at timestamptz,
      duration_ms bigint check (duration_ms >= 0),
      applied_by text not null default current_user,
      check ((state = 'running') = (applied_at is null))
    )
    """)

  static let records = Statement(
    """
    select version, name, checksum, state, progress, progress_digest, started_at, applied_at, duration_ms
    from ironforge.schema_migrations
    order by version
    """,
    columns: [.int8, .text, .text, .text, .int4, .text, .timestamptz, .timestamptz, .int8])

  static let begun = Statement(
    """
    insert into ironforge.schema_migrations (version, name, checksum, state)
    values ($1, $2, $3, 'running')
    on conflict (version) do update set name = excluded.name, checksum = excluded.checksum
    """, parameters: [.int8, .text, .text])

  static let progressed = Statement(
    """
    update ironforge.schema_migrations set progress = $2, progress_digest = $3 where version = $1
    """, parameters: [.int8, .int4, .text])

  static let applied = Statement(
    """
    insert into ironforge.schema_migrations (version, name, checksum, state, applied_at, duration_ms)
    values ($1, $2, $3, 'applied', clock_timestamp(), $4)
    on conflict (version) do update
    set state = 'applied', progress = 0, progress_digest = '', applied_at = excluded.applied_at,
      duration_ms = excluded.duration_ms
    """, parameters: [.int8, .text, .text, .int8])

  static let reverting = Statement(
    """
    update ironforge.schema_migrations
    set state = 'reverting', progress = 0, progress_digest = '',
      applied_at = coalesce(applied_at, clock_timestamp())
    where version = $1
    """, parameters: [.int8])

  static let reverted = Statement(
    "delete from ironforge.schema_migrations where version = $1", parameters: [.int8])

  // The table is looked up by the migration's own search_path, as the statement itself does.
  static let invalidIndexNamed = Statement(
    """
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = to_regclass($1) and c.relname = $2::text and not i.indisvalid
    """, parameters: [.text, .text], columns: [.text])

  // An index that is being built right now is invalid, too, and no finding.
  static let invalidIndexes = Statement(
    """
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where not (i.indisvalid and i.indisready and i.indislive)
      and n.nspname <> 'pg_toast'
      and not exists (select from pg_catalog.pg_stat_progress_create_index p where p.index_relid = c.oid)
    order by 1
    """, columns: [.text])
}
