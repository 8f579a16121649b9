import Primitives

/// A plan with what each node took by itself.
///
/// Times are of the clock on the wall: a node that three processes ran at the same time took a third of its summed time. What a
/// CTE took counts where it is read, and what an InitPlan took where its result is used, because the server runs both there and
/// not where the plan prints them; so every millisecond counts once.
public struct PlanAnalysis: Sendable {
  public let plan: Plan
  /// In the order of the plan; the first is the root.
  public private(set) var entries: [Entry]
  /// What each node ran, in the order of the plan.
  private var ran: [[Int]] = []
  /// Where what is below a node ends in the order of the plan.
  private var ends: [Int] = []
  /// The scans of CTEs, by the name of the CTE.
  private var scans: [String: [Int]] = [:]

  /// A node and what was worked out of it.
  public struct Entry: Sendable {
    public let node: PlanNode
    public let depth: Int
    /// The node above it in the plan.
    public let parent: Int?
    public fileprivate(set) var children: [Int] = []
    /// Where it was run from; the parent, but for a CTE or an InitPlan.
    public fileprivate(set) var runFrom: Int?
    /// Milliseconds with all that it ran; nil without times.
    public fileprivate(set) var time: Double?
    /// Milliseconds by itself.
    public fileprivate(set) var ownTime: Double?
    /// What the planner expects to pay for it and all below, and for it alone, in what the whole plan costs.
    public fileprivate(set) var cost = 0.0
    public fileprivate(set) var ownCost = 0.0
    public fileprivate(set) var ownBuffers = BufferUse()
    /// How many processes ran it at the same time.
    public fileprivate(set) var processes = 1.0
    /// What the planner expects in one process, where fewer processes ran it than were planned.
    fileprivate var shareOfProcess = 1.0
    /// Whether the node above may have stopped it before its end, so that few rows prove no estimate wrong.
    public fileprivate(set) var mayStopEarly = false

    /// Rows in all loops; nil without ANALYZE.
    public var rows: Double? { node.actual.map { $0.rows * $0.loops } }
    /// What the planner expects per loop, of the processes that there were.
    public var rowsExpected: Double { node.rowsEstimated * shareOfProcess }
    public var isNeverExecuted: Bool { node.actual.map { $0.loops == 0 } ?? false }

    /// How many times more rows came than were expected (10), or fewer (0.1), per loop; nil where nothing can be said. Both
    /// are taken for at least one, as the planner does.
    public var estimateError: Double? {
      guard let actual = node.actual, actual.loops > 0, !Self.uncounted.contains(node.type) else {
        return nil
      }
      if node.type == "ModifyTable" { return nil }
      let error = max(1, actual.rows) / max(1, rowsExpected)
      return error < 1 && mayStopEarly ? nil : error
    }

    /// They print 0 rows, whatever they find.
    private static let uncounted: Set<String> = ["BitmapAnd", "BitmapOr"]
  }

  public init(_ plan: Plan) {
    self.plan = plan
    entries = []
    flatten(plan.root)
    attribute()
    measure()
    share()
  }

  /// Milliseconds of the statement, without planning; nil without times.
  public var totalTime: Double? { entries[0].time.map { max($0, plan.executionTime ?? 0) } }
  public var isAnalyzed: Bool { entries[0].node.actual != nil }

  /// From 0 to 1: the part of the statement's time that a node took with all that it ran.
  public func timeShare(_ index: Int) -> Double { share(entries[index].time) }
  public func ownTimeShare(_ index: Int) -> Double { share(entries[index].ownTime) }
  private func share(_ time: Double?) -> Double {
    guard let time, let total = totalTime, total > 0 else { return 0 }
    return min(1, time / total)
  }

  // MARK: The tree as a list

  private mutating func flatten(_ root: PlanNode) {
    var open: [(node: PlanNode, depth: Int, parent: Int?)] = [(root, 0, nil)]
    while let (node, depth, parent) = open.popLast() {
      let index = entries.count
      var entry = Entry(node: node, depth: depth, parent: parent)
      if let parent {
        entries[parent].children.append(index)
        entry.processes = processes(below: parent, of: node)
        entry.shareOfProcess = shareOfProcess(of: node, under: parent, processes: entry.processes)
        entry.mayStopEarly = stopsEarly(node, under: parent)
      }
      entries.append(entry)
      if node.type == "CTE Scan", let name = node.text("CTE Name") { scans[name, default: []].append(index) }
      open.append(contentsOf: node.children.reversed().map { ($0, depth + 1, index) })
    }
    ends = Array(1...entries.count)
    for index in entries.indices.reversed() {
      if let last = entries[index].children.last { ends[index] = ends[last] }
    }
  }

