/// Reads a CSV file with a header, record by record, however large it is.
///
/// ```swift
/// enum Column: String, CaseIterable { case email, name }
/// var reader = try CSVReader<Column>(InputFile("users.csv"), required: [.email])
/// while let record = try reader.next() { print(record.line, record[.email] ?? "") }
/// ```
///
/// Columns stand in any order. A column that is not in `Column` is an error, so that a slip of the pen is not taken
/// for an absent column. The rules of the format are `CSVParser`'s; the text must be UTF-8.
public struct CSVReader<Column: RawRepresentable<String> & CaseIterable & Hashable> {
  /// The file, for errors.
  public let name: String
  private var parser: CSVParser
  /// Which column each field is, in the order of the header.
  private let columns: [Column]

  /// Reads the header.
  ///
  /// - Throws: `InputError` for a header that lacks a required column, or has one twice or one that is unknown.
  public init(_ file: InputFile, required: [Column]) throws {
    try self.init(name: file.name, required: required) { try file.read(into: $0) }
  }

  /// As `init(_:required:)`, out of any source.
  ///
  /// - Parameter read: fills the front of a buffer and returns how many bytes it did; 0 at the end.
  public init(
    name: String, required: [Column], read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws {
    self.name = name
    parser = CSVParser(name: name, read: read)
    guard try parser.next() else { throw InputError(file: name, line: 1, "the header is missing") }
    var columns: [Column] = []
    for index in 0..<parser.fieldCount {
      let title = String(decoding: parser.field(index), as: UTF8.self)
      guard let column = Column(rawValue: title) else {
        let known = Column.allCases.map(\.rawValue).joined(separator: ", ")
        throw InputError(
          file: name, line: parser.line, "unknown column \"\(title)\"", hint: "the columns are: \(known)")
      }
      guard !columns.contains(column) else {
        throw InputError(file: name, line: parser.line, "column \"\(title)\" stands there twice")
      }
      columns.append(column)
    }
    for column in required where !columns.contains(column) {
      throw InputError(file: name, line: parser.line, "column \"\(column.rawValue)\" is missing")
    }
    self.columns = columns
  }

  /// The next record; nil at the end.
  ///
  /// - Throws: `InputError`, and what the source throws.
  public mutating func next() throws -> CSVRecord<Column>? {
    guard try parser.next() else { return nil }
    guard parser.fieldCount == columns.count else {
      throw InputError(
        file: name, line: parser.line,
        "\(parser.fieldCount) fields where the header has \(columns.count)")
    }
    var values: [Column: String] = [:]
    values.reserveCapacity(columns.count)
    for (index, column) in columns.enumerated() {
      let field = parser.field(index)
      if field.isEmpty { continue }
      guard let text = String(validating: field, as: UTF8.self) else {
        throw InputError(
          file: name, line: parser.line, "column \"\(column.rawValue)\" is not valid UTF-8")
      }
      values[column] = text
    }
    return CSVRecord(file: name, line: parser.line, values: values)
  }
}

/// One record of a CSV file.
public struct CSVRecord<Column: RawRepresentable<String> & CaseIterable & Hashable> {
  /// The file that it stands in.
  public let file: String
  /// The line on which it begins, from 1.
  public let line: Int
  let values: [Column: String]

  /// The text of a column; nil where it is empty or the file has no such column.
  public subscript(column: Column) -> String? { values[column] }

  /// The text of a column that must not be empty.
  ///
  /// - Throws: `InputError`.
  public func required(_ column: Column) throws(InputError) -> String {
    guard let value = values[column] else { throw error("\(column.rawValue) is empty") }
    return value
  }

  /// Something is wrong with this record.
  public func error(_ reason: String, hint: String? = nil) -> InputError {
    InputError(file: file, line: line, reason, hint: hint)
  }
}
