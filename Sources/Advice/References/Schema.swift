public import Indexes

/// What advice needs to know of the tables that a workload names.
public struct Schema: Sendable {
  /// Tables and views by OID.
  public let relations: [UInt32: SchemaTable]
  private var visible: [String: UInt32]
  /// What the server meant by the names of a view's text, which it printed for this session.
  private let visibleInViews: [String: UInt32]
  private let qualified: [String: [String: UInt32]]

  public init(_ tables: [SchemaTable]) {
    relations = Dictionary(tables.map { ($0.oid, $0) }) { first, _ in first }
    visible = Dictionary(tables.filter(\.isVisible).map { ($0.name.name, $0.oid) }) { first, _ in first }
    visibleInViews = visible
    qualified = Dictionary(grouping: tables) { $0.name.schema }.mapValues { tables in
      Dictionary(tables.map { ($0.name.name, $0.oid) }) { first, _ in first }
    }
  }

  /// The same for statements that are sent under another `search_path`.
  ///
  /// - Parameter path: its schemas, as `current_schemas` gives them.
  func seen(from path: [String]) -> Schema {
    var schema = self
    schema.visible = path.reversed().reduce(into: [:]) { visible, name in
      visible.merge(qualified[name] ?? [:]) { _, nearer in nearer }
    }
    return schema
  }

  /// The relation of a name as it stands in a statement, found as the server does: by its schema, or by `search_path`.
  ///
  /// - Parameter isInView: whether the statement is the text of a view.
  func relation(schema: String?, name: String, isInView: Bool = false) -> SchemaTable? {
    let unqualified = isInView ? visibleInViews : visible
    let oid = schema.map { qualified[$0]?[name] } ?? unqualified[name]
    return oid.flatMap { relations[$0] }
  }
}

/// A table, a materialised view or a view.
public struct SchemaTable: Sendable {
  public let oid: UInt32
  public let name: RelationName
  /// Whether its name needs no schema.
  public var isVisible = true
  public var isPartitioned = false
  /// The tables whose rows a query of this one reads too, by inheritance. Each has indexes of its own.
  public var heirs: [UInt32] = []
  /// The planner's estimate; 0 for a view, and where nobody has counted.
  public var rows: Double = 0
  /// Of the heap, in pages of 8 kB.
  public var pages: Double = 0
  /// Rows written since the statistics were reset, HOT updates left out.
  public var writes: Double = 0
  /// In the order of the table.
  public var columns: [SchemaColumn]
  /// A view's query.
  public var viewDefinition: String?

  public init(oid: UInt32, name: RelationName, columns: [SchemaColumn]) {
    self.oid = oid
    self.name = name
    self.columns = columns
  }

  func column(named name: String) -> SchemaColumn? { columns.first { $0.name == name } }
  func column(_ number: Int16) -> SchemaColumn? { columns.first { $0.number == number } }
}

/// A column with what ANALYZE knows of it.
public struct SchemaColumn: Sendable {
  /// In `pg_attribute`.
  public let number: Int16
  public let name: String
  /// The name as SQL wants it.
  public let quoted: String
  /// The default operator class of a btree; nil where the type has none, as `json`.
  public var operatorClass: Int64?
  /// The operator class by which a btree finds text by its beginning, where the column's collation does not do that by
  /// itself.
  public var patternClass: String?
  /// The OID of that class.
  public var patternClassOID: Int64 = 0
  public var collation: Int64 = 0
  /// Whether a btree may keep equal keys once (PostgreSQL's manual, "Deduplication": numeric and float may not).
  public var canBeDeduplicated = true
  /// Different values, as a number; nil where ANALYZE has not been, or may not be seen.
  public var distinct: Double?
  public var nullFraction: Double = 0
  /// How far the table is in the column's order, from -1 to 1; nil as `distinct`, and where the type has no order.
  public var correlation: Double?
  /// Bytes of a value.
  public var width: Double = 8
  /// Whether values differ in that: `char(n)` is padded.
  public var hasVariableWidth = false
  /// Bytes that its place in a row is a multiple of.
  public var alignment: Double = 4
  /// The most common values as text, with their shares of the rows.
  public var common: [(value: String, share: Double)] = []

  public init(number: Int16, name: String, quoted: String) {
    self.number = number
    self.name = name
    self.quoted = quoted
  }
}
