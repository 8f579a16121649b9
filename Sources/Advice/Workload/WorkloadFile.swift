internal import Postgres
public import Primitives
internal import SQLSyntax

/// Reads a file of statements with semicolons between them.
public enum WorkloadFile {
  /// The most bytes of a file: more is no workload, but a dump.
  public static let sizeMax = 64 << 20

  /// - Throws: `input_unreadable`, `input_malformed` with the line where the text cannot be split into statements.
  public static func read(_ file: InputFile) throws -> [WorkloadStatement] {
    var bytes: [UInt8] = []
    while true {
      let chunk = try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if chunk.isEmpty { break }
      bytes += chunk
      guard bytes.count <= sizeMax else {
        throw SimpleFailure(
          .malformedInput, code: "input_too_large",
          message: "\(file.name) is larger than \(sizeMax >> 20) MB",
          hint: "a workload is a file of statements, each of them once")
      }
    }
    do throws(SQLTextError) {
      return merged(try split(bytes))
    } catch {
      let line = bytes.prefix(error.offset).count { $0 == 0x0A } + 1
      throw InputError(file: file.name, line: line, error.reason, code: "sql_malformed")
    }
  }

  /// The statements of a text, each for itself, so that one that is wrong costs no other.
  static func split(_ bytes: [UInt8]) throws(SQLTextError) -> [WorkloadStatement] {
    var statements: [WorkloadStatement] = []
    var scanner = SQLScanner(bytes)
    var open: Range<Int>?
    // Lines are counted as the text is walked.
    var place = (offset: 0, line: 1)
    func end(_ range: Range<Int>) {
      while place.offset < range.lowerBound {
        if bytes[place.offset] == 0x0A { place.line += 1 }
        place.offset += 1
      }
      var statement = WorkloadStatement(
        id: String(statements.count + 1), text: String(decoding: bytes[range], as: UTF8.self))
      statement.line = place.line
      statements.append(statement)
    }
    while let element = try scanner.next() {
      guard case .token(let token, let range) = element else { continue }
      if token == .punctuation(UInt8(ascii: ";")) {
        if let range = open { end(range) }
        open = nil
      } else {
        open = (open?.lowerBound ?? range.lowerBound)..<range.upperBound
      }
    }
    if let open { end(open) }
    return statements
  }

  /// Statements that differ in constants and layout only are one, called as often as it stands there.
  static func merged(_ statements: [WorkloadStatement]) -> [WorkloadStatement] {
    var places: [UInt64: Int] = [:]
    var merged: [WorkloadStatement] = []
    for statement in statements {
      do throws(SQLSyntaxError) {
        let fingerprint = try SQLSyntax.fingerprint(statement.text)
        if let place = places[fingerprint] {
          merged[place].calls += statement.calls
          continue
        }
        places[fingerprint] = merged.count
      } catch {
        // Named as unexplained later, with the parser's reason.
      }
      merged.append(statement)
    }
    return merged
  }
}