  /// A Gather's child ran once in each process for each run of the Gather.
  private func processes(below parent: Int, of child: PlanNode) -> Double {
    let above = entries[parent].node
    guard ["Gather", "Gather Merge"].contains(above.type), child.relationship == "Outer",
      let loops = above.actual?.loops, let inner = child.actual?.loops
    else { return entries[parent].processes }
    return max(1, inner / max(1, loops))
  }

  /// The planner divides the rows of a parallel scan, and of what is above it up to the Gather, by the processes that it plans;
  /// the leader counts for less the more workers there are (costsize.c, `get_parallel_divisor`).
  private func shareOfProcess(of node: PlanNode, under parent: Int, processes: Double) -> Double {
    let above = entries[parent].node
    guard Self.isPartial(node) else { return 1 }
    guard ["Gather", "Gather Merge"].contains(above.type) else { return entries[parent].shareOfProcess }
    let planned = above.real("Workers Planned")
    guard let launched = above[detail: "Workers Launched"].real, launched < planned else { return 1 }
    return (planned + max(0, 1 - 0.3 * planned)) / processes
  }

  /// Whether each process has a part of the rows.
  private static func isPartial(_ node: PlanNode) -> Bool {
    if node[detail: "Parallel Aware"].boolean == true { return true }
    if ["Gather", "Gather Merge"].contains(node.type) { return false }
    let input = node.children.first { ["Outer", "Member", "Subquery"].contains($0.relationship) }
    return input.map(isPartial) ?? false
  }

  private func stopsEarly(_ node: PlanNode, under parent: Int) -> Bool {
    let above = entries[parent].node
    if ["InitPlan", "SubPlan"].contains(node.relationship) { return true }
    switch above.type {
    case "Limit", "Merge Join": return true
    // They read everything before they give the first row.
    case "Sort", "Hash": return false
    case "Aggregate": return above.text("Strategy") == "Sorted" ? entries[parent].mayStopEarly : false
    case "Nested Loop", "Hash Join":
      let stops = ["Semi", "Anti"].contains(above.text("Join Type") ?? "")
      return node.relationship == "Inner" && stops || entries[parent].mayStopEarly
    default: return entries[parent].mayStopEarly
    }
  }

  // MARK: Who ran what

  private mutating func attribute() {
    let isPlain = !entries.contains { $0.node.relationship == "InitPlan" }
    let results = ResultNames(isPlain ? [] : entries.map { Self.expressions($0.node) })
    for index in entries.indices {
      entries[index].runFrom = entries[index].parent
      guard let parent = entries[index].parent, let name = entries[index].node.subplanName,
        entries[index].node.relationship == "InitPlan"
      else { continue }
      if name.hasPrefix("CTE ") {
        entries[index].runFrom = cteScans(of: index).first ?? parent
      } else {
        entries[index].runFrom = user(ofInitPlan: name, index, under: parent, results) ?? parent
      }
    }
    collectRuns()
    // No server prints CTEs that run each other, but a file can hold it.
    if order.count < entries.count {
      for index in entries.indices { entries[index].runFrom = entries[index].parent }
      collectRuns()
    }
  }

  private mutating func collectRuns() {
    ran = Array(repeating: [], count: entries.count)
    for index in entries.indices { if let from = entries[index].runFrom { ran[from].append(index) } }
  }

  /// Every node behind the one that ran it.
  private var order: [Int] {
    var order = [0]
    var next = 0
    while next < order.count {
      order += ran[order[next]]
      next += 1
    }
    return order
  }

  /// What reads a CTE, the one that took longest first: it is the one that had it computed.
  private func cteScans(of cte: Int) -> [Int] {
    guard let parent = entries[cte].parent, let name = entries[cte].node.subplanName?.dropFirst(4) else {
      return []
    }
    let (own, all) = (cte..<ends[cte], below(parent))
    return scans[String(name), default: []].filter { all.contains($0) && !own.contains($0) }
      .sorted { summedTime($0) > summedTime($1) }
  }

  /// The plan of the CTE that a scan reads: the nearest of that name that is visible to it.
  func ctePlan(readBy scan: Int) -> Int? {
    guard entries[scan].node.type == "CTE Scan", let name = entries[scan].node.text("CTE Name") else {
      return nil
    }
    var above = entries[scan].parent
    while let place = above {
      let found = entries[place].children.first { entries[$0].node.subplanName == "CTE \(name)" && $0 < scan }
      if let found { return found }
      above = entries[place].parent
    }
    return nil
  }

