/// A rule of STYLE that a file breaks, with the place.
struct Violation: Equatable, CustomStringConvertible {
  let file: String
  let line: Int
  let text: String

  var description: String { "\(file):\(line): \(text)" }
}

/// A file of Sources with its code made ready for the rules.
struct SourceFile {
  static let lineLimit = 500
  static let functionLineLimit = 80

  /// Relative to the package.
  let path: String
  /// The target that it belongs to.
  let target: String
  let lines: [Substring]
  private let tokens: [Token]

  init(path: String, target: String, text: String) {
    self.path = path
    self.target = target
    lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    tokens = Token.all(in: SwiftText.code(of: text))
  }

  private func violation(_ line: Int, _ text: String) -> Violation {
    Violation(file: path, line: line, text: text)
  }

  /// The modules that the file imports, with their lines; `import struct A.B` counts as `A`.
  var imports: [(module: String, line: Int)] {
    let kinds: Set<Substring> = [
      "struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor",
    ]
    return tokens.indices.compactMap { index in
      guard tokens[index].text == "import", index + 1 < tokens.count else { return nil }
      let next = kinds.contains(tokens[index + 1].text) ? index + 2 : index + 1
      return next < tokens.count ? (module: String(tokens[next].text), line: tokens[next].line) : nil
    }
  }

  /// Imports that point up, or past the one target that may see a C library.
  func importViolations(_ layers: Layers) -> [Violation] {
    guard let allowed = layers.imports(of: target) else {
      return [violation(1, "target \(target) is missing in the table of layers")]
    }
    return imports.filter { !allowed.contains($0.module) }.map {
      violation($0.line, "\(target) must not import \($0.module)")
    }
  }

  /// More lines than a reader can hold.
  var lengthViolations: [Violation] {
    let count = lines.last?.isEmpty == true ? lines.count - 1 : lines.count
    return count > Self.lineLimit ? [violation(count, "\(count) lines, limit \(Self.lineLimit)")] : []
  }

  /// Functions that do not fit on a screen, counted from the signature to the closing brace.
  var functionViolations: [Violation] {
    functions.filter { $0.lines > Self.functionLineLimit }.map {
      violation($0.line, "\($0.name) has \($0.lines) lines, limit \(Self.functionLineLimit)")
    }
  }

  /// Names of types that say nothing.
  var nameViolations: [Violation] {
    let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
    let empty: Set<String> = [
      "Manager", "Managers", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities",
    ]
    return tokens.indices.dropLast().compactMap { index in
      guard kinds.contains(tokens[index].text) else { return nil }
      let name = tokens[index + 1]
      let bad = Self.words(of: name.text).first(where: empty.contains)
      return bad.map { violation(name.line, "\(name.text) says \($0)") }
    }
  }

  /// Unfinished work, and the ways to crash on purpose.
  var leftoverViolations: [Violation] {
    var found: [Violation] = []
    for (index, line) in lines.enumerated() {
      for mark in ["TODO", "FIXME"] where line.contains(mark) { found.append(violation(index + 1, mark)) }
    }
    for index in tokens.indices.dropLast() where tokens[index + 1].touchesPrevious {
      let pair = "\(tokens[index].text)\(tokens[index + 1].text)"
      if ["fatalError(", "try!", "as!"].contains(pair) { found.append(violation(tokens[index].line, pair)) }
    }
    return found
  }

  /// Every function, initializer and subscript that has a body.
  var functions: [(name: String, line: Int, lines: Int)] {
    tokens.indices.compactMap { index in
      let token = tokens[index]
      guard ["func", "init", "deinit", "subscript"].contains(token.text) else { return nil }
      // `.init(…)` and `self.init(…)` are calls.
      if index > 0, tokens[index - 1].text == "." { return nil }
      guard let open = bodyStart(after: index), let close = closingBrace(of: open) else { return nil }
      let name = token.text == "func" ? "func \(tokens[index + 1].text)" : String(token.text)
      return (name: name, line: token.line, lines: tokens[close].line - token.line + 1)
    }
  }

  /// The brace that opens the body of the function whose keyword stands at `index`, or nil for a requirement of a
  /// protocol, which has none. A brace inside parentheses belongs to a default argument.
  private func bodyStart(after index: Int) -> Int? {
    let ends: Set<Substring> = [
      "func", "var", "let", "init", "deinit", "subscript", "static", "associatedtype", "case", "mutating",
      "public", "private", "internal", "typealias", "struct", "class", "enum", "@", "}", "#", "import",
    ]
    var depth = 0
    for next in (index + 1)..<max(tokens.count, index + 1) {
      let text = tokens[next].text
      if text == "(" || text == "[" { depth += 1 }
      if text == ")" || text == "]" { depth -= 1 }
      guard depth == 0 else { continue }
      if text == "{" { return next }
      if ends.contains(text), tokens[next].line > tokens[next - 1].line || text == "}" { return nil }
    }
    return nil
  }

  private func closingBrace(of open: Int) -> Int? {
    var depth = 0
    for index in open..<tokens.count {
      if tokens[index].text == "{" { depth += 1 }
      if tokens[index].text == "}" {
        depth -= 1
        if depth == 0 { return index }
      }
    }
    return nil
  }

  // "JSONHelper" is JSON and Helper, "Utilization" is one word.
  private static func words(of name: Substring) -> [String] {
    var words: [String] = []
    var current = ""
    let letters = Array(name)
    for (index, letter) in letters.enumerated() {
      let nextIsLower = index + 1 < letters.count && letters[index + 1].isLowercase
      let begins = letter.isUppercase && (current.last?.isLowercase == true || nextIsLower)
      if begins, !current.isEmpty {
        words.append(current)
        current = ""
      }
      current.append(letter)
    }
    return words + [current]
  }
}
