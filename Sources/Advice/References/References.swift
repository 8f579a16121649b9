/// What an index key stands on.
public enum KeyTerm: Hashable, Sendable {
  case column(Int16)
  /// As SQL, over columns of one table, in the form that stands in `CREATE INDEX`.
  case expression(String)
}

/// How a condition uses a key.
public enum Usage: Hashable, Sendable {
  /// `= constant` or `= $1`.
  case equality
  /// `IN (…)`, `= ANY (…)`.
  case list
  /// `<`, `BETWEEN`, …
  case range
  /// `LIKE 'beginning%'`.
  case prefix
  /// One side of an OR.
  case alternative
  /// `=` with something of another table, by its number among the uses.
  case join(Int)
}

/// One condition of a statement on one key.
public struct Condition: Hashable, Sendable {
  public let term: KeyTerm
  public let usage: Usage

  public init(_ term: KeyTerm, _ usage: Usage) {
    self.term = term
    self.usage = usage
  }
}

/// A condition that a constant makes the same for every call, so that an index can be built on the rows that meet it.
public struct ConstantCondition: Hashable, Sendable {
  public let column: Int16
  /// As it stands in `WHERE`, with the column's quoted name.
  public let sql: String
  /// The value as text; nil for NULL tests.
  public let value: String?
  /// For `IS NULL` and `IS NOT NULL`.
  public var isNull: Bool?

  public init(column: Int16, sql: String, value: String?, isNull: Bool? = nil) {
    self.column = column
    self.sql = sql
    self.value = value
    self.isNull = isNull
  }
}

/// A key of an ordering.
public struct OrderTerm: Hashable, Sendable {
  public let term: KeyTerm
  public var isDescending = false
  /// Whether NULLs come first, where that is not as the direction has it.
  public var nullsFirst: Bool?

  public init(_ term: KeyTerm, isDescending: Bool = false, nullsFirst: Bool? = nil) {
    self.term = term
    self.isDescending = isDescending
    self.nullsFirst = nullsFirst
  }
}

/// One table in one place of a statement, and what is asked of it there. A self-join has two.
public struct TableUse: Equatable, Sendable {
  public let table: UInt32
  public var conditions: [Condition] = []
  public var constants: [ConstantCondition] = []
  /// Orders that would be of use, each with the leading keys that are of this table.
  public var orders: [[OrderTerm]] = []
  /// Groupings, and what is DISTINCT.
  public var groups: [[KeyTerm]] = []
  /// Every column that is read.
  public var columns: Set<Int16> = []
  /// Whether the statement writes it, so that an index here costs.
  public var isWritten = false
  /// Whether tables that inherit from it are meant, too: not by INSERT, and not with ONLY.
  public var meansHeirs = true

  public init(table: UInt32) {
    self.table = table
  }
}

extension TableUse {
  /// The same of a table that inherits from this one, whose columns have the same names and other numbers.
  func inherited(by heir: SchemaTable, from table: SchemaTable) -> TableUse {
    var numbers: [Int16: Int16] = [:]
    for column in table.columns { numbers[column.number] = heir.column(named: column.name)?.number }
    func term(_ term: KeyTerm) -> KeyTerm? {
      guard case .column(let number) = term else { return term }
      return numbers[number].map { .column($0) }
    }
    var use = TableUse(table: heir.oid)
    use.conditions = conditions.compactMap { condition in
      term(condition.term).map { Condition($0, condition.usage) }
    }
    use.constants = constants.compactMap { constant in
      numbers[constant.column].map {
        ConstantCondition(column: $0, sql: constant.sql, value: constant.value, isNull: constant.isNull)
      }
    }
    use.orders = orders.map { order in
      order.compactMap { key in
        term(key.term).map { OrderTerm($0, isDescending: key.isDescending, nullsFirst: key.nullsFirst) }
      }
    }
    use.groups = groups.map { $0.compactMap(term) }
    use.columns = Set(columns.compactMap { numbers[$0] })
    use.isWritten = isWritten
    return use
  }
}
