internal import CLibpq
internal import Primitives

/// The result of one statement: its rows, held by libpq until the last reference goes away.
public final class Rows {
  private let result: OpaquePointer
  private let types: [UInt32]
  /// How many rows there are.
  public let count: Int

  /// Takes over `result`, which is cleared when the last reference goes.
  init(adopting result: OpaquePointer) {
    self.result = result
    count = Int(PQntuples(result))
    types = (0..<PQnfields(result)).map { PQftype(result, $0) }
  }

  deinit { PQclear(result) }

  /// How many columns each row has.
  public var columnCount: Int { types.count }

  /// The OID of a column's type.
  func typeOID(_ column: Int) -> UInt32 { types[column] }

  /// A column's name as the server gave it.
  public func columnName(_ column: Int) -> String {
    string(PQfname(result, Int32(column))) ?? ""
  }

  /// How many rows the statement inserted, updated, deleted or selected.
  public var affected: Int {
    string(PQcmdTuples(result)).flatMap { Int($0) } ?? 0
  }

  /// The command tag, such as `COMMIT` or `INSERT 0 1`.
  public var commandTag: String { string(PQcmdStatus(result)) ?? "" }

  /// The bytes of a field, valid as long as `self` is; nil for NULL.
  func field(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
    if PQgetisnull(result, Int32(row), Int32(column)) != 0 { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(result, Int32(row), Int32(column)),
      count: Int(PQgetlength(result, Int32(row), Int32(column))))
  }
}

extension Rows: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { count }
  public subscript(position: Int) -> Row { Row(rows: self, index: position) }
}

/// One row of a result; it keeps the whole result alive.
public struct Row {
  let rows: Rows
  let index: Int

  /// The value of a column, which must not be NULL.
  ///
  /// - Throws: `PostgresError.decoding` when there is no such column, when it has a type that `T` cannot be read
  ///   from, when it is NULL, or when the value does not fit `T`.
  @_specialize(where T == Identifier)
  @_specialize(where T == Int128)
  @_specialize(where T == Int64)
  @_specialize(where T == String)
  @_specialize(where T == Timestamp)
  public func decode<T: PostgresDecodable>(_ column: Int, as type: T.Type = T.self) throws(PostgresError) -> T
  {
    guard let value = try decodeIfPresent(column, as: type) else {
      throw PostgresError.decoding(reason("is NULL", column))
    }
    return value
  }

  /// The value of a column, or nil where it is NULL.
  ///
  /// - Throws: as `decode` does, except for NULL.
  @_specialize(where T == Identifier)
  @_specialize(where T == Int128)
  @_specialize(where T == Int64)
  @_specialize(where T == String)
  @_specialize(where T == Timestamp)
  public func decodeIfPresent<T: PostgresDecodable>(
    _ column: Int, as type: T.Type = T.self
  ) throws(PostgresError) -> T? {
    guard column >= 0, column < rows.columnCount else {
      throw PostgresError.decoding("column \(column) does not exist")
    }
    let oid = rows.typeOID(column)
    guard T.postgresTypes.contains(where: { $0.oid == oid }) else {
      throw PostgresError.decoding(reason("has type OID \(oid), which is no \(T.self)", column))
    }
    guard let bytes = rows.field(index, column) else { return nil }
    guard let value = T.decode(bytes) else {
      throw PostgresError.decoding(reason("holds a value that is no \(T.self)", column))
    }
    return value
  }

  /// Lends the bytes of a column as the server sent them, nil for NULL: for texts that are copied on at once, where a value of
  /// Swift would be made only to be taken apart again.
  ///
  /// - Throws: `PostgresError.decoding` when there is no such column.
  public func withBytes<Result>(
    _ column: Int, _ body: (UnsafeRawBufferPointer?) -> Result
  ) throws(PostgresError) -> Result {
    guard column >= 0, column < rows.columnCount else {
      throw PostgresError.decoding("column \(column) does not exist")
    }
    return withExtendedLifetime(rows) { body(rows.field(index, column)) }
  }

  private func reason(_ problem: String, _ column: Int) -> String {
    "column \(column) (\(rows.columnName(column))) \(problem)"
  }
}
