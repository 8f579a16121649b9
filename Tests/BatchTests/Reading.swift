import Primitives

@testable import Batch

/// What a test looks at of one row.
struct ReadRow: Equatable, CustomStringConvertible {
  var line: Int
  var fault: String?
  var texts: [String]

  var description: String { "\(line): \(fault ?? texts.joined(separator: "|"))" }
}

/// A source of bytes that hands over at most `piece` at a time.
func bytes(_ data: [UInt8], piece: Int = 1 << 20) -> ByteSource {
  var rest = data[...]
  return { buffer in
    let taken = rest.prefix(min(piece, buffer.count))
    buffer.copyBytes(from: taken)
    rest = rest.dropFirst(taken.count)
    return taken.count
  }
}

/// Reads a whole file.
func readRows(_ data: [UInt8], _ format: BatchFormat, piece: Int = 1 << 20) throws -> [ReadRow] {
  var reader = try format.reader(name: "f", read: bytes(data, piece: piece))
  var rows: [ReadRow] = []
  var text = RowText()
  while try reader.next(into: &text) {
    rows.append(
      ReadRow(line: text.line, fault: text.fault, texts: BatchColumn.allCases.map { text.string($0) }))
  }
  return rows
}

func readRows(_ text: String, _ format: BatchFormat) throws -> [ReadRow] {
  try readRows(Array(text.utf8), format)
}

/// Rows as requests.
func batchRows(_ text: String, _ format: BatchFormat) throws -> [BatchRow] {
  var reader = try format.reader(name: "f", read: bytes(Array(text.utf8)))
  var rows: [BatchRow] = []
  var row = RowText()
  while try reader.next(into: &row) { rows.append(BatchRow(row) { "derived-\($0)" }) }
  return rows
}
