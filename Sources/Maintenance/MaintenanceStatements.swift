public import Postgres

/// All SQL of fixed text that this target sends.
public enum MaintenanceStatements {
  /// For the test that prepares every statement: those that a server of this version knows.
  public static func all(serverVersion: Int) -> [Statement] {
    serverVersion >= 170_000 ? all : everywhere
  }

  /// For the test that counts them.
  public static let all = everywhere + since17

  private static let everywhere = [analyzedBefore17, rebuiltBefore17, target, leftovers, blockers]
  private static let since17 = [analyzedSince17, rebuiltSince17]

  /// Which of the given tables the role may analyse.
  static func analyzed(serverVersion: Int) -> Statement {
    serverVersion >= 170_000 ? analyzedSince17 : analyzedBefore17
  }

  /// Of which of the given tables the role may rebuild indexes.
  static func rebuilt(serverVersion: Int) -> Statement {
    serverVersion >= 170_000 ? rebuiltSince17 : rebuiltBefore17
  }

  private static let ownsTable = "pg_has_role(c.relowner, 'usage')"
  /// MAINTAIN of version 17, which pg_maintain has on all tables.
  private static let maintainsTable = "has_table_privilege(c.oid, 'maintain')"
  /// Who owns the database may analyse all of it, and rebuild none of it.
  private static let ownsDatabase = """
    exists (
          select from pg_database d where d.datname = current_database() and pg_has_role(d.datdba, 'usage'))
    """

  private static let analyzedBefore17 = Statement.inspecting(
    """
    select c.oid from pg_class c
    where c.oid = any ($1::int8[]::oid[]) and (\(ownsTable) or \(ownsDatabase))
    """, parameters: [.int8Array], columns: [.oid])

  private static let analyzedSince17 = Statement.inspecting(
    """
    select c.oid from pg_class c
    where c.oid = any ($1::int8[]::oid[]) and (\(maintainsTable) or \(ownsDatabase))
    """, parameters: [.int8Array], columns: [.oid])

  private static let rebuiltBefore17 = Statement.inspecting(
    """
    select c.oid from pg_class c
    where c.oid = any ($1::int8[]::oid[]) and (\(ownsTable))
    """, parameters: [.int8Array], columns: [.oid])

  private static let rebuiltSince17 = Statement.inspecting(
    """
    select c.oid from pg_class c
    where c.oid = any ($1::int8[]::oid[]) and (\(maintainsTable))
    """, parameters: [.int8Array], columns: [.oid])

  /// An index as it is now.
  static let target = Statement.inspecting(
    """
    select c.oid, i.indrelid, format('%I.%I', n.nspname, c.relname), i.indisvalid, pg_relation_size(c.oid)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_index i on i.indexrelid = c.oid
    where n.nspname = $1::text and c.relname = $2::text and c.relkind = 'i'
    """, parameters: [.text, .text], columns: [.oid, .oid, .text, .bool, .int8])

  /// What an interrupted REINDEX CONCURRENTLY left on a table, and nobody is at work on.
  static let leftovers = Statement.inspecting(
    """
    select format('%I.%I', n.nspname, c.relname)
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = $1::int8::oid and not i.indisvalid and c.relkind = 'i' and c.relname ~ '_cc(new|old)[0-9]*$'
      and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
      and not exists (
        select from pg_stat_progress_create_index p
        where p.relid = i.indrelid and p.datname = current_database())
      -- Whoever builds, rebuilds or drops one holds this lock until the end.
      and not exists (
        select from pg_locks l
        where l.locktype = 'relation' and l.mode = 'ShareUpdateExclusiveLock' and l.granted
          and l.relation in (i.indrelid, i.indexrelid) and l.pid <> pg_backend_pid()
          and l.database = (select oid from pg_database where datname = current_database()))
    order by 1
    """, parameters: [.int8], columns: [.text])

  /// Transactions that are older than $2 seconds and that REINDEX CONCURRENTLY of this table would wait for: those that hold
  /// a lock on it, and those in this database that see an old snapshot. Of other roles' only where pg_read_all_stats is granted;
  /// the rest shows itself by a lock time-out.
  static let blockers = Statement.inspecting(
    """
    select a.pid, extract(epoch from clock_timestamp() - a.xact_start)::float8,
      coalesce(nullif(a.application_name, ''), 'a session without a name'), coalesce(a.state, 'unknown')
    from pg_stat_activity a
    where a.pid <> pg_backend_pid() and a.datname = current_database()
      and a.backend_type is distinct from 'autovacuum worker'
      and a.xact_start < clock_timestamp() - $2 * interval '1 second'
      and (a.backend_xmin is not null or exists (
        select from pg_locks l where l.pid = a.pid and l.relation = $1::int8::oid and l.locktype = 'relation'))
    order by a.xact_start
    limit 1
    """, parameters: [.int8, .float8], columns: [.int4, .float8, .text, .text])
}
