internal import Postgres
internal import Primitives

/// A user's table as the catalog knows it.
struct SQLTable {
  private let oid: Int64
  /// Qualified and quoted.
  let quoted: String

  /// - Throws: `table_not_found`, `table_unsuitable`, `insufficient_privilege`.
  init(named name: String, _ session: Session) throws {
    let rows: Rows
    do {
      rows = try session.query(Self.find(name))
    } catch {
      // What PostgreSQL says to a name that it cannot read; a session that is ended meanwhile is another matter.
      guard case .server(let detail) = error, Self.nameErrors.contains(detail.sqlState) else { throw error }
      throw Self.usage("table_not_found", "\(name) is no name of a table: \(detail.message)", hint: nil)
    }
    guard let row = rows.first else {
      let similar = try session.query(Self.findUnquoted(name)).first.map {
        row throws(PostgresError) -> String in
        try row.decode(0)
      }
      throw Self.usage(
        "table_not_found", "there is no table \(name)",
        hint: similar.map {
          "names are looked up in the search_path, in lower case unless quoted; did you mean --table '\($0)'?"
        }
          ?? "qualify it with its schema, or check the search_path")
    }
    oid = try row.decode(0)
    quoted = try row.decode(1)
    let kind: String = try row.decode(2)
    guard ["r", "p", "m"].contains(kind) else {
      throw Self.usage("table_unsuitable", "\(quoted) is no table", hint: "name the table that a view reads")
    }
    guard try row.decode(3) else {
      throw SimpleFailure(
        .privilege, code: "insufficient_privilege", message: "the role lacks SELECT on \(quoted)",
        hint: "grant select on \(quoted) to it")
    }
  }

  /// Of `to_regclass`: a syntax error, a name that is none, another database.
  private static let nameErrors: Set<String> = ["42601", "42602", "0A000"]

  static let find = Statement(
    """
    select c.oid::bigint, format('%I.%I', n.nspname, c.relname), c.relkind,
      has_table_privilege(c.oid, 'select') or has_any_column_privilege(c.oid, 'select')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = to_regclass($1)
    """, parameters: [.text], columns: [.int8, .text, .char, .bool])

  static let findUnquoted = Statement(
    """
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where lower(c.relname) = lower($1::text) and c.relkind in ('r', 'p', 'm')
    order by n.nspname, c.relname
    limit 1
    """, parameters: [.text], columns: [.text])

  /// The columns that `list` names, in its order.
  ///
  /// - Throws: `key_malformed`, `key_column_not_found`, `key_unsuitable`.
  func key(_ list: String, _ session: Session) throws -> [KeySource.Column] {
    let names = try Self.names(list)
    var found: [String: (column: KeySource.Column, isNotNull: Bool)] = [:]
    for row in try session.query(Self.findColumns(oid, names)) {
      let arrayType: Int64 = try row.decode(4)
      let column = KeySource.Column(
        name: try row.decode(0), quoted: try row.decode(1), type: try row.decode(2),
        arrayType: DataType(oid: UInt32(clamping: arrayType), name: "array"))
      found[column.name] = (column, try row.decode(3))
    }
    return try names.map { name in
      guard let (column, isNotNull) = found[name] else {
        throw Self.usage(
          "key_column_not_found", "\(quoted) has no column \(name)",
          hint: "names fold to lower case unless they are quoted: --key '\"Id\"'")
      }
      guard isNotNull else {
        throw Self.usage(
          "key_unsuitable",
          "column \(name) of \(quoted) may be NULL, and rows without a key would be left out",
          hint: "take the primary key")
      }
      guard column.arrayType.oid != 0 else {
        throw Self.usage(
          "key_unsuitable", "there are no arrays of \(column.type), the type of column \(name)",
          hint: "take another unique key")
      }
      return column
    }
  }

  static let findColumns = Statement(
    """
    select a.attname::text, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull,
      t.typarray::bigint
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = $1::bigint::oid and a.attnum > 0 and not a.attisdropped and a.attname = any ($2::text[])
    """, parameters: [.int8, .textArray], columns: [.text, .text, .text, .bool, .int8])

  /// The same columns in the order of an index: pages are read along it.
  ///
  /// - Throws: `key_unsuitable` where no index makes the key unique.
  func indexOrder(of columns: [KeySource.Column], _ session: Session) throws -> [KeySource.Column] {
    guard let row = try session.query(Self.findKeyIndex(oid, columns.map(\.name))).first else {
      let list = columns.map(\.quoted).joined(separator: ", ")
      throw Self.usage(
        "key_unsuitable", "no unique index of \(quoted) is on exactly (\(list))",
        hint: "take the primary key: rows are visited once each by a key that is unique and indexed")
    }
    let order: [String] = try row.decode(0)
    return order.compactMap { name in columns.first { $0.name == name } }
  }

  static let findKeyIndex = Statement(
    """
    select k.names
    from pg_catalog.pg_index i
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
    cross join lateral (
      select array_agg(a.attname::text order by c.place) as names
      from unnest(i.indkey::int2[]) with ordinality as c (number, place)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = c.number
      where c.place <= i.indnkeyatts
    ) k
    where i.indrelid = $1::bigint::oid and i.indisunique and i.indisvalid and i.indpred is null
      and i.indexprs is null and k.names @> $2::text[] and k.names <@ $2::text[]
    order by i.indisprimary desc, i.indexrelid
    limit 1
    """, parameters: [.int8, .textArray], columns: [.textArray])

  /// `id, "Part No"` as two names, by SQL's rules.
  static func names(_ list: String) throws -> [String] {
    let malformed = usage(
      "key_malformed", "--key \(list) is no list of columns",
      hint: "for example: --key id, or --key shop,item")
    var tokens: [SQLToken] = []
    var scanner = SQLScanner(Array(list.utf8))
    do throws(SQLTextError) {
      while let element = try scanner.next() {
        if case .token(let token, _) = element { tokens.append(token) } else { tokens.append(.other) }
      }
    } catch {
      throw malformed
    }
    var names: [String] = []
    var wantsName = true
    for token in tokens {
      if wantsName {
        guard let name = token.name, !names.contains(name) else { throw malformed }
        names.append(name)
      } else if token != .punctuation(UInt8(ascii: ",")) {
        throw malformed
      }
      wantsName.toggle()
    }
    guard !names.isEmpty, !wantsName else { throw malformed }
    return names
  }

  private static func usage(_ code: String, _ message: String, hint: String?) -> SimpleFailure {
    SimpleFailure(.usage, code: code, message: message, hint: hint)
  }
}
