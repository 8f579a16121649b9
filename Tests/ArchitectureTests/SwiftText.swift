/// Swift source with every comment and every character of a literal blanked out, line by line in place, so that
/// what remains is code: braces count, words are words.
struct SwiftText {
  private(set) var code: [Character]
  private let source: [Character]
  private var position = 0

  /// The code, with the lines of the source.
  static func code(of source: String) -> String {
    var text = SwiftText(source)
    text.scanCode(untilParenthesis: false)
    return String(text.code)
  }

  private init(_ source: String) {
    self.source = Array(source)
    code = self.source
  }

  private func starts(_ text: String, at index: Int) -> Bool {
    let characters = Array(text)
    return index + characters.count <= source.count
      && source[index..<(index + characters.count)].elementsEqual(characters)
  }

  /// Blanks `count` characters and moves past them; line ends stay.
  private mutating func blank(_ count: Int = 1) {
    for index in position..<min(position + count, source.count) where !source[index].isNewline {
      code[index] = " "
    }
    position = min(position + count, source.count)
  }

  /// Code to the end of the file, or to the parenthesis that closes an interpolation, which is blanked as a whole:
  /// braces in it are balanced anyway, and no declaration begins there.
  private mutating func scanCode(untilParenthesis isInterpolation: Bool) {
    var depth = 0
    while position < source.count {
      if starts("//", at: position) {
        while position < source.count, !source[position].isNewline { blank() }
      } else if starts("/*", at: position) {
        scanBlockComment()
      } else if let hashes = literalHashes() {
        scanLiteral(hashes: hashes)
      } else {
        let character = source[position]
        if isInterpolation, character == "(" { depth += 1 }
        if isInterpolation, character == ")" {
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
    while index < source.count, source[index] == "#" { index += 1 }
    return index < source.count && source[index] == "\"" ? index - position : nil
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
      } else if quotes.count == 1, source[position].isNewline {
        // Not valid Swift; going on from here keeps the damage to a line.
        return
      } else {
        blank()
      }
    }
  }
}

/// A word, number or sign of blanked code, with its line.
struct Token: Equatable {
  let text: Substring
  let line: Int

  static func all(in code: String) -> [Token] {
    var tokens: [Token] = []
    var line = 1
    var index = code.startIndex
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
      tokens.append(Token(text: code[index..<end], line: line))
      index = end
    }
    return tokens
  }

  private static func isWord(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_" || character == "`"
  }
}
