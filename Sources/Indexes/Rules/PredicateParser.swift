extension Predicate {
  private typealias Tokens = ArraySlice<PredicateToken>

  /// Reads what `pg_get_expr(indpred, indrelid, false)` prints; nil, which is no WHERE clause, lets everything in.
  init(parsing text: String?) {
    guard let text else {
      self = .none
      return
    }
    guard let tokens = PredicateToken.all(in: text) else {
      self.init(conjuncts: [Conjunct(subject: ExactText(text), test: .holds)])
      return
    }
    self.init(conjuncts: Self.conjuncts(tokens[...], depth: 0))
  }

  /// An expression in tokens with one blank between them, as a conjunct's subject stands there.
  static func subject(of text: ExactText) -> ExactText {
    PredicateToken.all(in: text.description).map { subject($0[...]) } ?? text
  }

  /// Deeper than the server prints for anything that is understood here.
  private static let depthMax = 64

  private static func conjuncts(_ tokens: Tokens, depth: Int) -> Set<Conjunct> {
    let inner = unwrapped(tokens)
    let parts = split(inner) { $0.isKeyword("AND") }
    guard parts.count > 1, depth < depthMax else { return [conjunct(inner)] }
    return parts.reduce(into: []) { $0.formUnion(conjuncts($1, depth: depth + 1)) }
  }

  private static func conjunct(_ tokens: Tokens) -> Conjunct {
    let isTop = topLevel(tokens)
    // Something before IS, and nothing looser than it: that would be in parentheses.
    if tokens.count > 2, tokens.suffix(2).elementsEqual([.word("IS"), .word("NULL")]) {
      return Conjunct(subject: subject(tokens.dropLast(2)), test: .isNull)
    }
    if tokens.count > 3, tokens.suffix(3).elementsEqual([.word("IS"), .word("NOT"), .word("NULL")]) {
      return Conjunct(subject: subject(tokens.dropLast(3)), test: .isNotNull)
    }
    if tokens.count == 1, case .word = tokens.first {
      return Conjunct(subject: subject(tokens), test: .isTrue)
    }
    if tokens.count == 2, tokens.first?.isKeyword("NOT") == true, case .word = tokens.last {
      return Conjunct(subject: subject(tokens.dropFirst()), test: .isFalse)
    }
    let operators = tokens.indices.filter { isTop.contains($0) && isOperator(tokens[$0]) }
    if operators.count == 1, let at = operators.first, let comparison = Comparison(rawValue: tokens[at].text),
      at > tokens.startIndex, !tokens[..<at].contains(where: { $0.isKeyword("NOT") }),
      let test = test(comparison, tokens[(at + 1)...])
    {
      return Conjunct(subject: subject(tokens[..<at]), test: test)
    }
    return Conjunct(subject: subject(tokens), test: .holds)
  }

  private static func test(_ comparison: Comparison, _ right: Tokens) -> Test? {
    if right.first?.isKeyword("ANY") == true {
      guard comparison == .equal else { return nil }
      return elements(unwrapped(right.dropFirst())).map { .isOneOf($0) }
    }
    if comparison == .equal, right.count == 1 {
      if right.first?.isKeyword("true") == true { return .isTrue }
      if right.first?.isKeyword("false") == true { return .isFalse }
    }
    return constant(right).map { .compares(comparison, $0) }
  }

  /// The members of `ARRAY[…]`, which may stand in parentheses and be cast.
  private static func elements(_ tokens: Tokens) -> Set<Constant>? {
    var list = tokens
    if list.first?.isSymbol("(") == true {
      guard let close = closing(list), close + 1 < list.endIndex, list[close + 1].isSymbol("::"),
        isTextType(list[(close + 2)...], isArray: true)
      else { return nil }
      list = unwrapped(list[...close])
    }
    guard list.first?.isKeyword("ARRAY") == true, list.dropFirst().first?.isSymbol("[") == true,
      list.last?.isSymbol("]") == true
    else { return nil }
    var constants: Set<Constant> = []
    for part in split(list.dropFirst(2).dropLast(), by: { $0.isSymbol(",") }) {
      guard let constant = constant(part) else { return nil }
      constants.insert(constant)
    }
    return constants
  }

  /// A literal, which may be cast, and in parentheses cast again: `5`, `'-5'::integer`, `(5)::numeric`,
  /// `('x'::character varying)::text`.
  private static func constant(_ tokens: Tokens) -> Constant? {
    let inner = unwrapped(tokens)
    if let close = closing(inner) {
      let rest = inner[(close + 1)...]
      guard rest.first?.isSymbol("::") == true, let value = constant(inner[..<close].dropFirst()) else {
        return nil
      }
      let isSame =
        value.integer != nil ? isNumericType(rest.dropFirst()) : isTextType(rest.dropFirst(), isArray: false)
      return isSame && !value.text.description.contains("::") ? value : nil
    }
    guard let token = inner.first else { return nil }
    let type = inner.dropFirst(2)
    guard inner.count == 1 || inner.dropFirst().first?.isSymbol("::") == true && !type.isEmpty else {
      return nil
    }
    switch token {
    case .number(let digits):
      guard type.isEmpty || isNumericType(type) else { return nil }
      return Constant(text: ExactText(digits), integer: Int64(digits))
    case .string(let quoted):
      guard !type.isEmpty else { return nil }
      // A negative number: the server quotes it.
      if isNumericType(type), let integer = Int64(quoted.dropFirst().dropLast()) {
        return Constant(integer)
      }
      let name = type.map(\.text).joined(separator: " ")
      return Constant(
        text: ExactText(isTextType(type, isArray: false) ? quoted : "\(quoted)::\(name)"), integer: nil)
    case .word, .symbol: return nil
    }
  }

  private static func isNumericType(_ tokens: Tokens) -> Bool {
    ["integer", "bigint", "smallint", "numeric"].contains(tokens.map(\.text).joined(separator: " "))
  }

  /// Types whose values are equal when their texts are.
  private static func isTextType(_ tokens: Tokens, isArray: Bool) -> Bool {
    let name = tokens.map(\.text).joined(separator: " ")
    let suffix = isArray ? " [ ]" : ""
    return name == "text" + suffix || name == "character varying" + suffix
  }

  // MARK: Tokens

  private static func subject(_ tokens: Tokens) -> ExactText {
    let inner = unwrapped(tokens)
    var words: [String] = []
    var position = inner.startIndex
    while position < inner.endIndex {
      // `(name)::text` is `name::text`; after a word the parentheses are a call's.
      let isCall = position > inner.startIndex && isWord(inner[position - 1])
      if inner[position].isSymbol("("), !isCall, position + 2 < inner.endIndex,
        isWord(inner[position + 1]), inner[position + 2].isSymbol(")")
      {
        words.append(inner[position + 1].text)
        position += 3
      } else {
        words.append(inner[position].text)
        position += 1
      }
    }
    return ExactText(words.joined(separator: " "))
  }

  private static func isWord(_ token: PredicateToken) -> Bool {
    if case .word = token { true } else { false }
  }

  private static func isOperator(_ token: PredicateToken) -> Bool {
    guard case .symbol(let text) = token else { return false }
    return !["(", ")", "[", "]", ",", ".", "::"].contains(text)
  }

  /// Without parentheses around the whole.
  private static func unwrapped(_ tokens: Tokens) -> Tokens {
    var inner = tokens
    while let close = closing(inner), close == inner.endIndex - 1 {
      inner = inner.dropFirst().dropLast()
    }
    return inner
  }

  /// Where the parenthesis closes that the tokens begin with.
  private static func closing(_ tokens: Tokens) -> Int? {
    guard tokens.first?.isSymbol("(") == true else { return nil }
    var depth = 0
    for position in tokens.indices {
      if tokens[position].isSymbol("(") { depth += 1 }
      if tokens[position].isSymbol(")") { depth -= 1 }
      if depth == 0 { return position }
    }
    return nil
  }

  /// Positions outside of brackets and of CASE.
  private static func topLevel(_ tokens: Tokens) -> Set<Int> {
    var depth = 0
    var found: Set<Int> = []
    for position in tokens.indices {
      let token = tokens[position]
      if token.isSymbol("(") || token.isSymbol("[") || token.isKeyword("CASE") { depth += 1 }
      if depth == 0 { found.insert(position) }
      if token.isSymbol(")") || token.isSymbol("]") || token.isKeyword("END") { depth -= 1 }
    }
    return found
  }

  private static func split(_ tokens: Tokens, by isSeparator: (PredicateToken) -> Bool) -> [Tokens] {
    let top = topLevel(tokens)
    var parts: [Tokens] = []
    var start = tokens.startIndex
    for position in tokens.indices where top.contains(position) && isSeparator(tokens[position]) {
      parts.append(tokens[start..<position])
      start = position + 1
    }
    return parts + [tokens[start...]]
  }
}
