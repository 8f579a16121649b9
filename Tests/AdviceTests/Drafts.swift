import Indexes
import SQLSyntax

@testable import Advice

/// Tables for tests of rules, written down as values.
enum Draft {
  /// `tx`, `wallets`, `users`, a view over `users` and a schema of its own; large enough to be worth an index.
  static let schema = Schema([
    table(1, "tx", ["id", "wallet_id", "status", "created_at", "amount"], distinct: [1e6, 1e4, 4, 1e5, 1e3]) {
      $0.columns[2].common = [("posted", 0.9), ("pending", 0.01)]
    },
    table(2, "wallets", ["id", "user_id", "name"], distinct: [1e4, 5e3, 9e3]),
    table(3, "users", ["id", "email", "name", "active", "deleted_at"], distinct: [5e3, 5e3, 4e3, 2, 100]) {
      $0.columns[3].common = [("t", 0.95), ("f", 0.05)]
      $0.columns[4].nullFraction = 0.99
    },
    view(4, "people", ["id", "mail"], "select u.id, u.email as mail from users u where u.active;"),
    table(5, "tx", ["id", "wallet_id"], schema: "old", distinct: [1e6, 1e4]),
    table(6, "tiny", ["id", "name"], rows: 50, distinct: [50, 50]),
  ])

  static func table(
    _ oid: UInt32, _ name: String, _ columns: [String], schema: String = "public", rows: Double = 1e6,
    distinct: [Double], _ change: (inout SchemaTable) -> Void = { _ in }
  ) -> SchemaTable {
    let list = columns.enumerated().map { position, column in
      var draft = SchemaColumn(number: Int16(position + 1), name: column, quoted: column)
      draft.operatorClass = 1978
      draft.distinct = distinct[position]
      return draft
    }
    var table = SchemaTable(
      oid: oid, name: RelationName(schema: schema, name: name, quoted: "\(schema).\(name)"), columns: list)
    table.isVisible = schema == "public"
    table.rows = rows
    table.pages = rows / 50
    change(&table)
    return table
  }

  private static func view(_ oid: UInt32, _ name: String, _ columns: [String], _ sql: String) -> SchemaTable {
    table(oid, name, columns, rows: 0, distinct: columns.map { _ in 0 }) { $0.viewDefinition = sql }
  }

  static func uses(_ sql: String) throws -> [TableUse] {
    try SQLSyntax.parse(sql).flatMap { ReferenceReader.uses(in: $0.tree, schema: schema) }
  }

  /// A use in one line: `tx wallet_id= status=; order created_at desc; reads id`.
  static func line(_ use: TableUse) -> String {
    let table = schema.relations[use.table]
    func name(_ term: KeyTerm) -> String {
      switch term {
      case .column(let number): table?.column(number)?.name ?? "?"
      case .expression(let sql): "(\(sql))"
      }
    }
    let conditions = use.conditions.map { condition in
      let sign =
        switch condition.usage {
        case .equality: "="
        case .list: " in"
        case .range: "<"
        case .prefix: "~"
        case .alternative: "|"
        case .join(let other): "=#\(other)"
        }
      return name(condition.term) + sign
    }
    var parts = [([table?.name.name ?? "?"] + conditions).joined(separator: " ")]
    parts += use.orders.map { keys in
      "order " + keys.map { name($0.term) + ($0.isDescending ? " desc" : "") }.joined(separator: " ")
    }
    parts += use.groups.map { "group " + $0.map(name).joined(separator: " ") }
    parts += use.constants.map { "where \($0.sql)" }
    return parts.joined(separator: "; ")
  }

  static func lines(_ sql: String) throws -> [String] { try uses(sql).map(line) }

  /// Candidates of a statement as they stand behind `ON`.
  static func candidates(_ sql: String) throws -> [String] {
    try uses(sql).flatMap { use in
      schema.relations[use.table].map { CandidateGenerator(use, in: $0).candidates() } ?? []
    }.map { candidate in
      let ddl = candidate.ddl(schema, concurrently: false)
      return String(ddl.dropFirst("CREATE INDEX ON public.".count))
    }
  }
}
