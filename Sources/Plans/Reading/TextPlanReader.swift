import Primitives

/// Reads the text format, and makes the JSON format's document of it. Which line belongs to which node is told by
/// indentation alone (`ExplainNode` in PostgreSQL's `explain.c`): a node's arrow stands at the column of its parent's
/// properties, its own properties six further.
struct TextPlanReader {
  typealias Members = [(key: String, value: JSON)]

  /// A node while lines are added to it.
  fileprivate struct Draft {
    var members: Members
    var targets: [JSON] = []
    var workers: [(number: Int, members: Members)] = []
    var children: [Int] = []
    /// Children that are no subplans.
    var inputs = 0

    /// From the members that the node's own line gave.
    let type: String
    /// Where the node stands.
    let line: Int

    init(_ members: Members, line: Int) {
      self.members = members
      self.line = line
      type = members.first { $0.key == "Node Type" }?.value.text ?? ""
    }
  }

  /// What later, deeper lines may belong to.
  private struct Open {
    let column: Int
    let node: Int
    /// `InitPlan 1 (returns $0)`, where the entry is that line and not the node above it.
    var subplan: String?
  }

  /// Where a text that goes on in the next line goes on.
  private enum Last { case none, node(Int), worker(Int) }

  /// The highest number of a worker that is believed: PostgreSQL's max_parallel_workers ends at 1024.
  private static let workersMax = 1024.0

  private var drafts: [Draft] = []
  private var open: [Open] = []
  private var rootColumn = 0
  private var last = Last.none
  /// Whether a literal of the last property is not closed yet: it holds a line break.
  private var hasOpenQuote = false
  /// The last property with the lines that it goes on in, until its end is seen.
  private var longText: String?
  private var worker: (node: Int, column: Int)?
  /// The name of a subplan whose node is still to come.
  private var announced: String?
  private var summary = PlanSummary()

  /// The document, and the lines of its nodes.
  struct Outcome {
    let document: JSON
    /// Of each node: its line, and the places of its children in this list.
    fileprivate let nodes: [(line: Int, children: [Int])]

    /// The line of the node that a path leads to or into.
    func line(of path: [JSONStep]) -> Int {
      var node = 0
      for (list, step) in zip(path, path.dropFirst()) {
        guard list == .member("Plans"), case .element(let place) = step,
          nodes[node].children.indices.contains(place)
        else { continue }
        node = nodes[node].children[place]
      }
      return nodes[node].line
    }
  }

  static func read(_ lines: [PlanSource.Line]) throws(PlanError) -> Outcome {
    var reader = TextPlanReader()
    var goesOn = false
    for line in lines {
      try reader.read(line, isContinued: goesOn)
      goesOn = line.goesOn
    }
    let end = lines.last?.number ?? 0
    guard !reader.drafts.isEmpty else { throw PlanError("no node of a plan", line: end) }
    reader.endLongText()
    try reader.requireWhole(end)
    let nodes = reader.drafts.map { (line: $0.line, children: $0.children) }
    return Outcome(document: .object([("Plan", reader.tree())] + reader.summary.members), nodes: nodes)
  }

  /// A plan that was cut off shows by nodes that lack an input. What is below "never executed" is printed too.
  private func requireWhole(_ line: Int) throws(PlanError) {
    if let announced {
      throw PlanError("the plan ends before the node of \(announced.prefix(60))", line: line)
    }
    for draft in drafts {
      let hasPruned = draft.members.contains { $0.key == "Subplans Removed" }
      let wanted = PlanInputs.fewest(of: draft.type, hasPruned: hasPruned)
      var isWhole = draft.inputs >= wanted
      // Up to PostgreSQL 17 a set operation reads one Append; from 18 on it has both sides as inputs.
      if draft.type == "SetOp", draft.inputs == 1 {
        isWhole = draft.children.contains { readsAppend($0) }
      }
      guard isWhole else {
        throw PlanError(
          "the plan ends before an input of \(draft.type) (\(draft.inputs) of \(max(wanted, draft.inputs + 1)));"
            + " it was cut off", line: line)
      }
    }
  }

  private func readsAppend(_ node: Int) -> Bool {
    switch drafts[node].type {
    case "Append", "Merge Append": true
    case "Sort", "Incremental Sort", "Gather", "Gather Merge", "Result", "Subquery Scan":
      drafts[node].children.contains { readsAppend($0) }
    default: false
    }
  }

