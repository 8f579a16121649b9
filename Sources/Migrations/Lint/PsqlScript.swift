internal import Postgres

/// A script for psql as the server sees it: commands that begin with a backslash are psql's own, and the lines behind
/// `COPY … FROM STDIN;` are data. Both become blanks, so that every statement keeps its place.
struct PsqlScript {
  private var bytes: [UInt8]
  /// The first words of the statement that is open, and whether they were followed by FROM STDIN.
  private var words: [SQLToken] = []
  private var readsData = false

  private static let newline = UInt8(ascii: "\n")
  private static let backslash = UInt8(ascii: "\\")

  /// What the server gets to see of `script`.
  static func statements(in script: [UInt8]) throws(SQLTextError) -> [UInt8] {
    var reader = PsqlScript(bytes: script)
    var position = 0
    while let next = try reader.skip(from: position) { position = next }
    return reader.bytes
  }

  /// Whether the text has `-- migrate:` lines and so is no script for psql.
  static func isMigration(_ text: [UInt8]) -> Bool {
    text.split(separator: newline).contains { line in
      line.starts(with: Array("--".utf8))
        && line.dropFirst(2).drop { $0 == 0x20 || $0 == 0x09 }.starts(with: Array("migrate:".utf8))
    }
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Blanks the next command or data, and returns where the text goes on behind it; nil where there is none.
  private mutating func skip(from position: Int) throws(SQLTextError) -> Int? {
    var scanner = SQLScanner(bytes, from: position)
    while let element = try scanner.next() {
      guard case .token(let token, let range) = element else { continue }
      if bytes[range.lowerBound] == Self.backslash { return skipCommand(at: range.lowerBound) }
      if token == .punctuation(UInt8(ascii: ";")) {
        let end = lineEnd(from: range.upperBound)
        defer { close() }
        // The data begins on the next line.
        if readsData { return skipData(from: min(end + 1, bytes.count)) }
        continue
      }
      if token == .word("stdin"), words.first == .word("copy"), words.last == .word("from") {
        readsData = true
      }
      // The first tells what it is, the last what stands before this one.
      words = [words.first ?? token, token]
    }
    return nil
  }

  private mutating func close() {
    words = []
    readsData = false
  }

  /// `\gexec` and its like send what is open; `\connect` stands by itself. Both end with their line. `\;` only stands between
  /// two statements.
  private mutating func skipCommand(at start: Int) -> Int {
    if bytes[start...].starts(with: [Self.backslash, UInt8(ascii: ";")]) {
      blank(start..<start + 1)
      return start + 1
    }
    let end = lineEnd(from: start)
    blank(start..<end)
    if !words.isEmpty { bytes[start] = UInt8(ascii: ";") }
    close()
    return end
  }

  private mutating func skipData(from start: Int) -> Int {
    var position = start
    while position < bytes.count {
      let end = lineEnd(from: position)
      let line = bytes[position..<end]
      blank(position..<end)
      position = min(end + 1, bytes.count)
      if line.elementsEqual([Self.backslash, UInt8(ascii: ".")]) { break }
    }
    return position
  }

  private func lineEnd(from position: Int) -> Int {
    bytes[position...].firstIndex(of: Self.newline) ?? bytes.count
  }

  private mutating func blank(_ range: Range<Int>) {
    for index in range { bytes[index] = UInt8(ascii: " ") }
  }
}
