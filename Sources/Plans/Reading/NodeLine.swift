import Primitives

/// The line of a node in the text format, as members of the JSON format's object.
struct NodeLine {
  private(set) var members: [(key: String, value: JSON)] = []
  /// Whether the line has numbers behind the name, or the name is one that PostgreSQL gives to nodes: what tells a node from
  /// any other line.
  private(set) var isCertain = false

  /// - Parameter text: without indentation and arrow.
  /// - Throws: `PlanError` where the numbers are no numbers; `line` is its place.
  init(_ text: ByteText, line: Int) throws(PlanError) {
    var name = text
    if let (before, after) = text.split(at: "  (cost=", last: true) ?? text.split(at: " (cost=", last: true) {
      name = before
      let (cost, rest) = try Self.parenthesis(after, line)
      try readCost(cost, line)
      try readActual(rest, line)
      isCertain = true
    } else if let (before, after) = text.split(at: " (actual ", last: true) {
      name = before
      try readActual(ByteText("(actual " + after.string), line)
      isCertain = true
    } else if let (before, after) = text.split(at: " (never executed)", last: true), after.trimmed.isEmpty {
      name = before
      try readActual(ByteText("(never executed)"), line)
      isCertain = true
    }
    readName(name.trimmed)
    if !isCertain { isCertain = Self.types.contains { type in members.contains { $0.value.text == type } } }
  }

  // MARK: Numbers

  private static func parenthesis(_ text: ByteText, _ line: Int) throws(PlanError) -> (ByteText, ByteText) {
    guard let (inside, rest) = text.split(at: ")") else {
      throw PlanError("a parenthesis is not closed", line: line)
    }
    return (inside, rest.trimmed)
  }

  private static func number(_ text: ByteText, _ line: Int) throws(PlanError) -> JSON {
    guard let number = text.number, number >= 0 else {
      throw PlanError("\"\(text.string.prefix(40))\" is no number in range", line: line)
    }
    return .number(number)
  }

  private static func pair(_ text: ByteText, _ line: Int) throws(PlanError) -> (JSON, JSON) {
    guard let (first, second) = text.split(at: "..") else {
      throw PlanError("\"\(text.string.prefix(40))\" is no pair of numbers", line: line)
    }
    return (try number(first, line), try number(second, line))
  }

  /// `0.00..10.00 rows=1 width=4`
  private mutating func readCost(_ text: ByteText, _ line: Int) throws(PlanError) {
    let words = text.pieces(between: " ")
    guard words.count == 3, let rows = words[1].after("rows="), let width = words[2].after("width=") else {
      throw PlanError("\"(cost=\(text.string.prefix(60)))\" is not what EXPLAIN prints", line: line)
    }
    let (startup, total) = try Self.pair(words[0], line)
    members.append(("Startup Cost", startup))
    members.append(("Total Cost", total))
    members.append(("Plan Rows", try Self.number(rows, line)))
    members.append(("Plan Width", try Self.number(width, line)))
  }

  /// `(actual time=0.1..0.2 rows=1 loops=1)`, `(never executed)`, or nothing.
  private mutating func readActual(_ text: ByteText, _ line: Int) throws(PlanError) {
    if text.isEmpty { return }
    if text.string == "(never executed)" {
      members += [("Actual Rows", 0), ("Actual Loops", 0)]
      return
    }
    guard let inside = text.after("(actual ") else {
      throw PlanError("\"\(text.string.prefix(60))\" behind a node", line: line)
    }
    let (words, rest) = try Self.parenthesis(inside, line)
    guard rest.isEmpty else { throw PlanError("\"\(rest.string.prefix(60))\" behind a node", line: line) }
    members += try Self.actual(words, line)
  }

  /// `time=0.1..0.2 rows=1 loops=1`, of a node or of a worker.
  static func actual(_ text: ByteText, _ line: Int) throws(PlanError) -> [(key: String, value: JSON)] {
    var members: [(key: String, value: JSON)] = []
    for word in text.trimmed.pieces(between: " ") {
      if let time = word.after("time=") {
        let (startup, total) = try pair(time, line)
        members += [("Actual Startup Time", startup), ("Actual Total Time", total)]
      } else if let rows = word.after("rows=") {
        members.append(("Actual Rows", try number(rows, line)))
      } else if let loops = word.after("loops=") {
        members.append(("Actual Loops", try number(loops, line)))
      } else {
        throw PlanError("\"\(word.string.prefix(40))\" is not what EXPLAIN prints", line: line)
      }
    }
    guard members.contains(where: { $0.key == "Actual Loops" }) else {
      throw PlanError("no \"loops=\"", line: line)
    }
    return members
  }

  // MARK: Names

  private mutating func set(_ key: String, _ value: JSON) { members.append((key, value)) }

  private mutating func readName(_ name: ByteText) {
    var name = name
    if let rest = name.after("Parallel ") {
      name = rest
      set("Parallel Aware", true)
    }
    if let rest = name.after("Async ") {
      name = rest
      set("Async Capable", true)
    }
    for mode in ["Partial", "Finalize"] {
      guard let rest = name.after("\(mode) ") else { continue }
      name = rest
      set("Partial Mode", .string(mode))
    }
    if readAggregate(name) || readJoin(name) || readSetOperation(name) || readModification(name) { return }
    readScan(name)
  }

  private mutating func readAggregate(_ name: ByteText) -> Bool {
    let strategies = [
      "Aggregate": "Plain", "HashAggregate": "Hashed", "GroupAggregate": "Sorted", "MixedAggregate": "Mixed",
    ]
    guard let strategy = strategies[name.string] else { return false }
    set("Node Type", "Aggregate")
    set("Strategy", .string(strategy))
    return true
  }

  private mutating func readJoin(_ name: ByteText) -> Bool {
    for (type, start) in [("Nested Loop", "Nested Loop"), ("Hash Join", "Hash"), ("Merge Join", "Merge")] {
      guard let rest = name.after(start) else { continue }
      let words = rest.trimmed.string.split(separator: " ").map(String.init)
      let isJoin = words.last == "Join" || type == "Nested Loop" && words.isEmpty
      let kind = words.dropLast().joined(separator: " ")
      guard isJoin, ["", "Left", "Right", "Full", "Semi", "Anti", "Right Anti", "Right Semi"].contains(kind)
      else { continue }
      set("Node Type", .string(type))
      set("Join Type", .string(kind.isEmpty ? "Inner" : kind))
      return true
    }
    return false
  }

  private mutating func readSetOperation(_ name: ByteText) -> Bool {
    for (start, strategy) in [("HashSetOp ", "Hashed"), ("SetOp ", "Sorted")] {
      guard let command = name.after(start) else { continue }
      set("Node Type", "SetOp")
      set("Strategy", .string(strategy))
      set("Command", .string(command.string))
      return true
    }
    return false
  }

  /// `Update on parts p`, as a node and as a line below it for each table of several.
  static func target(_ text: ByteText) -> (operation: String, object: ByteText)? {
    let plain = text.after("Foreign ") ?? text
    for operation in ["Insert", "Update", "Delete", "Merge"] {
      if let object = plain.after("\(operation) on ") { return (operation, object) }
    }
    return nil
  }

  private mutating func readModification(_ name: ByteText) -> Bool {
    guard let (operation, object) = Self.target(name) else { return false }
    set("Node Type", "ModifyTable")
    set("Operation", .string(operation))
    members += Self.relation(object, nameKey: "Relation Name")
    return true
  }

  private mutating func readScan(_ name: ByteText) {
    var type = name
    var object: ByteText?
    var index: ByteText?
    if let (before, after) = name.split(at: " using ") {
      type = before
      index = after
      if let (name, rest) = after.name(endingAt: " ") {
        set("Index Name", .string(name))
        object = rest.after(" on ")
      }
    } else if let (before, after) = name.split(at: " on ") {
      type = before
      object = after
    }
    if index != nil || type.ends(with: " Backward") {
      let plain = type.ends(with: " Backward") ? type.dropLast(" Backward".utf8.count) : type
      if plain.bytes.count < type.bytes.count { set("Scan Direction", "Backward") }
      type = plain
    }
    if let provider = type.after("Custom Scan (") {
      set("Node Type", "Custom Scan")
      set("Custom Plan Provider", .string(provider.dropLast(1).string))
    } else {
      set("Node Type", .string(type.string))
    }
    guard let object else { return }
    let keys = [
      "CTE Scan": "CTE Name", "WorkTable Scan": "CTE Name", "Function Scan": "Function Name",
      "Table Function Scan": "Table Function Name", "Named Tuplestore Scan": "Tuplestore Name",
      "Bitmap Index Scan": "Index Name", "Values Scan": "Alias", "Subquery Scan": "Alias",
    ]
    members += Self.relation(object, nameKey: keys[type.string] ?? "Relation Name")
  }

  /// `schema.table alias`, as it follows `on`.
  static func relation(_ text: ByteText, nameKey: String) -> [(key: String, value: JSON)] {
    guard var (name, rest) = text.name() else { return [] }
    var members: [(key: String, value: JSON)] = []
    if let behind = rest.after("."), let (second, further) = behind.name() {
      members.append(("Schema", .string(name)))
      (name, rest) = (second, further)
    }
    members.append((nameKey, .string(name)))
    guard !["Alias", "Index Name"].contains(nameKey) else { return members }
    let alias = rest.trimmed.name(endingAt: " ")?.name
    members.append(("Alias", .string(alias ?? name)))
    return members
  }

  /// `Node Type` of every node of PostgreSQL 13 to 18 (`ExplainNode`).
  static let types: Set<String> = [
    "Result", "ProjectSet", "ModifyTable", "Append", "Merge Append", "Recursive Union", "BitmapAnd",
    "BitmapOr",
    "Nested Loop", "Merge Join", "Hash Join", "Seq Scan", "Sample Scan", "Gather", "Gather Merge",
    "Index Scan",
    "Index Only Scan", "Bitmap Index Scan", "Bitmap Heap Scan", "Tid Scan", "Tid Range Scan", "Subquery Scan",
    "Function Scan", "Table Function Scan", "Values Scan", "CTE Scan", "Named Tuplestore Scan",
    "WorkTable Scan",
    "Foreign Scan", "Custom Scan", "Materialize", "Memoize", "Sort", "Incremental Sort", "Group", "Aggregate",
    "WindowAgg", "Unique", "SetOp", "LockRows", "Limit", "Hash",
  ]
}