  /// The drafts as one value. A child stands behind its parent, so that going backwards makes children first.
  private mutating func tree() -> JSON {
    var made: [Int: JSON] = [:]
    for index in drafts.indices.reversed() {
      var members = drafts[index].members
      if !drafts[index].targets.isEmpty { members.append(("Target Tables", .array(drafts[index].targets))) }
      if !drafts[index].workers.isEmpty {
        let workers = drafts[index].workers.map { worker in
          JSON.object([("Worker Number", .integer(Int64(worker.number)))] + worker.members)
        }
        members.append(("Workers", .array(workers)))
      }
      let children = drafts[index].children.compactMap { made.removeValue(forKey: $0) }
      if !children.isEmpty { members.append(("Plans", .array(children))) }
      made[index] = .object(members)
    }
    return made[0] ?? .null
  }

  private mutating func read(_ line: PlanSource.Line, isContinued: Bool) throws(PlanError) {
    let column = line.text.indent
    let text = line.text.trimmed
    if drafts.isEmpty { return try readBeforeRoot(line, column, text) }
    if isContinued || hasOpenQuote, !text.starts(with: "->  ") { return goOn(line.text) }
    endLongText()
    if text.starts(with: "->") {
      let name = text.dropFirst(2).trimmed
      return try addNode(name, column: column, line)
    }
    if column <= rootColumn {
      worker = nil
      setLast(.none)
      if Self.isRoot(text, line.number) {
        throw PlanError("a second plan begins here; give one at a time", line: line.number)
      }
      return try summary.begin(text, column, line.number)
    }
    if summary.isOpen { return try summary.goOn(text, line.number) }
    try readBelowNode(text, column, line)
  }

  private static func isRoot(_ text: ByteText, _ line: Int) -> Bool {
    if text.starts(with: "Query Text:") { return true }
    if let (key, _) = text.split(at: ": "), !key.contains("(") { return false }
    do throws(PlanError) { return try NodeLine(text, line: line).isCertain } catch { return true }
  }

  private mutating func readBeforeRoot(_ line: PlanSource.Line, _ column: Int, _ text: ByteText)
    throws(PlanError)
  {
    // What is no node stands in front of the plan: a log's prefix, the statement.
    // A statement may have very many lines: most are told from a node by what they do not hold.
    let mayBeNode = summary.query == nil || text.contains("(cost=") || text.contains("(actual ")
    let node = mayBeNode ? try? NodeLine(text, line: line.number) : nil
    if node?.isCertain != true || text.starts(with: "Query Text:") {
      if let query = text.after("Query Text:") {
        summary.query = query.trimmed.string
        return
      }
      if text.starts(with: "Query Parameters:") { return }
      if summary.query != nil {
        summary.query?.append("\n" + line.text.string)
        return
      }
    }
    rootColumn = column
    try addNode(text.after("->")?.trimmed ?? text, column: column, line)
  }

  // MARK: Nodes

  private mutating func addNode(_ name: ByteText, column: Int, _ line: PlanSource.Line) throws(PlanError) {
    let node = try NodeLine(name, line: line.number)
    guard node.isCertain || !drafts.isEmpty else {
      throw PlanError("\"\(name.string.prefix(60))\" is no node of a plan", line: line.number)
    }
    if summary.isOpen { throw PlanError("a node behind the end of the plan", line: line.number) }
    worker = nil
    var draft = Draft(node.members, line: line.number)
    let index = drafts.count
    if !drafts.isEmpty {
      while let top = open.last, top.column >= column { open.removeLast() }
      guard let above = open.last else { throw PlanError("a second root", line: line.number) }
      drafts[above.node].children.append(index)
      if let name = above.subplan {
        announced = nil
        draft.members.append(("Subplan Name", .string(name)))
        draft.members.append(("Parent Relationship", name.hasPrefix("SubPlan") ? "SubPlan" : "InitPlan"))
      } else {
        drafts[above.node].inputs += 1
        draft.members.append(("Parent Relationship", .string(relationship(to: drafts[above.node]))))
      }
      if let announced {
        throw PlanError("no node of \(announced.prefix(60)) stands before this one", line: line.number)
      }
    }
    drafts.append(draft)
    open.append(Open(column: column, node: index))
    guard open.count <= 2 * Plan.depthMax, drafts.count <= Plan.nodesMax else {
      throw PlanError("too many nodes, or too deep", line: line.number)
    }
    setLast(.none)
  }

  /// Of the input that was added last.
  private func relationship(to parent: Draft) -> String {
    switch parent.type {
    case "Append", "Merge Append", "BitmapAnd", "BitmapOr": "Member"
    case "Subquery Scan": "Subquery"
    default: parent.inputs == 2 ? "Inner" : "Outer"
    }
  }

