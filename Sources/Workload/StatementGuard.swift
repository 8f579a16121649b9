internal import Postgres
public import Primitives

/// Whose text a statement is.
public enum StatementAuthor: Sendable, Equatable {
  /// Whoever runs this program: what his own text calls is his own affair.
  case caller
  /// Somebody who has sent it to the server, out of pg_stat_statements.
  case others
}

/// Refuses to plan what would run a stranger's code with a superuser's rights.
///
/// The planner evaluates functions called with constants, whatever a read-only transaction forbids to write: a function may run
/// programs on the server, or make its author a superuser. Whoever may create a function may call it immutable. So a role that is
/// a superuser, or may become one, plans of others' statements only those that reach no function but PostgreSQL's own, C code,
/// and those of superusers: by name, by an operator, by a cast, or by what hangs on their tables (views, expressions of indexes and
/// partitions, checks, policies, extended statistics, defaults).
///
/// Every word of the statement counts as a name, so that it refuses too much rather than too little.
struct StatementGuard {
  let session: Session

  /// Nil where the role has no rights that others could want.
  ///
  /// - Throws: `PostgresError`.
  init?(_ session: Session) throws {
    self.session = session
    guard try session.query(Self.isPowerful())[0].decode(0, as: Bool.self) else { return nil }
  }

  /// To be called in the transaction that plans, under the statement's search_path, once the server has analysed the statement:
  /// its relations are locked then, and nobody puts other ones into their place.
  ///
  /// - Parameter tree: of the statement; null where it cannot be read.
  /// - Throws: `StatementNotTrusted`, `PostgresError`.
  func check(_ tree: JSON) throws {
    guard tree != .null else {
      throw StatementNotTrusted(reason: "its text cannot be read, so that nobody knows what it calls")
    }
    // Under the path of somebody else not even an operator is what it looks like.
    let place = try session.pipeline([Self.place(), Self.setPath("pg_catalog"), Self.hasStrangers()])
    guard let row = place.first?.first else { throw PostgresError.misuse("a query without a row") }
    let path: String = try row.decode(1)
    // Where nobody else has functions, as in most databases, nothing has to be looked for.
    guard try place[2][0].decode(0, as: Bool.self) else {
      _ = try session.query(Self.setPath(path))
      return
    }
    let words = StatementWords(tree)
    let names = Array(words.all.values) + Self.implied
    let rows = try session.pipeline([
      Self.strangers(names, try row.decode(0, as: [String].self), words.isWriting), Self.setPath(path),
    ])
    guard let found = rows.first?.first else { return }
    throw StatementNotTrusted(
      reason: "planning it could run \(try found.decode(0, as: String.self)), which belongs to no superuser,"
        + " with this role's rights")
  }

  /// Operators that the grammar puts in: IN, CASE, USING and BETWEEN name none.
  private static let implied = ["=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~"]

  /// The schemas in which names are looked up, and the setting. Every name is qualified, and there is no operator.
  static let place = Statement.inspecting(
    "select pg_catalog.current_schemas(false)::pg_catalog.text[], pg_catalog.current_setting('search_path')",
    columns: [.textArray, .text])

  static let setPath = Statement.inspecting(
    "select pg_catalog.set_config('search_path', $1, true)", parameters: [.text], columns: [.text])

  /// A schema of a `search_path` that is there, and that this role may not use (`SplitIdentifierString` in PostgreSQL's
  /// `varlena.c`).
  static let hiddenSchema = Statement.inspecting(
    """
    select quote_ident(n.nspname)
    from regexp_matches($1, '"((?:[^"]|"")*)"|([^",\\s]+)', 'g') m (parts)
    join pg_namespace n on n.nspname = coalesce(replace(m.parts[1], '""', '"'), lower(m.parts[2]))
    where not has_schema_privilege(n.oid, 'usage')
    limit 1
    """, parameters: [.text], columns: [.text])

  /// Whether the role is a superuser or may become one, or may run programs or write files on the server. A function can undo SET
  /// ROLE, so that the role which has logged in counts too.
  static let isPowerful = Statement.inspecting(
    """
    select exists (
      select from pg_catalog.pg_roles r
      where (r.rolsuper or r.rolname in ('pg_execute_server_program', 'pg_write_server_files'))
        and (pg_catalog.pg_has_role(session_user, r.oid, 'member')
          or pg_catalog.pg_has_role(current_user, r.oid, 'member')))
    """, columns: [.bool])

  /// Whether there is any function that `strangers` could find.
  static let hasStrangers = Statement.inspecting(
    """
    select exists (
      select from pg_proc p
      join pg_language l on l.oid = p.prolang
      join pg_roles o on o.oid = p.proowner
      where p.oid >= 16384 and l.lanname not in ('internal', 'c') and not o.rolsuper)
    """, columns: [.bool])

