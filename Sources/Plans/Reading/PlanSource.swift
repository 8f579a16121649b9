/// A plan as it was pasted or saved: which format it has, and its lines without what a program put around them. Handled are
/// psql (any border, expanded, `+` for a line break inside the cell), pgAdmin's quotes, `auto_explain` in a server log, and
/// the fences of Markdown. Lines keep their numbers.
struct PlanSource {
  enum Format { case text, json }

  struct Line {
    /// Counted from 1.
    let number: Int
    var text: ByteText
    /// Whether psql marked that the cell goes on in the next line.
    var goesOn = false
    /// Characters in front of `text` that were left out; nil where more than that was changed.
    var cut: Int? = 0
  }

  /// Bytes; a plan of a thousand partitions with all options is some megabytes.
  static let sizeMax = 32 << 20

  private(set) var format = Format.text
  private(set) var lines: [Line]
  private let lineCount: Int

  init(_ bytes: [UInt8]) throws(PlanError) {
    guard bytes.count <= Self.sizeMax else { throw PlanError("more than \(Self.sizeMax >> 20) MB") }
    if let place = bytes.firstIndex(of: 0) {
      throw PlanError("a NUL byte", line: bytes[..<place].count { $0 == 0x0A } + 1)
    }
    var content = bytes[...]
    if content.starts(with: [0xEF, 0xBB, 0xBF]) { content = content.dropFirst(3) }
    lines = content.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().map {
      Line(
        number: $0.offset + 1, text: ByteText($0.element.last == 0x0D ? $0.element.dropLast() : $0.element))
    }
    lineCount = lines.count
    try cutOutOfLog()
    dropFrame()
    unquote()
    lines.removeAll { $0.text.trimmed.isEmpty || $0.text.trimmed.starts(with: "```") }
    guard let first = lines.first else { throw PlanError("there is no plan in it", line: lineCount) }
    let start = first.text.trimmed
    if start.starts(with: "[") || start.starts(with: "{") { format = .json }
    if start.starts(with: "<explain") || start.starts(with: "- Plan:") {
      throw PlanError("XML and YAML are not read; take FORMAT JSON or text", line: first.number)
    }
  }

  /// The lines as one document, each at its number.
  var json: [UInt8] {
    var document: [UInt8] = []
    var number = 1
    for line in lines {
      while number < line.number {
        document.append(0x0A)
        number += 1
      }
      document += line.text.bytes
    }
    return document
  }

  /// An error in `json` with its column in the line as it was given.
  func placed(_ error: PlanError) -> PlanError {
    let cut = lines.first { $0.number == error.line }.flatMap(\.cut)
    return PlanError(error.reason, line: error.line, column: cut.map { $0 + error.column } ?? 0)
  }

  /// `… LOG:  duration: 12.3 ms  plan:`, and behind it lines that begin with a tab, which syslog writes as `#011`.
  private mutating func cutOutOfLog() throws(PlanError) {
    let heads = lines.indices.filter {
      lines[$0].text.contains("duration: ") && lines[$0].text.trimmed.ends(with: "plan:")
    }
    guard let head = heads.first else { return }
    if heads.count > 1 {
      throw PlanError("a second plan begins here; give one at a time", line: lines[heads[1]].number)
    }
    let rest = lines[(head + 1)...].map { line in
      guard let mark = line.text.range(of: "#011") else { return line }
      return Line(
        number: line.number, text: ByteText([0x09] + line.text.bytes[mark.upperBound...]), cut: nil)
    }
    lines = Array(
      rest.prefix { $0.text.isEmpty || $0.text.bytes.first == 0x09 || $0.text.bytes.first == 0x20 })
  }