  // MARK: Properties

  private mutating func readBelowNode(
    _ text: ByteText, _ column: Int, _ line: PlanSource.Line
  ) throws(PlanError) {
    if let worker, column > worker.column {
      return try addToWorker(text, node: worker.node, line)
    }
    worker = nil
    guard let owner = open.last(where: { $0.column < column }), owner.subplan == nil else {
      throw PlanError("\"\(text.string.prefix(60))\" belongs to no node", line: line.number)
    }
    if ["InitPlan ", "SubPlan ", "CTE "].contains(where: text.starts), !text.contains(": ") {
      while let top = open.last, top.column >= column { open.removeLast() }
      open.append(Open(column: column, node: owner.node, subplan: text.string))
      setLast(.none)
      announced = text.string
      return
    }
    if let target = NodeLine.target(text), !text.contains("  (") {
      let names = NodeLine.relation(target.object, nameKey: "Relation Name")
      // In the order of the JSON format.
      let order = ["Relation Name", "Schema", "Alias"]
      drafts[owner.node].targets.append(
        .object(order.flatMap { key in names.filter { $0.key == key } }))
      return
    }
    if let rest = text.after("Worker "), let (digits, more) = rest.split(at: ":"), let number = digits.number
    {
      guard (0...Self.workersMax).contains(number) else {
        throw PlanError("\"\(digits.string.prefix(40))\" is no number of a worker", line: line.number)
      }
      drafts[owner.node].workers.append((number: Int(number), members: []))
      worker = (owner.node, column)
      let first = more.trimmed
      return first.isEmpty ? () : try addToWorker(first, node: owner.node, line)
    }
    drafts[owner.node].members += try property(text, of: owner.node, line)
    setLast(.node(owner.node))
  }

  /// `Worker 0:  Sort Method: …` may stand beside a `Worker 0:  actual time=…` of the same worker: one object for both.
  private mutating func addToWorker(_ text: ByteText, node: Int, _ line: PlanSource.Line) throws(PlanError) {
    let members =
      if let numbers = text.after("actual ") {
        try NodeLine.actual(numbers, line.number)
      } else {
        try property(text, of: node, line)
      }
    guard var added = drafts[node].workers.popLast() else { return }
    added.members += members
    if let known = drafts[node].workers.firstIndex(where: { $0.number == added.number }) {
      drafts[node].workers[known].members += added.members
      let whole = drafts[node].workers.remove(at: known)
      drafts[node].workers.append(whole)
    } else {
      drafts[node].workers.append(added)
    }
    setLast(.worker(node))
  }

  private func property(_ text: ByteText, of node: Int, _ line: PlanSource.Line) throws(PlanError) -> Members
  {
    let pair = text.split(at: ": ") ?? (text.ends(with: ":") ? (text.dropLast(1), ByteText("")) : nil)
    guard let (key, value) = pair, key.bytes.count <= 60, let first = key.bytes.first,
      (0x41...0x5A).contains(first)
    else {
      throw PlanError(
        "\"\(text.string.prefix(60))\" is neither a node nor a property of one", line: line.number)
    }
    return try PropertyLine.members(
      key.string, value.trimmed, isAggregate: drafts[node].type == "Aggregate", line: line.number)
  }

  // MARK: Texts over several lines

  private var lastText: String? {
    switch last {
    case .none: nil
    case .node(let node): drafts[node].members.last?.value.text
    case .worker(let node): drafts[node].workers.last?.members.last?.value.text
    }
  }

  private mutating func setLast(_ place: Last) {
    last = place
    hasOpenQuote = lastText.map { Self.hasOddQuotes(ByteText($0)) } ?? false
  }

  private static func hasOddQuotes(_ text: ByteText) -> Bool {
    !text.bytes.count { $0 == 0x27 }.isMultiple(of: 2)
  }

  /// Only the new line is looked at, so that a literal of many lines takes no longer than they are long.
  private mutating func goOn(_ text: ByteText) {
    guard longText != nil || lastText != nil else { return }
    if longText == nil { longText = lastText }
    longText?.append("\n" + text.string)
    if Self.hasOddQuotes(text) { hasOpenQuote.toggle() }
  }

  private mutating func endLongText() {
    guard let text = longText else { return }
    longText = nil
    switch last {
    case .none: break
    case .node(let node):
      let place = drafts[node].members.count - 1
      drafts[node].members[place].value = .string(text)
    case .worker(let node):
      let place = drafts[node].workers.count - 1
      let member = drafts[node].workers[place].members.count - 1
      drafts[node].workers[place].members[member].value = .string(text)
    }
  }
}
