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
    var parent: Int?
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

  private var drafts: [Draft] = []
  private var open: [Open] = []
  private var rootColumn = 0
  private var last = Last.none
  private var worker: (node: Int, column: Int)?
  private var summary = PlanSummary()

  static func document(_ lines: [PlanSource.Line]) throws(PlanError) -> JSON {
    var reader = TextPlanReader()
    var goesOn = false
    for line in lines {
      try reader.read(line, isContinued: goesOn)
      goesOn = line.goesOn
    }
    guard !reader.drafts.isEmpty else { throw PlanError("no node of a plan", line: lines.last?.number ?? 0) }
    return .object([("Plan", reader.tree())] + reader.summary.members)
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
    if text.starts(with: "->") {
      let name = text.dropFirst(2).trimmed
      return try addNode(name, column: column, line)
    }
    if column <= rootColumn {
      worker = nil
      last = .none
      return try summary.begin(text, column, line.number)
    }
    if summary.isOpen { return try summary.goOn(text, line.number) }
    try readBelowNode(text, column, line)
  }

  private mutating func readBeforeRoot(_ line: PlanSource.Line, _ column: Int, _ text: ByteText)
    throws(PlanError)
  {
    let node = try? NodeLine(text, line: line.number)
    if node?.isCertain != true || text.starts(with: "Query Text:") {
      if let query = text.after("Query Text:") {
        summary.query = query.trimmed.string
        return
      }
      if text.starts(with: "Query Parameters:") { return }
      if let query = summary.query {
        summary.query = query + "\n" + line.text.string
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
    var members = node.members
    let index = drafts.count
    var parent: Int?
    if !drafts.isEmpty {
      while let top = open.last, top.column >= column { open.removeLast() }
      guard let above = open.last else { throw PlanError("a second root", line: line.number) }
      parent = above.node
      drafts[above.node].children.append(index)
      let siblings = drafts[above.node].children.count { !drafts[safe: $0, has: "Subplan Name"] }
      if let name = above.subplan {
        members.append(("Subplan Name", .string(name)))
        members.append(("Parent Relationship", name.hasPrefix("SubPlan") ? "SubPlan" : "InitPlan"))
      } else {
        members.append(("Parent Relationship", .string(relationship(above.node, siblings))))
      }
    }
    drafts.append(Draft(members: members, parent: parent))
    open.append(Open(column: column, node: index))
    guard open.count <= 2 * Plan.depthMax, drafts.count <= Plan.nodesMax else {
      throw PlanError("too many nodes, or too deep", line: line.number)
    }
    last = .none
  }

  private func type(_ node: Int) -> String {
    drafts[node].members.first { $0.key == "Node Type" }?.value.text ?? ""
  }

  private func relationship(_ parent: Int, _ siblings: Int) -> String {
    switch type(parent) {
    case "Append", "Merge Append", "BitmapAnd", "BitmapOr": "Member"
    case "Subquery Scan": "Subquery"
    default: siblings == 2 ? "Inner" : "Outer"
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
      drafts[owner.node].workers.append((number: Int(min(number, 1e6)), members: []))
      worker = (owner.node, column)
      let first = more.trimmed
      return first.isEmpty ? () : try addToWorker(first, node: owner.node, line)
    }
    drafts[owner.node].members += try property(text, of: owner.node, line)
    last = .node(owner.node)
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
    last = .worker(node)
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
      key.string, value.trimmed, isAggregate: type(node) == "Aggregate", line: line.number)
  }

  // MARK: Texts over several lines

  private var lastText: String? {
    switch last {
    case .none: nil
    case .node(let node): drafts[node].members.last?.value.text
    case .worker(let node): drafts[node].workers.last?.members.last?.value.text
    }
  }

  /// Whether a literal of the last property is not closed yet: it holds a line break.
  private var hasOpenQuote: Bool {
    guard let text = lastText else { return false }
    return !text.utf8.count { $0 == 0x27 }.isMultiple(of: 2)
  }

  private mutating func goOn(_ text: ByteText) {
    guard let known = lastText else { return }
    let whole = JSON.string(known + "\n" + text.string)
    switch last {
    case .none: break
    case .node(let node):
      let place = drafts[node].members.count - 1
      drafts[node].members[place].value = whole
    case .worker(let node):
      let place = drafts[node].workers.count - 1
      let member = drafts[node].workers[place].members.count - 1
      drafts[node].workers[place].members[member].value = whole
    }
  }
}

extension [TextPlanReader.Draft] {
  /// Whether a draft that exists already has a member.
  fileprivate subscript(safe index: Int, has key: String) -> Bool {
    index < count && self[index].members.contains { $0.key == key }
  }
}
