/// A PostgreSQL type by its OID (`src/include/catalog/pg_type.dat`; these never change).
public struct DataType: Hashable, Sendable, CustomStringConvertible {
  /// The OID in `pg_type`.
  public let oid: UInt32
  /// The name as `format_type` prints it.
  public let description: String

  private init(_ oid: UInt32, _ description: String) {
    self.oid = oid
    self.description = description
  }

  /// A type that a catalog names, such as that of a user's column.
  public init(oid: UInt32, name: String) {
    self.init(oid, name)
  }

  public static let bool = DataType(16, "boolean")
  public static let bytea = DataType(17, "bytea")
  public static let char = DataType(18, "\"char\"")
  public static let name = DataType(19, "name")
  public static let json = DataType(114, "json")
  public static let int8 = DataType(20, "bigint")
  public static let int2 = DataType(21, "smallint")
  public static let int4 = DataType(23, "integer")
  public static let text = DataType(25, "text")
  public static let oid = DataType(26, "oid")
  public static let unknown = DataType(705, "unknown")
  public static let float8 = DataType(701, "double precision")
  public static let date = DataType(1082, "date")
  public static let interval = DataType(1186, "interval")
  public static let jsonb = DataType(3802, "jsonb")
  public static let timestamptz = DataType(1184, "timestamp with time zone")
  public static let numeric = DataType(1700, "numeric")
  public static let uuid = DataType(2950, "uuid")
  public static let xid8 = DataType(5069, "xid8")
  /// What a function that returns nothing returns, such as `pg_advisory_xact_lock`.
  public static let void = DataType(2278, "void")

  public static let boolArray = DataType(1000, "boolean[]")
  public static let nameArray = DataType(1003, "name[]")
  public static let int2Array = DataType(1005, "smallint[]")
  public static let int4Array = DataType(1007, "integer[]")
  public static let textArray = DataType(1009, "text[]")
  public static let int8Array = DataType(1016, "bigint[]")
  public static let timestamptzArray = DataType(1185, "timestamp with time zone[]")
  public static let numericArray = DataType(1231, "numeric[]")
  public static let uuidArray = DataType(2951, "uuid[]")
}
