internal import Postgres
internal import Primitives
internal import SQLSyntax

/// The lexical elements of a statement with their places in bytes; none of a text that cannot be read.
struct SQLWords {
  let bytes: [UInt8]
  let all: [(token: SQLToken, range: Range<Int>)]

  init(_ text: String) {
    bytes = Array(text.utf8)
    var scanner = SQLScanner(bytes)
    var all: [(token: SQLToken, range: Range<Int>)] = []
    do throws(SQLTextError) {
      while let element = try scanner.next() {
        if case .token(let token, let range) = element { all.append((token, range)) }
      }
    } catch {
      all = []
    }
    self.all = all
  }

  /// The index of the element that begins at `offset`.
  func index(at offset: Int) -> Int? {
    all.firstIndex { $0.range.lowerBound == offset }
  }

  /// The place of the constant, or of the `$n`, that begins at `offset`; a minus belongs to its number.
  func constant(at offset: Int) -> Range<Int>? {
    guard let index = index(at: offset) else { return nil }
    let isNegative = bytes[offset] == UInt8(ascii: "-") && index + 1 < all.count
    return offset..<all[isNegative ? index + 1 : index].range.upperBound
  }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  // MARK: Constants of a type

  private static let intervalWords: Set<String> = ["year", "month", "day", "hour", "minute", "second", "to"]

  /// `date $1` becomes `cast($1 as date)`, and `interval $1 day` becomes `cast($1 as interval day)`: in a typed constant the
  /// type stands in front.
  func castEdit(_ cast: SyntaxNode, _ edits: inout TextEdits) {
    guard let parameter = cast.members["arg"].node, let number = parameter.parameter,
      let place = parameter.location, let start = cast.members["typeName"]["location"].integer,
      start < place, let index = index(at: place), index > 0, bytes.indices.contains(start)
    else { return }
    let type = text(start..<all[index - 1].range.upperBound)
    var end = index
    let names = cast.members["typeName"]["names"].elements
    if names.last?["String"]["sval"].text == "interval" { end = self.end(ofIntervalAfter: index) }
    let fields = end > index ? " " + text(all[index + 1].range.lowerBound..<all[end].range.upperBound) : ""
    edits.replace(start..<all[end].range.upperBound, with: "cast($\(number) as \(type)\(fields))")
  }

  /// The last element of `day to second(3)`.
  private func end(ofIntervalAfter index: Int) -> Int {
    var end = index
    while end + 1 < all.count, case .word(let word) = all[end + 1].token, Self.intervalWords.contains(word) {
      end += 1
    }
    if end > index, all[end].token == .word("second"), end + 3 < all.count,
      all[end + 1].token == .punctuation(UInt8(ascii: "(")),
      all[end + 3].token == .punctuation(UInt8(ascii: ")"))
    {
      end += 3
    }
    return end
  }

  // MARK: extract

  /// `extract($1 from x)` becomes a call of the function behind it, which takes the field as text. It is `date_part` before
  /// PostgreSQL 14.
  func extractEdit(_ call: SyntaxNode, _ serverVersion: Int, _ edits: inout TextEdits) {
    guard call.members["funcname"].elements.last?["String"]["sval"].text == "extract",
      call.members["funcformat"].text == "COERCE_SQL_SYNTAX",
      let field = call.members["args"].elements.first?.node, field.parameter != nil,
      let start = call.members["location"].integer ?? Int?.some(0), let name = index(at: start),
      let place = field.location, let parameter = index(at: place), parameter + 1 < all.count,
      all[name].token == .word("extract"), all[parameter + 1].token == .word("from")
    else { return }
    let function = serverVersion >= 140_000 ? "pg_catalog.\"extract\"" : "pg_catalog.date_part"
    edits.replace(all[name].range, with: function)
    edits.replace(all[parameter + 1].range, with: ",")
  }

  /// Whether the parenthesis at `index` closes a call of `name`.
  func isCall(_ name: String, endingAt index: Int) -> Bool {
    var depth = 0
    for position in stride(from: index, through: 0, by: -1) {
      switch all[position].token {
      case .punctuation(UInt8(ascii: ")")): depth += 1
      case .punctuation(UInt8(ascii: "(")):
        depth -= 1
        if depth == 0 { return position > 0 && all[position - 1].token == .word(name) }
      default: break
      }
    }
    return false
  }

  // MARK: Statements in statements

  /// What stands behind the first `word` outside parentheses, without one of `ends` at its end.
  func text(after word: String, until ends: [String]...) -> String? {
    var depth = 0
    for (index, element) in all.enumerated() {
      switch element.token {
      case .punctuation(UInt8(ascii: "(")): depth += 1
      case .punctuation(UInt8(ascii: ")")): depth -= 1
      case .word(word) where depth == 0 && index + 1 < all.count:
        var last = all.count - 1
        while last > index, all[last].token == .punctuation(UInt8(ascii: ";")) { last -= 1 }
        for end in ends where last - index > end.count {
          let words = all[(last - end.count + 1)...last].map(\.token)
          if words == end.map(SQLToken.word) { last -= end.count }
        }
        return text(all[index + 1].range.lowerBound..<all[last].range.upperBound)
      default: break
      }
    }
    return nil
  }

  /// What the first parentheses hold.
  func textInParentheses() -> String? {
    guard let open = all.firstIndex(where: { $0.token == .punctuation(UInt8(ascii: "(")) }) else {
      return nil
    }
    var depth = 0
    for element in all[open...] {
      switch element.token {
      case .punctuation(UInt8(ascii: "(")): depth += 1
      case .punctuation(UInt8(ascii: ")")):
        depth -= 1
        if depth == 0 { return text(all[open].range.upperBound..<element.range.lowerBound) }
      default: break
      }
    }
    return nil
  }

  /// `VACUUM`, `CREATE INDEX`, …: the first words, as far as they name a command.
  var command: String {
    let second: Set<String> = ["create", "alter", "drop"]
    var words: [String] = []
    for element in all.prefix(2) {
      guard case .word(let word) = element.token, words.isEmpty || second.contains(words[0]) else { break }
      words.append(word)
    }
    let name = words.joined(separator: " ").uppercased()
    return name.isEmpty ? "this" : name
  }
}
