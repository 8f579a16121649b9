internal import Postgres
internal import Primitives

/// A statement that a user wrote, with where it stands, so that errors can name the place.
public struct SQLText: Sendable {
  /// Without the blanks around it and the semicolon at its end.
  public let text: String
  /// The file that it was read from; nil for one on the command line.
  private let file: String?
  /// Lines of the file before the text.
  private let linesBefore: Int

  /// - Parameter file: as the user named it.
  public init(_ text: String, file: String? = nil) {
    let isBlank: (Character) -> Bool = { $0.isWhitespace }
    let start = text.prefix(while: isBlank)
    linesBefore = start.count(where: \.isNewline)
    var body = text.dropFirst(start.count)
    while let last = body.last, isBlank(last) || last == ";" { body.removeLast() }
    self.text = String(body)
    self.file = file
  }

  /// Checks what can be checked without the server: one statement, all of `$1` to `$keyColumns` and no
  /// further parameter, no control of transactions.
  ///
  /// - Throws: a failure of kind `usage`, or `malformedInput` with the line for a file.
  func check(keyColumns: Int) throws {
    var tokens: [(token: SQLToken, offset: Int)] = []
    var scanner = SQLScanner(Array(text.utf8))
    do throws(SQLTextError) {
      while let element = try scanner.next() {
        if case .token(let token, let range) = element { tokens.append((token, range.lowerBound)) }
      }
    } catch {
      throw failure("statement_malformed", error.reason, at: error.offset)
    }
    guard let first = tokens.first?.token else {
      throw failure("statement_malformed", "the statement is empty", at: 0)
    }
    if let end = tokens.first(where: { $0.token == .punctuation(UInt8(ascii: ";")) }) {
      throw failure(
        "statement_not_one", "there is more than one statement", at: end.offset,
        hint: "give one statement; WITH can carry several changes")
    }
    if case .word(let word) = first, Self.forbidden.contains(word) {
      throw failure(
        "statement_not_allowed",
        "\(word.uppercased()) is not for a job: each chunk is a transaction by itself",
        at: 0, hint: "leave transactions to the job; a chunk that fails is rolled back")
    }
    let used = tokens.compactMap { item -> (number: Int, offset: Int)? in
      if case .parameter(let number) = item.token { (number, item.offset) } else { nil }
    }
    if let extra = used.first(where: { !(1...keyColumns).contains($0.number) }) {
      throw failure(
        "statement_parameters",
        "$\(extra.number) stands for nothing: the key has \(keyColumns) column\(keyColumns == 1 ? "" : "s")",
        at: extra.offset,
        hint: "$1 is the array of the chunk's keys; of a key of several columns, $1 is of the first")
    }
    if let missing = (1...keyColumns).first(where: { number in !used.contains { $0.number == number } }) {
      throw failure(
        "statement_parameters",
        "the statement does not use $\(missing), so every chunk would touch the same rows",
        at: 0,
        hint: keyColumns == 1
          ? "restrict it to the chunk: … where id = any ($1)"
          : "restrict it to the chunk: … from unnest($1, $2) as k (a, b) where (t.a, t.b) = (k.a, k.b)")
    }
  }

  private static let forbidden: Set<String> = [
    "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare", "set", "reset",
  ]

  /// Whether EXPLAIN takes it.
  var canBeExplained: Bool { !text.lowercased().hasPrefix("call") }

  /// What the server makes of it.
  ///
  /// - Throws: where it cannot be run: a failure as `check` throws it, with the server's words.
  func described(_ session: Session, types: [DataType]) throws -> StatementDescription {
    do {
      return try session.describe(text, parameters: types)
    } catch {
      // Syntax, names and types are the statement's fault; a lack of privilege is not.
      guard case .server(let detail) = error, detail.sqlState.hasPrefix("42"), detail.sqlState != "42501"
      else {
        throw error
      }
      let before = text.unicodeScalars.prefix(max(0, (detail.position ?? 1) - 1))
      throw failure(
        "statement_refused", "PostgreSQL: \(detail)", at: before.reduce(0) { $0 + String($1).utf8.count },
        hint: detail.hint)
    }
  }

  /// Checks that a predicate stays within its parentheses.
  static func check(predicate: String) throws {
    var scanner = SQLScanner(Array(predicate.utf8))
    var depth = 0
    var reason: String?
    do throws(SQLTextError) {
      while let element = try scanner.next(), reason == nil {
        guard case .token(let token, _) = element else { continue }
        switch token {
        case .punctuation(UInt8(ascii: "(")): depth += 1
        case .punctuation(UInt8(ascii: ")")): depth -= 1
        case .punctuation(UInt8(ascii: ";")): reason = "it holds a semicolon"
        case .parameter: reason = "it can have no parameters"
        case .word, .quoted, .other, .punctuation: break
        }
        if depth < 0 { reason = "its parentheses do not match" }
      }
    } catch {
      reason = error.reason
    }
    if depth != 0 { reason = reason ?? "its parentheses do not match" }
    guard let reason else { return }
    throw SimpleFailure(
      .usage, code: "where_malformed", message: "--where cannot be used: \(reason)",
      hint: "give an expression such as --where \"status = 'open'\"")
  }

  private func failure(
    _ code: String, _ reason: String, at offset: Int, hint: String? = nil
  ) -> any Failure {
    guard let file else { return SimpleFailure(.usage, code: code, message: reason, hint: hint) }
    let line = text.utf8.prefix(offset).count { $0 == 0x0A } + linesBefore + 1
    return InputError(file: file, line: line, reason, code: code, hint: hint)
  }
}
