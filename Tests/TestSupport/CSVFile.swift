import FoundationEssentials
import Primitives

/// A CSV file as its rows, each a value for every column of the header.
public struct CSVFile: Sendable, Equatable {
  /// The names of the columns.
  public let header: [String]
  /// The rows behind the header.
  public let rows: [[String]]

  /// Reads a file.
  public init(_ path: String) throws {
    var rest = [UInt8](try Data(contentsOf: URL(filePath: path)))[...]
    var parser = CSVParser(name: path) { buffer in
      let taken = rest.prefix(buffer.count)
      buffer.copyBytes(from: taken)
      rest = rest.dropFirst(taken.count)
      return taken.count
    }
    var records: [[String]] = []
    while try parser.next() {
      records.append((0..<parser.fieldCount).map { String(decoding: parser.field($0), as: UTF8.self) })
    }
    guard let first = records.first else { throw TestFailure("\(path) has no header") }
    header = first
    rows = Array(records.dropFirst())
  }

  /// The values of one column.
  public func column(_ name: String) throws -> [String] {
    guard let index = header.firstIndex(of: name) else { throw TestFailure("no column \(name) in \(header)") }
    return rows.map { $0[index] }
  }

  /// The file without a column that differs from run to run.
  public func without(_ name: String) -> [[String]] {
    let index = header.firstIndex(of: name)
    return rows.map { row in row.enumerated().filter { $0.offset != index }.map(\.element) }
  }
}

/// What a file holds.
public func contents(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }
