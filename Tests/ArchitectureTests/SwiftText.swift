/// Swift source with every comment and every byte of a literal blanked out, line by line in place, so that
/// what remains is code: braces count, words are words.
struct SwiftText {
  private var code: [UInt8]
  private let source: [UInt8]
  private var position = 0

  /// The code, with the lines of the source.
  static func code(of source: String) -> String {
    var text = SwiftText(source)
    text.scanCode(untilParenthesis: false)
    return String(decoding: text.code, as: UTF8.self)
  }

  private init(_ source: String) {
    self.source = Array(source.utf8)
    code = self.source
  }

  private static let newline = UInt8(ascii: "\n")

  private func starts(_ text: String, at index: Int) -> Bool {
    source[index...].starts(with: text.utf8)
  }

  /// Blanks `count` bytes and moves past them; line ends stay.
  private mutating func blank(_ count: Int = 1) {
    for index in position..<min(position + count, source.count) where source[index] != Self.newline {
      code[index] = UInt8(ascii: " ")
    }
    position = min(position + count, source.count)
  }

  /// Code to the end of the file, or to the parenthesis that closes an interpolation, which is blanked as a whole:
  /// braces in it are balanced anyway, and no declaration begins there.
  private mutating func scanCode(untilParenthesis isInterpolation: Bool) {
    var depth = 0
    while position < source.count {
      if starts("//", at: position) {
        while position < source.count, source[position] != Self.newline { blank() }
      } else if starts("/*", at: position) {
        scanBlockComment()
      } else if let hashes = literalHashes() {
        scanLiteral(hashes: hashes)
      } else {
        let character = source[position]
        if isInterpolation, character == UInt8(ascii: "(") { depth += 1 }
        if isInterpolation, character == UInt8(ascii: ")") {
          if depth == 0 { return }
          depth -= 1
        }
        if isInterpolation { blank() } else { position += 1 }
      }
    }
  }

  // Block comments nest in Swift.
  private mutating func scanBlockComment() {
    var depth = 0
    repeat {
      if starts("/*", at: position) {
        depth += 1
        blank(2)
      } else if starts("*/", at: position) {
        depth -= 1
        blank(2)
      } else {
        blank()
      }
    } while depth > 0 && position < source.count
  }

  /// The number of `#` before a quote that begins a literal here, or nil when none begins.
  private func literalHashes() -> Int? {
    var index = position
    while index < source.count, source[index] == UInt8(ascii: "#") { index += 1 }
    return index < source.count && source[index] == UInt8(ascii: "\"") ? index - position : nil
  }

  private mutating func scanLiteral(hashes: Int) {
    let guards = String(repeating: "#", count: hashes)
    blank(hashes)
    let quotes = starts("\"\"\"", at: position) ? "\"\"\"" : "\""
    blank(quotes.count)
    while position < source.count {
      if starts(quotes + guards, at: position) {
        blank(quotes.count + hashes)
        return
      }
      if starts("\\\(guards)(", at: position) {
        blank(hashes + 2)
        scanCode(untilParenthesis: true)
        blank()
      } else if starts("\\\(guards)", at: position) {
        blank(hashes + 2)
      } else if quotes.count == 1, source[position] == Self.newline {
        // Not valid Swift; going on from here keeps the damage to a line.
        return
      } else {
        blank()
      }
    }
  }
}

/// A word, number or sign of blanked code.
struct Token: Equatable {
  let text: Substring
  let line: Int
  /// Whether nothing lies between it and the token before: `try!` is two that touch, `try !done` is not.
  let touchesPrevious: Bool

  static func all(in code: String) -> [Token] {
    var tokens: [Token] = []
    var line = 1
    var index = code.startIndex
    var previousEnd: String.Index?
    while index < code.endIndex {
      let character = code[index]
      if character.isNewline { line += 1 }
      guard !character.isWhitespace else {
        index = code.index(after: index)
        continue
      }
      var end = code.index(after: index)
      if isWord(character) {
        while end < code.endIndex, isWord(code[end]) { end = code.index(after: end) }
      }
      tokens.append(Token(text: code[index..<end], line: line, touchesPrevious: previousEnd == index))
      previousEnd = end
      index = end
    }
    return tokens
  }

  private static func isWord(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_" || character == "`"
  }
}
