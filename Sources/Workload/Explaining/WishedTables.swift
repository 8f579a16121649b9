internal import Plans
internal import Postgres
internal import Primitives
internal import SQLSyntax

/// The tables that a finding wants an index on: one, or partitions that are asked the same, whose index belongs on their parent.
struct WishedTables {
  /// What is read, as SQL wants the names.
  private let read: [String]
  /// What gets the index.
  private let targets: [Target]
  private let wish: IndexWish
  /// The types of the first one's columns, by their names in SQL; empty where nobody can be asked.
  let types: [String: String]

  private struct Target {
    let name: String
    /// Leaves below it, where it is a partitioned table.
    var partitions = 0
  }

  /// Hypothetical indexes are made in the memory of the server; more tables are not tried.
  private static let readMax = 256

  /// Where nobody can be asked who is a partition.
  init(_ wish: IndexWish) {
    self.wish = wish
    types = [:]
    read = wish.tables.prefix(Self.readMax).map(Self.quoted)
    targets = wish.tables.map { Target(name: Self.quoted($0)) }
  }

  /// - Throws: `PostgresError`.
  init(_ wish: IndexWish, _ session: Session) throws(PostgresError) {
    self.wish = wish
    let tables = wish.tables
    read = tables.prefix(Self.readMax).map(Self.quoted)
    var types: [String: String] = [:]
    for row in try session.query(Self.columnTypes(wish.schema ?? "", wish.relation)) {
      types[SQLSyntax.quoted(try row.decode(0))] = try row.decode(1, as: String.self)
    }
    self.types = types
    var roots: [IndexWish.Table: Target] = [:]
    for row in try session.query(Self.partitionRoots(tables.map { $0.schema ?? "" }, tables.map(\.name))) {
      let schema: String = try row.decode(0)
      let table = IndexWish.Table(schema: schema.isEmpty ? nil : schema, name: try row.decode(1))
      roots[table] = Target(name: try row.decode(2), partitions: Int(try row.decode(3, as: Int64.self)))
    }
    var seen: Set<String> = []
    targets = tables.map { roots[$0] ?? Target(name: Self.quoted($0)) }.filter {
      seen.insert($0.name).inserted
    }
  }

  /// The one that stands for all, as SQL wants its name.
  var first: String { read[0] }

  /// Whether a statement names the table first, and no partitions of it are read.
  func isFirst(in sql: String) -> Bool {
    guard wish.others.isEmpty, let tree = try? SQLSyntax.parse(sql).first?.tree, let first = FirstTable(tree)
    else { return false }
    return first.name == wish.relation && (first.schema ?? wish.schema) == wish.schema
  }

  /// Statements that make an option's indexes where the plan reads.
  func trials(of option: [String]) -> [String] {
    read.flatMap { table in option.map { "CREATE INDEX ON \(table) \($0)" } }
  }

  /// What is to be done, as SQL, without the last semicolon.
  func ddl(_ option: [String]) -> String {
    // A UNION ALL over many tables; nobody reads on.
    let told = targets.prefix(3).flatMap { target in option.map { Self.ddl($0, on: target) } }
    return told.joined(separator: "; ")
      + (targets.count > 3 ? "; and so on for \(targets.count - 3) more" : "")
  }

  private static func ddl(_ body: String, on target: Target) -> String {
    guard target.partitions > 0 else { return "CREATE INDEX CONCURRENTLY ON \(target.name) \(body)" }
    // PostgreSQL's manual, "Table Partitioning": the parent takes no CONCURRENTLY.
    let parts = PlanNumbers.count(Double(target.partitions), "partition")
    return
      "CREATE INDEX ON ONLY \(target.name) \(body), then CREATE INDEX CONCURRENTLY for \(parts) and ALTER INDEX …"
      + " ATTACH PARTITION ('ironforge index advise' writes them out)"
  }

  private static func quoted(_ table: IndexWish.Table) -> String {
    (table.schema.map { [$0, table.name] } ?? [table.name]).map(SQLSyntax.quoted).joined(separator: ".")
  }

  static let columnTypes = Statement.inspecting(
    """
    select a.attname::text, case when b.typtype = 'e' then 'enum' else b.typname::text end
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    -- a domain's operators are those of its base
    join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
    -- A plan without VERBOSE tells no schema; then the table is the one that the search path finds.
    where a.attrelid = to_regclass(case when $1 = '' then quote_ident($2) else quote_ident($1) || '.' || quote_ident($2) end)
      and a.attnum > 0 and not a.attisdropped
    """, parameters: [.text, .text], columns: [.text, .text])

  static let partitionRoots = Statement.inspecting(
    """
    select t.schema, t.name, format('%I.%I', n.nspname, r.relname),
      (select count(*) from pg_partition_tree(r.oid) p where p.isleaf)
    from unnest($1::text[], $2::text[]) as t (schema, name)
    -- A plan without VERBOSE tells no schema; then the table is the one that the search path finds.
    join pg_class c on c.oid = to_regclass(
      case when t.schema = '' then quote_ident(t.name) else quote_ident(t.schema) || '.' || quote_ident(t.name) end)
    join pg_class r on r.oid = pg_partition_root(c.oid)
    join pg_namespace n on n.oid = r.relnamespace
    where c.relispartition
    """, parameters: [.textArray, .textArray], columns: [.text, .text, .text, .int8])
}
