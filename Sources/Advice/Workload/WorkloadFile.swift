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

  /// Statements that differ in constants and layout only are one, called as often as it stands there: with the
  /// constants that come most often, and some of the others, since a rare value wants another index than a common
  /// one.
  static func merged(_ statements: [WorkloadStatement]) -> [WorkloadStatement] {
    var places: [UInt64: Int] = [:]
    var merged: [WorkloadStatement] = []
    var texts: [TextCounts] = []
    for statement in statements {
      do throws(SQLSyntaxError) {
        let fingerprint = try SQLSyntax.fingerprint(statement.text)
        if let place = places[fingerprint] {
          merged[place].calls += statement.calls
          texts[place].add(statement.text, statement.calls)
          continue
        }
        places[fingerprint] = merged.count
      } catch {
        // Named as unexplained later, with the parser's reason.
      }
      merged.append(statement)
      texts.append(TextCounts())
      texts[texts.endIndex - 1].add(statement.text, statement.calls)
    }
    for place in merged.indices { texts[place].choose(for: &merged[place]) }
    return merged
  }
}

/// How often each text of a statement stands there.
private struct TextCounts {
  private var order: [String] = []
  private var calls: [String: Int64] = [:]
  /// Each is planned for itself.
  private static let variantsMax = 4
  /// Further texts are not told apart.
  private static let textsMax = 10_000

  mutating func add(_ text: String, _ calls: Int64) {
    if self.calls[text] == nil {
      if order.count >= Self.textsMax { return }
      order.append(text)
    }
    self.calls[text, default: 0] += calls
  }

  /// The commonest text, and some of the others, spread over the file, for all of them.
  func choose(for statement: inout WorkloadStatement) {
    guard order.count > 1, let most = calls.values.max(), let main = order.first(where: { calls[$0] == most })
    else {
      return
    }
    statement.text = main
    let others = order.filter { $0 != main }
    let count = min(Self.variantsMax, others.count)
    let share = 1 - Double(most) / Double(statement.calls)
    statement.variants = (0..<count).map { number in
      (others[number * others.count / count], share / Double(count))
    }
  }
}
