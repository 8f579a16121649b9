internal import Postgres

/// A script for psql as the server sees it: commands that begin with a backslash are psql's own, and the lines behind
/// `COPY … FROM STDIN;` are data. Both become blanks, so that every statement keeps its place.
struct PsqlScript {
  private let script: [UInt8]
  /// The script with blanks for what was passed over.
  private var bytes: [UInt8]
  /// The first and the last token so far of the statement that is open.
  private var open: (first: SQLToken, last: SQLToken)?
  /// Whether the open statement is a COPY FROM STDIN.
  private var readsData = false

  private static let newline = UInt8(ascii: "\n")
  private static let backslash = UInt8(ascii: "\\")

  /// What the server gets to see of `script`.
  static func statements(in script: [UInt8]) throws(SQLTextError) -> [UInt8] {
    var reader = PsqlScript(script)
    var position = 0
    while let next = try reader.skip(from: position) { position = next }
    return reader.bytes
  }

  private init(_ script: [UInt8]) {
    self.script = script
    bytes = script
  }

  /// Blanks the next command or data, and returns where the text goes on behind it; nil where there is none.
  private mutating func skip(from position: Int) throws(SQLTextError) -> Int? {
    var scanner = SQLScanner(script, from: position)
    while let element = try scanner.next() {
      guard case .token(let token, let range) = element else { continue }
      if script[range.lowerBound] == Self.backslash { return skipCommand(at: range.lowerBound) }
      if token == .punctuation(UInt8(ascii: ";")) {
        let end = lineEnd(from: range.upperBound)
        defer { close() }
        // The data begins on the next line.
        if readsData { return skipData(from: min(end + 1, script.count)) }
        continue
      }
      if token == .word("stdin"), open?.first == .word("copy"), open?.last == .word("from") {
        readsData = true
      }
      open = (open?.first ?? token, token)
    }
    return nil
  }

  private mutating func close() {
    open = nil
    readsData = false
  }

  /// `\gexec` and its like send what is open; `\connect` stands by itself. Both end with their line. `\;` only stands between
  /// two statements.
  private mutating func skipCommand(at start: Int) -> Int {
    if script[start...].starts(with: [Self.backslash, UInt8(ascii: ";")]) {
      blank(start..<start + 1)
      return start + 1
    }
    let end = lineEnd(from: start)
    blank(start..<end)
    if open != nil { bytes[start] = UInt8(ascii: ";") }
    close()
    return end
  }

  private mutating func skipData(from start: Int) -> Int {
    var position = start
    while position < script.count {
      let end = lineEnd(from: position)
      let line = script[position..<end]
      blank(position..<end)
      position = min(end + 1, script.count)
      if line.elementsEqual([Self.backslash, UInt8(ascii: ".")]) { break }
    }
    return position
  }

  private func lineEnd(from position: Int) -> Int {
    script[position...].firstIndex(of: Self.newline) ?? script.count
  }

  private mutating func blank(_ range: Range<Int>) {
    for index in range { bytes[index] = UInt8(ascii: " ") }
  }
}
