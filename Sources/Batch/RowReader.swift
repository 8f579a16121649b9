internal import Primitives

/// How the rows of a batch file are written.
enum BatchFormat: Sendable {
  case csv
  /// One JSON object a line.
  case ndjson
}

/// Fills the front of a buffer and returns how many bytes it did; 0 at the end.
typealias ByteSource = (UnsafeMutableRawBufferPointer) throws -> Int

/// Reads the rows of a batch file one after another.
///
/// What is wrong with one row is kept with it, and the rest goes on. A file that cannot be told apart into rows is an
/// `InputError`.
protocol RowReader {
  /// Reads the next row; false at the end.
  ///
  /// - Throws: `InputError`, and what the source throws.
  mutating func next(into row: inout RowText) throws -> Bool
}

extension BatchFormat {
  /// A reader from the beginning.
  ///
  /// - Throws: `InputError` for a header that cannot be used.
  func reader(name: String, read: @escaping ByteSource) throws -> any RowReader {
    switch self {
    case .csv: try CSVRows(name: name, read: read)
    case .ndjson: JSONRows(name: name, read: read)
    }
  }
}

/// Rows of a CSV file with a header.
struct CSVRows: RowReader {
  private var parser: CSVParser
  /// The field of each column, in the order of `BatchColumn`.
  private let places: [Int?]
  private let fieldCount: Int

  init(name: String, read: @escaping ByteSource) throws {
    var parser = CSVParser(name: name, read: read)
    guard try parser.next() else {
      throw InputError(
        file: name, line: 1, "the header is missing", hint: "the columns are: \(BatchColumn.names)")
    }
    let line = parser.line
    func wrong(_ reason: String) -> InputError {
      InputError(file: name, line: line, reason, hint: "the columns are: \(BatchColumn.names)")
    }
    var places = [Int?](repeating: nil, count: BatchColumn.allCases.count)
    for index in 0..<parser.fieldCount {
      guard let title = String(validating: parser.field(index), as: UTF8.self) else {
        throw wrong("the header is not valid UTF-8")
      }
      guard let column = BatchColumn.byName[title] else { throw wrong("unknown column \"\(title)\"") }
      guard places[column.rawValue] == nil else { throw wrong("column \"\(title)\" stands there twice") }
      places[column.rawValue] = index
    }
    // What a row needs depends on its kind; without the column all are transfers.
    if places[BatchColumn.kind.rawValue] == nil {
      for column in [BatchColumn.from, .to, .amount, .currency] where places[column.rawValue] == nil {
        throw wrong("column \"\(column.name)\" is missing")
      }
    }
    self.places = places
    fieldCount = parser.fieldCount
    self.parser = parser
  }

  mutating func next(into row: inout RowText) throws -> Bool {
    guard try parser.next() else { return false }
    if parser.fieldCount == fieldCount {
      row.set(line: parser.line) { column in places[column.rawValue].map { parser.field($0) } }
    } else {
      row.set(
        line: parser.line, fault: "\(parser.fieldCount) fields where the header has \(fieldCount)")
    }
    return true
  }
}

/// Rows of a file with one JSON object a line. Values are strings or numbers; a number is taken by its text.
struct JSONRows: RowReader {
  /// The longest line, in bytes.
  static let lineSizeMax = 1 << 20

  private let name: String
  private var lines: LineReader
  private var isFirst = true
  /// The texts of one row, by column; kept for their memory.
  private var texts = [[UInt8]](repeating: [], count: BatchColumn.allCases.count)

  init(name: String, read: @escaping ByteSource) {
    self.name = name
    lines = LineReader(name: name, lineSizeMax: Self.lineSizeMax, read: read)
  }

  mutating func next(into row: inout RowText) throws -> Bool {
    while try lines.next() {
      if lines.isBlank { continue }
      defer { isFirst = false }
      if let fault = readObject() {
        if isFirst {
          throw InputError(
            file: name, line: lines.line, "the first line is not a JSON object: \(fault)",
            hint: "write one object a line, with the names: \(BatchColumn.names)")
        }
        row.set(line: lines.line, fault: fault)
      } else {
        row.set(line: lines.line) { texts[$0.rawValue][...] }
      }
      return true
    }
    return false
  }

  /// Takes the line apart into `texts`. Returns why that is not possible.
  private mutating func readObject() -> String? {
    for index in texts.indices { texts[index].removeAll(keepingCapacity: true) }
    var scanner = lines.scanner()
    do throws(JSONError) {
      try read(&scanner)
      return nil
    } catch {
      return "column \(error.column): \(error.reason)"
    }
  }

  private mutating func read(_ scanner: inout JSONScanner) throws(JSONError) {
    guard try scanner.next() == .beginObject else { throw scanner.error("expected an object") }
    var seen = [Bool](repeating: false, count: texts.count)
    while try scanner.next() == .key {
      guard let column = BatchColumn.byName[scanner.string] else {
        throw scanner.error("unknown name \"\(scanner.string)\"")
      }
      if seen[column.rawValue] { throw scanner.error("\(column.name) stands there twice") }
      seen[column.rawValue] = true
      switch try scanner.next() {
      case .string, .number: texts[column.rawValue] += scanner.text
      case .null: break
      default: throw scanner.error("\(column.name) must be a string or a number")
      }
      if texts[column.rawValue].contains(0) { throw scanner.error("\(column.name) holds a NUL character") }
    }
    // Nothing but blanks behind the object.
    _ = try scanner.next()
  }
}
