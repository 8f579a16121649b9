internal import Postgres

/// Comments that allow a statement something, with a reason:
///
/// ```sql
/// -- lint: allow set_not_null because the table has ten rows
/// alter table currencies alter column scale set not null;
/// ```
///
/// One counts for the statement in which it stands, or else for the next one.
struct LintAllowances {
  private struct Allowance {
    let line: Int
    let rules: [LintRule]
    var used: Set<LintRule> = []
  }

  private static let mark = Array("lint:".utf8)
  private var all: [Allowance] = []

  /// - Throws: `MigrationError.malformed` for an unknown rule and for one without a reason.
  init(_ text: [UInt8], file: String) throws(MigrationError) {
    var scanner = SQLScanner(text)
    var line = 1
    var counted = 0
    while true {
      let element: SQLScanner.Element?
      do throws(SQLTextError) {
        element = try scanner.next()
      } catch {
        throw .malformed(file: file, line: 1 + text.prefix(error.offset).count { $0 == 0x0A }, error.reason)
      }
      guard let element else { return }
      guard case .lineComment(let range) = element else { continue }
      let comment = text[range].dropFirst(2).drop { $0 == 0x20 || $0 == 0x09 }
      guard comment.starts(with: Self.mark) else { continue }
      line += text[counted..<range.lowerBound].count { $0 == 0x0A }
      counted = range.lowerBound
      let words = String(decoding: comment.dropFirst(Self.mark.count), as: UTF8.self)
      all.append(Allowance(line: line, rules: try Self.rules(words, file, line)))
    }
  }

  private static func rules(_ text: String, _ file: String, _ line: Int) throws(MigrationError) -> [LintRule]
  {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }).map(String.init)
    guard words.first == "allow", let because = words.firstIndex(of: "because"), because > 1,
      because + 1 < words.count
    else { throw .malformed(file: file, line: line, "write: -- lint: allow RULE because REASON") }
    var rules: [LintRule] = []
    for word in words[1..<because] {
      guard let rule = LintRule(rawValue: word) else {
        throw .malformed(file: file, line: line, "“\(word)” is no rule of migrate lint")
      }
      rules.append(rule)
    }
    return rules
  }

  /// Whether `rule` is allowed to a statement that goes from `first` to `last`, the one before it ending at `previous`.
  mutating func allows(_ rule: LintRule, after previous: Int, first: Int, last: Int) -> Bool {
    for index in all.indices where all[index].rules.contains(rule) {
      let line = all[index].line
      // A comment behind the previous statement, on its last line, is that statement's.
      guard (first...max(first, last)).contains(line) || (line > previous && line < first) else { continue }
      all[index].used.insert(rule)
      return true
    }
    return false
  }

  /// What nothing made use of.
  var unused: [(line: Int, rule: LintRule)] {
    all.flatMap { allowance in
      allowance.rules.filter { !allowance.used.contains($0) }.map { (allowance.line, $0) }
    }
  }
}