  /// The first function that could be run and is a stranger's. It is sent under a search_path of pg_catalog alone.
  static let strangers = Statement.inspecting(
    """
    with recursive strangers as materialized (
      select p.oid, p.proname, n.nspname
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      join pg_language l on l.oid = p.prolang
      join pg_roles o on o.oid = p.proowner
      -- initdb's come before 16384; of internal and C functions only a superuser decides what they do
      where p.oid >= 16384 and l.lanname not in ('internal', 'c') and not o.rolsuper
    ), named as (
      select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid >= 16384 and c.relname::text = any($1)
        and (n.nspname::text = any($1) or n.nspname::text = any($2))
    ), relations as (
      select oid from named
      union
      select next.oid
      from relations r
      cross join lateral (
        -- A partition is planned with its parents' bounds, and a parent with its partitions.
        select h.inhrelid from pg_inherits h where h.inhparent = r.oid
        union all select h.inhparent from pg_inherits h where h.inhrelid = r.oid
        union all select i.indexrelid from pg_index i where i.indrelid = r.oid
        union all
        select d.refobjid from pg_rewrite w
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
        where w.ev_class = r.oid and d.refclassid = 'pg_class'::regclass
        union all
        select d.refobjid from pg_policy y
        join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = y.oid
        where y.polrelid = r.oid and d.refclassid = 'pg_class'::regclass
      ) next (oid)
      where next.oid >= 16384
    ), parts (class, oid) as (
      select 'pg_class'::regclass, r.oid from relations r
      union all
      select 'pg_rewrite'::regclass, w.oid from relations r join pg_rewrite w on w.ev_class = r.oid
      union all
      select 'pg_policy'::regclass, y.oid from relations r join pg_policy y on y.polrelid = r.oid
      union all
      select 'pg_constraint'::regclass, k.oid from relations r join pg_constraint k on k.conrelid = r.oid
      union all
      select 'pg_statistic_ext'::regclass, x.oid from relations r join pg_statistic_ext x on x.stxrelid = r.oid
      union all
      -- A query sees the defaults of no column, but of virtual ones.
      select 'pg_attrdef'::regclass, d.oid from relations r
      join pg_attrdef d on d.adrelid = r.oid
      join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
      where $3 or a.attgenerated = 'v'
    ), reached as (
      select d.refobjid as oid from parts p
      join pg_depend d on d.classid = p.class and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
      union all
      select o.oprcode from parts p
      join pg_depend d on d.classid = p.class and d.objid = p.oid and d.refclassid = 'pg_operator'::regclass
      join pg_operator o on o.oid = d.refobjid
    ), found as (
      select format('%I.%I', s.nspname, s.proname) as name from strangers s
      where s.proname::text = any($1) and (s.nspname::text = any($1) or s.nspname::text = any($2))
        or s.oid in (select r.oid from reached r)
        -- to_json and its like look for casts by themselves
        or s.oid in (select c.castfunc from pg_cast c)
        or s.oid in (
          select o.oprcode from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
          where o.oid >= 16384 and o.oprname::text = any($1)
            and (n.nspname::text = any($1) or n.nspname::text = any($2)))
      union all
      -- They run queries on what a text names, which nothing else shows.
      select format('%s', p.proname) from pg_proc p
      where p.pronamespace = 'pg_catalog'::regnamespace
        and p.proname ~ '^(table|query|schema|database|cursor)_to_xml'
        and (p.proname::text = any($1) or exists (
          select from relations r join pg_rewrite w on w.ev_class = r.oid
          where w.ev_action::text ~ (':funcid ' || p.oid || ' ')))
    )
    select name from found order by name limit 1
    """, parameters: [.textArray, .textArray, .bool], columns: [.text])
}

/// Why a statement is not planned although it has a plan.
public struct StatementNotTrusted: Failure, Equatable {
  public let reason: String

  public var code: String { "statement_not_trusted" }
  public var message: String { "the statement is not planned: \(reason)" }
  public var hint: String? {
    "plan as a role that is no superuser, or read the function and explain the statement by hand"
  }
  public var kind: FailureKind { .refused }
}

/// All words of a statement, names among them, as its tree has them: decoded, without quotes.
struct StatementWords {
  /// By their bytes: to the server names differ that Swift takes for equal.
  let all: [[UInt8]: String]
  let isWriting: Bool

  init(_ tree: JSON) {
    var words: [[UInt8]: String] = [:]
    var isWriting = false
    var open = [tree]
    while let node = open.popLast() {
      if let text = node.text { words[Array(text.utf8)] = text }
      open += node.elements
      for (key, value) in node.members {
        if ["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"].contains(key) { isWriting = true }
        open.append(value)
      }
    }
    all = words
    self.isWriting = isWriting
  }
}