  private mutating func dropFrame() {
    let isExpanded = lines.contains { $0.text.trimmed.starts(with: "-[ RECORD") }
    guard isExpanded || lines.contains(where: Self.isHeading) else { return }
    dropSession()
    lines = lines.compactMap { line in
      var line = line
      let trimmed = line.text.trimmed
      if Self.isRule(trimmed) || Self.isRowCount(trimmed) || trimmed.starts(with: "-[ RECORD") { return nil }
      let whole = line.text
      line.text = isExpanded ? Self.valueOfRecord(whole) : Self.unboxed(whole)
      // A piece of a slice keeps its places.
      let front = whole.bytes[whole.bytes.startIndex..<line.text.bytes.startIndex]
      line.cut = line.cut.map { $0 + front.count { $0 & 0xC0 != 0x80 } }
      if line.text.trimmed.string == "QUERY PLAN" { return nil }
      let end = line.text.trimmedEnd
      // The longest line of a cell has no blank before the mark. No line of a plan ends in one of these by itself.
      if end.ends(with: "+") || end.ends(with: "↵") {
        line.text = end.dropLast(end.ends(with: "↵") ? 3 : 1).trimmedEnd
        line.goesOn = true
      }
      return line
    }
  }

  private static func isHeading(_ line: Line) -> Bool { unboxed(line.text).trimmed.string == "QUERY PLAN" }

  /// What psql says before and behind the result: `SET`, `BEGIN`, `Timing is on.`, the statement with its prompt, `ROLLBACK`. Where a
  /// plan may stand there all stays, and the reader sees that there are two.
  private mutating func dropSession() {
    func isSpokenOnly(_ part: ArraySlice<Line>) -> Bool {
      !part.contains { line in
        Self.isHeading(line) || ["(cost=", "(actual ", "\"Plan\""].contains { line.text.contains($0) }
      }
    }
    if let head = lines.firstIndex(where: { Self.isHeading($0) || $0.text.trimmed.starts(with: "-[ RECORD") }
    ),
      isSpokenOnly(lines[..<head])
    {
      lines.removeSubrange(..<head)
    }
    if let end = lines.firstIndex(where: { Self.isRowCount($0.text.trimmed) }),
      isSpokenOnly(lines[(end + 1)...])
    {
      lines.removeSubrange((end + 1)...)
    }
  }

  /// `-----`, `+-----+`, `├────┤`.
  private static func isRule(_ line: ByteText) -> Bool {
    !line.isEmpty
      && line.string.unicodeScalars.allSatisfy { "-+=|─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣".unicodeScalars.contains($0) }
  }

  /// `(12 rows)`, in any language.
  private static func isRowCount(_ line: ByteText) -> Bool {
    guard line.starts(with: "("), line.ends(with: ")") else { return false }
    let words = line.dropFirst(1).dropLast(1).bytes.split(separator: 0x20)
    return words.count == 2 && words[0].allSatisfy { (0x30...0x39).contains($0) }
  }

  private static func unboxed(_ line: ByteText) -> ByteText {
    let trimmed = line.trimmed
    for bar in ["|", "│", "║"] where trimmed.starts(with: bar) && trimmed.ends(with: bar) {
      guard trimmed.bytes.count >= 2 * bar.utf8.count else { continue }
      return trimmed.dropFirst(bar.utf8.count).dropLast(bar.utf8.count)
    }
    return line
  }

  private static func valueOfRecord(_ line: ByteText) -> ByteText {
    guard let bar = line.range(of: "| ") else { return line }
    let name = ByteText(line.bytes[..<bar.lowerBound]).trimmed.string
    return name.isEmpty || name == "QUERY PLAN" ? ByteText(line.bytes[bar.upperBound...]) : line
  }

  /// pgAdmin and CSV put quotes around each line, or around the whole.
  private mutating func unquote() {
    let filled = lines.indices.filter { !lines[$0].text.trimmed.isEmpty }
    guard let first = filled.first, let last = filled.last, lines[first].text.trimmed.starts(with: "\"")
    else { return }
    let isEachQuoted = filled.allSatisfy {
      let text = lines[$0].text.trimmed
      return text.bytes.count >= 2 && text.starts(with: "\"") && text.ends(with: "\"")
    }
    for index in filled {
      var text = lines[index].text
      if isEachQuoted || index == first { text = text.trimmedStart.dropFirst(1) }
      if isEachQuoted || index == last {
        text = text.trimmedEnd.ends(with: "\"") ? text.trimmedEnd.dropLast(1) : text
      }
      lines[index].text = text.undoublingQuotes
      lines[index].cut = nil
    }
    if isEachQuoted, let head = lines.firstIndex(where: { $0.text.trimmed.string == "QUERY PLAN" }) {
      lines.remove(at: head)
    }
  }
}