  private func summedTime(_ index: Int) -> Double {
    entries[index].node.actual.map { ($0.totalTime ?? 0) * $0.loops } ?? 0
  }

  /// The node whose expressions name the InitPlan's result.
  private func user(ofInitPlan name: String, _ plan: Int, under parent: Int, _ results: ResultNames) -> Int? {
    let names = ResultNames.names(ofInitPlan: name)
    let (all, own) = (parent..<ends[parent], plan..<ends[plan])
    // Expressions are passed up, never down: the deepest that names it computes it.
    let user = results.nodes(naming: names)
      .filter { all.contains($0) && !own.contains($0) && !entries[$0].isNeverExecuted }.max()
    // What workers need is computed before they start. The server says so up to PostgreSQL 16 ("Params Evaluated").
    var runner = user
    var place = user
    while let index = place {
      let node = entries[index].node
      if ["Gather", "Gather Merge"].contains(node.type), index != user,
        names.count == 1
          || node.text("Params Evaluated").map({ ResultNames.names(in: $0).contains(where: names.contains) })
            ?? false
      {
        runner = index
      }
      place = index == parent ? nil : entries[index].parent
    }
    return runner
  }

  /// What a node computes, as far as it says so.
  private static func expressions(_ node: PlanNode) -> [String] {
    node.details.compactMap { key, value in key == "Output" ? nil : value.text }
  }

  /// Everything below a node, in the order of the plan.
  public func below(_ index: Int) -> Range<Int> { index + 1..<ends[index] }

  /// What a node runs, in the order of the plan.
  public func run(by index: Int) -> [Int] { ran[index] }

  // MARK: Times and pages

  private mutating func measure() {
    for index in entries.indices {
      guard let actual = entries[index].node.actual else { continue }
      guard let time = actual.totalTime else {
        entries[index].time = actual.loops == 0 && entries[0].node.actual?.totalTime != nil ? 0 : nil
        continue
      }
      let processes = max(1, min(actual.loops, entries[index].processes))
      let wall = time * actual.loops / processes
      entries[index].time = wall.isFinite ? wall : 0
    }
    for index in entries.indices {
      let inner = ran[index]
      var buffers = BufferUse()
      for child in inner { buffers = buffers + entries[child].node.buffers }
      entries[index].ownBuffers = entries[index].node.buffers.without(buffers)
      guard let time = entries[index].time else { continue }
      let below = inner.reduce(0) { $0 + (entries[$1].time ?? 0) }
      entries[index].ownTime = max(0, time - below)
    }
    for index in entries.indices where entries[index].node.subplanName?.hasPrefix("CTE ") == true {
      chargeCTE(index)
    }
  }

  /// Several scans may have had a CTE computed, each a part of it: none is charged more than it took.
  private mutating func chargeCTE(_ index: Int) {
    guard let total = entries[index].time else { return }
    var rest = total
    for (place, scan) in cteScans(of: index).enumerated() {
      guard let time = entries[scan].time else { continue }
      let paid = min(time, rest)
      rest -= paid
      // The first was charged with all of it above.
      let others = run(by: scan).filter { $0 != index }.reduce(0) { $0 + (entries[$1].time ?? 0) }
      if place == 0 || paid > 0 { entries[scan].ownTime = max(0, time - paid - others) }
    }
  }

  // MARK: Costs

  /// A child's cost is that of one run to its end. Below a Limit less of it is paid, on the inner side of a nested loop more: it
  /// is brought to what the parent pays for it.
  private mutating func share() {
    entries[0].cost = entries[0].node.totalCost
    for index in order {
      let inner = ran[index]
      let total = entries[index].cost
      var wanted = inner.map { child -> Double in
        let node = entries[child].node
        var runs = 1.0
        if entries[index].node.type == "Nested Loop", node.relationship == "Inner" {
          runs = max(1, entries[index].node.children.first?.rowsEstimated ?? 1)
        }
        let cost = node.totalCost * runs
        return cost.isFinite ? max(0, cost) : 0
      }
      let sum = wanted.reduce(0, +)
      if sum > total, sum > 0 { wanted = wanted.map { $0 / sum * total } }
      for (place, child) in inner.enumerated() { entries[child].cost = wanted[place] }
      entries[index].ownCost = max(0, total - wanted.reduce(0, +))
    }
  }
}
