internal import Primitives
internal import SQLSyntax

/// A type as it is written, with what stands in its parentheses.
struct ColumnType: Equatable {
  /// `int4`, `varchar`, … as `pg_type` names it.
  let name: String
  let modifiers: [Int]
  let isArray: Bool

  init(_ typeName: JSON) {
    name = typeName["names"].elements.last?["String"]["sval"].text ?? ""
    modifiers = typeName["typmods"].elements.map { $0["A_Const"]["ival"]["ival"].integer ?? 0 }
    isArray = !typeName["arrayBounds"].elements.isEmpty
  }

  static let serials: Set<String> = ["serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"]

  /// Whether PostgreSQL changes a column of this type into one of `new` without reading its rows (ALTER TABLE, "Notes":
  /// binary coercible types, and modifiers that admit all that was there).
  func isWidened(to new: ColumnType) -> Bool {
    if isArray || new.isArray { return self == new }
    switch (name, new.name) {
    case ("varchar", "text"), ("cidr", "inet"): return true
    case ("text", "varchar"): return new.modifiers.isEmpty
    case ("varchar", "varchar"), ("varbit", "varbit"):
      guard let length = new.modifiers.first else { return true }
      return modifiers.first.map { $0 <= length } ?? false
    case ("numeric", "numeric"):
      guard let precision = new.modifiers.first else { return true }
      let scale = new.modifiers.dropFirst().first ?? 0
      return modifiers.first.map { $0 <= precision } ?? false && (modifiers.dropFirst().first ?? 0) == scale
    case ("timestamp", "timestamp"), ("timestamptz", "timestamptz"), ("time", "time"), ("timetz", "timetz"):
      return (modifiers.first ?? 6) <= (new.modifiers.first ?? 6)
    default: return self == new
    }
  }
}

/// The types of columns as far as migrations have told them.
struct ColumnTypes {
  private var types: [String: ColumnType] = [:]

  subscript(table: String, column: String) -> ColumnType? {
    get { types["\(table)\u{0}\(column)"] }
    set { types["\(table)\u{0}\(column)"] = newValue }
  }
}
