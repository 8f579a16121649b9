internal import Postgres
internal import Primitives
internal import SQLSyntax

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
  static let questionsMax = 400
  /// How long it goes on asking: a server may be slow, or a statement long.
  private static let timeMax = Duration.seconds(10)
  /// How many errors deep one choice builds on another.
  private static let depthMax = 24
  /// A text is changed for GROUP BY, and for parameters of two types.
  private static let rewritesMax = 3
  /// Tried in this order: the commonest constants first.
  static let types: [DataType] = [
    .int4, .text, .numeric, .timestamptz, .interval, .date, .bool, .float8, .jsonb, .uuid, .int8, .textArray,
    .int4Array, .bytea,
  ]

  /// Asks the server.
  private let ask: (String, [DataType]) throws -> Answer
  private let serverVersion: Int
  private var statement: NormalizedText
  private var questions = 0
  private let deadline = Deadline.after(timeMax)

  /// What was found: the text to send, and the types of its parameters, `unknown` where the server knows better.
  struct Found {
    let text: String
    let types: [DataType]
    let description: StatementDescription
  }

  init(_ statement: NormalizedText, serverVersion: Int, ask: @escaping (String, [DataType]) throws -> Answer)
  {
    self.statement = statement
    self.serverVersion = serverVersion
    self.ask = ask
  }

  /// - Throws: the server's first error where nothing helps, and what `ask` throws.
  mutating func run() throws -> Found {
    var first: ServerError?
    for _ in 0..<Self.rewritesMax {
      let types = unusedAsText()
      switch try question(types) {
      case .taken(let description): return found(types, description)
      case .refused(let error):
        first = first ?? error
        if statement.tree == .null { throw PostgresError.server(error) }
        if let found = try search(types, error) { return found }
        guard try rewrite(after: error) else { throw PostgresError.server(first ?? error) }
      }
    }
    throw first.map(PostgresError.server) ?? PostgresError.misuse("a statement was never sent")
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
    guard let last = used.max() else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: (1...max(1, last)).filter { !used.contains($0) }.map { ($0, .text) })
  }

  // MARK: Changing the text

  /// - Returns: whether anything was changed.
  private mutating func rewrite(after error: ServerError) throws -> Bool {
    switch error.sqlState {
    // A column must appear in GROUP BY; ORDER BY must appear in the list of SELECT DISTINCT.
    case "42803", "42P10": return try renumber(statement.tree.matchingParameters)
    // One parameter may be meant to be of two types, which values sent by a program can be.
    case _ where Self.isAboutTypes(error): return try renumber(statement.tree.repeatedParameters)
    default: return false
    }
  }

  private mutating func renumber(_ numbers: [(node: SyntaxNode, number: Int)]) throws -> Bool {
    let words = SQLWords(statement.text)
    var edits = TextEdits()
    for (node, number) in numbers where node.parameter != number {
      guard let range = node.location.flatMap(words.constant) else { continue }
      edits.replace(range, with: "$\(number)")
    }
    if edits.isEmpty { return false }
    try statement.apply(edits, serverVersion: serverVersion)
    return true
  }

  // MARK: Types

  /// Errors that another type can cure: undefined or ambiguous functions and operators, types that do not match or are not
  /// known, casts that do not exist.
  static func isAboutTypes(_ error: ServerError) -> Bool {
    ["42883", "42725", "42804", "42P18", "42846", "42P08", "42809"].contains(error.sqlState)
  }

  /// Looks for types that settle `error`: where the server points at first, then everywhere.
  private mutating func search(_ types: [Int: DataType], _ error: ServerError) throws -> Found? {
    guard Self.isAboutTypes(error) else { return nil }
    if let found = try descend(types, error, depth: 0, suspects: { $0.pointedAt($1) }) { return found }
    return try descend(types, error, depth: 0, suspects: { $0.pointedAt($1) + $0.elsewhere })
  }

  /// Each group gets each type. One that the server takes ends the search; those that led to an error at another place are
  /// followed then.
  private mutating func descend(
    _ types: [Int: DataType], _ error: ServerError, depth: Int,
    suspects: (ParameterSearch, ServerError) -> [[Int]]
  ) throws -> Found? {
    for group in suspects(self, error).map({ $0.filter { types[$0] == nil } }) where !group.isEmpty {
      var moved: [(types: [Int: DataType], error: ServerError)] = []
      // What nothing determines is text, as a string without a cast is.
      for type in error.sqlState == "42P18" ? [.text] : Self.types {
        guard questions < Self.questionsMax, !deadline.hasPassed else { return nil }
        var tried = types
        for parameter in group { tried[parameter] = type }
        switch try question(tried) {
        case .taken(let description): return found(tried, description)
        case .refused(let other):
          // An undetermined type has no place: what settles one of several looks like nothing.
          if Self.isAboutTypes(other), other.position != error.position || error.sqlState == "42P18" {
            moved.append((tried, other))
          }
        }
      }
      guard depth < Self.depthMax else { continue }
      for next in moved {
        if let found = try descend(next.types, next.error, depth: depth + 1, suspects: suspects) {
          return found
        }
      }
    }
    return nil
  }

  /// Parameters at the place that the server names, in groups of those that probably have one type.
  private func pointedAt(_ error: ServerError) -> [[Int]] {
    guard let position = error.position else { return distinct([statement.tree.undeterminedParameters]) }
    let place = Self.bytes(ofCharacter: position, in: statement.text)
    let nodes = statement.tree.nodes { $0.location == place }
    let groups = nodes.map { JSON.object([(key: $0.type, value: $0.members)]).operandParameters }
    return distinct(groups + groups.flatMap { group in group.count > 1 ? group.map { [$0] } : [] })
  }

  /// All other parameters: columns of VALUES and of queries, which are used elsewhere, then each by itself.
  private var elsewhere: [[Int]] {
    let tree = statement.tree
    return distinct(tree.columnsOfParameters + tree.untypedParameters.map { [$0] })
  }

  private func distinct(_ groups: [[Int]]) -> [[Int]] {
    var seen: Set<Set<Int>> = []
    return groups.filter { !$0.isEmpty && seen.insert(Set($0)).inserted }
  }

  /// The server counts characters from 1, the parser bytes from 0.
  private static func bytes(ofCharacter position: Int, in text: String) -> Int {
    text.unicodeScalars.prefix(max(0, position - 1)).reduce(0) { $0 + UTF8.width($1) }
  }
}
