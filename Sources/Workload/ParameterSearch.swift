internal import Postgres
internal import Primitives

/// Finds types for the parameters of a statement that the server cannot tell by itself.
///
/// Where a constant stood, its form told the server what it is; `$1 + $2` could be anything, and so could an argument of
/// `concat`. The server says where it is at a loss, by a code and a place, and the tree says which parameters are
/// there. They are given one type after another until the server takes the statement.
///
/// A type that was found this way need not be the one that the constant had. For a plan that is made without values it
/// matters little: what counts is which operators there are, and that columns are compared as their own type.
struct ParameterSearch {
  /// What the server says to a text with types for some of its parameters.
  enum Answer {
    case taken(StatementDescription)
    case refused(ServerError)
  }

  /// The most questions that are asked for one statement; each is a round trip and an analysis.
  static let questionsMax = 200
  /// How many errors deep one choice builds on another.
  private static let depthMax = 6
  /// Tried in this order: the commonest constants first.
  static let types: [DataType] = [
    .int4, .text, .numeric, .timestamptz, .interval, .date, .bool, .float8, .jsonb, .uuid, .int8, .textArray,
    .int4Array, .bytea,
  ]

  /// Asks the server.
  private let ask: (String, [DataType]) throws -> Answer
  private var statement: NormalizedText
  private var questions = 0

  /// What was found: the text to send, and the types of its parameters, `unknown` where the server knows better.
  struct Found {
    let text: String
    let types: [DataType]
    let description: StatementDescription
  }

  init(_ statement: NormalizedText, ask: @escaping (String, [DataType]) throws -> Answer) {
    self.statement = statement
    self.ask = ask
  }

  /// - Throws: the server's first error where nothing helps, and what `ask` throws.
  mutating func run() throws -> Found {
    var first: ServerError?
    // Twice at most the text itself is changed.
    for _ in 0...2 {
      let types = unusedAsText()
      switch try question(types) {
      case .taken(let description): return found(types, description)
      case .refused(let error):
        first = first ?? error
        if statement.tree == .null { throw PostgresError.server(error) }
        if try rewrite(after: error) { continue }
        if Self.isAboutTypes(error), let found = try search(types, error) { return found }
        throw PostgresError.server(first ?? error)
      }
    }
    throw first.map(PostgresError.server) ?? PostgresError.misuse("a statement was rewritten for ever")
  }

  private func found(_ types: [Int: DataType], _ description: StatementDescription) -> Found {
    Found(text: statement.text, types: list(types), description: description)
  }

  private mutating func question(_ types: [Int: DataType]) throws -> Answer {
    questions += 1
    return try ask(statement.text, list(types))
  }

  private func list(_ types: [Int: DataType]) -> [DataType] {
    guard let last = types.keys.max() else { return [] }
    return (1...last).map { types[$0] ?? .unknown }
  }

  /// The server wants to know a type for each number up to the highest, also for those that stand nowhere.
  private func unusedAsText() -> [Int: DataType] {
    let used = Set(statement.tree.parameterNodes.compactMap(\.parameter))
    guard let last = used.max(), last <= Int(Int16.max) else { return [:] }
    return Dictionary(uniqueKeysWithValues: (1...max(1, last)).filter { !used.contains($0) }.map { ($0, .text) })
  }

  // MARK: Changing the text

  private mutating func rewrite(after error: ServerError) throws -> Bool {
    switch error.sqlState {
    // A column must appear in GROUP BY; ORDER BY must appear in the list of SELECT DISTINCT.
    case "42803", "42P10": return try join(\.matchingParameters)
    // One parameter is meant to be of two types, which values sent by a program can be.
    case "42P08": return try join(\.repeatedParameters)
    default: return false
    }
  }

  /// - Returns: whether anything was changed.
  private mutating func join(_ numbers: (JSON) -> [(node: SyntaxNode, number: Int)]) throws -> Bool {
    let words = SQLWords(statement.text)
    var edits = TextEdits()
    for (node, number) in numbers(statement.tree) where node.parameter != number {
      guard let place = node.location, let index = words.index(at: place) else { continue }
      edits.replace(words.all[index].range, with: "$\(number)")
    }
    if edits.isEmpty { return false }
    try statement.apply(edits)
    return true
  }

  // MARK: Types

  /// Errors that another type can cure: undefined or ambiguous functions and operators, types that do not match or are not
  /// known, casts that do not exist.
  static func isAboutTypes(_ error: ServerError) -> Bool {
    ["42883", "42725", "42804", "42P18", "42846", "42P08", "42809", "22P02", "22023"].contains(error.sqlState)
  }

  /// Goes down from `error`: first every choice that settles it at once, then those that only moved it.
  private mutating func search(
    _ types: [Int: DataType], _ error: ServerError, depth: Int = 0
  ) throws -> Found? {
    var moved: [(types: [Int: DataType], error: ServerError)] = []
    for group in suspects(error).map({ $0.filter { types[$0] == nil } }) where !group.isEmpty {
      // What nothing determines is text, as a string without a cast is.
      for type in error.sqlState == "42P18" ? [.text] : Self.types {
        guard questions < Self.questionsMax else { return nil }
        var tried = types
        for parameter in group { tried[parameter] = type }
        switch try question(tried) {
        case .taken(let description): return found(tried, description)
        case .refused(let other):
          let isElsewhere = other.sqlState != error.sqlState || other.position != error.position
          // An unknown type has no place: what settles one of several looks like nothing.
          if Self.isAboutTypes(other), isElsewhere || error.sqlState == "42P18" {
            moved.append((tried, other))
          }
        }
      }
    }
    guard depth < Self.depthMax else { return nil }
    for next in moved {
      if let found = try search(next.types, next.error, depth: depth + 1) { return found }
    }
    return nil
  }

  /// Parameters that may be to blame, in groups of those that probably have one type; the likeliest first.
  private func suspects(_ error: ServerError) -> [[Int]] {
    let tree = statement.tree
    var groups: [[Int]] = []
    if let position = error.position {
      let place = Self.bytes(ofCharacter: position, in: statement.text)
      let nodes = tree.nodes { $0.location == place }
      groups += nodes.map { $0.members.operandParameters + [$0.parameter].compactMap(\.self) }
      groups += nodes.map { $0.members.parameterNodes.compactMap(\.parameter) }
    } else {
      groups.append(tree.undeterminedParameters)
    }
    groups += tree.columnsOfParameters
    let all = tree.untypedParameters
    groups += groups.flatMap { group in group.count > 1 ? group.map { [$0] } : [] }
    groups += all.map { [$0] }
    var seen: Set<Set<Int>> = []
    return groups.filter { !$0.isEmpty && seen.insert(Set($0)).inserted }
  }

  /// The server counts characters from 1, the parser bytes from 0.
  private static func bytes(ofCharacter position: Int, in text: String) -> Int {
    text.unicodeScalars.prefix(max(0, position - 1)).reduce(0) { $0 + UTF8.width($1) }
  }
}
