/// What is known beyond the plan, from the server that made it.
public struct PlanContext: Sendable {
  /// Why the statistics of a table are too old, by `schema.table`, or `table` where the plan tells no schema.
  public var staleTables: [String: String]
  /// As one number: 150020 is 15.20; nil for a plan from a file.
  public var serverVersion: Int?

  public init(staleTables: [String: String] = [:], serverVersion: Int? = nil) {
    self.staleTables = staleTables
    self.serverVersion = serverVersion
  }
}

/// Goes through a plan and says what makes the statement slow: the causes, and apart from them what follows from a cause.
public struct PlanReview: Sendable {
  let analysis: PlanAnalysis
  let context: PlanContext
  let limits: PlanThresholds

  public init(
    _ analysis: PlanAnalysis, context: PlanContext = PlanContext(),
    thresholds: PlanThresholds = PlanThresholds()
  ) {
    self.analysis = analysis
    self.context = context
    limits = thresholds
  }

  /// Root causes first, and of equals what takes longest.
  public func findings() -> [PlanFinding] {
    let found: [PlanFinding]
    if analysis.isAnalyzed {
      guard max(analysis.totalTime ?? .infinity, analysis.plan.planningTime ?? 0) >= limits.statementTime
      else { return [] }
      let symptoms = scans() + joins() + spills() + statementWide()
      found = rank(symptoms + estimates(symptoms))
    } else {
      found = expectedScans()
    }
    // `sorted` keeps no order of equals, so the place in the plan decides.
    return found.enumerated().sorted { a, b in
      if a.element.isRootCause != b.element.isRootCause { return a.element.isRootCause }
      if a.element.weight != b.element.weight { return a.element.weight > b.element.weight }
      return a.offset < b.offset
    }.map(\.element)
  }

  // MARK: Who explains whom

  private func rank(_ found: [PlanFinding]) -> [PlanFinding] {
    var found = found
    for index in found.indices {
      found[index].isRootCause = !isExplained(found[index], by: found)
      guard found[index].isRootCause, let scan = scanBehind(found[index], found) else { continue }
      found[index].isRootCause = false
      found[index].scanBehind = scan
    }
    // What is slow of itself is a cause only where nothing else is; a scan that an index may spare is not.
    let weak: Set<PlanFinding.Code> = [.seqScan, .workersMissing, .readsFromDisk]
    let hasStrong = found.contains { $0.isRootCause && !weak.contains($0.code) }
    for index in found.indices where weak.contains(found[index].code) && found[index].wish == nil && hasStrong
    {
      found[index].isRootCause = false
    }
    return found
  }

  private func isExplained(_ finding: PlanFinding, by all: [PlanFinding]) -> Bool {
    switch finding.code {
    case .estimateWrong:
      guard let entry = finding.entry else { return false }
      if all.contains(where: { $0.code == .staleStatistics && $0.entry == entry }) { return true }
      // An error that has done no harm is worth telling, but is no cause.
      let others = all.filter { $0.code != .estimateWrong && $0.code != .staleStatistics }
      return others.isEmpty ? !canHarm(entry) : !others.contains { explains(entry, $0) }
    case .staleStatistics: return false
    default:
      if all.contains(where: { $0.code == .estimateWrong && $0.entry.map { explains($0, finding) } ?? false })
      {
        return true
      }
      guard [.nestedLoop, .joinDiscards, .subplanPerRow].contains(finding.code), let entry = finding.entry
      else {
        return false
      }
      let below = Set(analysis.below(entry))
      return all.contains {
        [.scanDiscards, .joinDiscards].contains($0.code) && $0.entry.map(below.contains) ?? false
          // The pairs that are compared for nothing are those of its many runs.
          || finding.code == .nestedLoop && $0.code == .joinDiscards && $0.entry == entry
      }
    }
  }

  /// The scan for want of an index whose rows a hash table or a sort could not hold: with the index there are few.
  private func scanBehind(_ finding: PlanFinding, _ all: [PlanFinding]) -> Int? {
    guard [.hashSpills, .sortSpills].contains(finding.code), let entry = finding.entry else { return nil }
    return all.first { $0.code == .seqScan && $0.wish != nil && $0.entry.map { consumer(of: $0) } == entry }?
      .entry
  }

  /// Whether a node above may have been chosen, or given its memory, by the estimate of this one.
  private func canHarm(_ entry: Int) -> Bool {
    var place = analysis.entries[entry].runFrom
    while let above = place {
      let node = analysis.entries[above].node
      switch node.type {
      case "Nested Loop", "Hash Join", "Merge Join", "Sort", "Incremental Sort", "Hash": return true
      case "Aggregate", "SetOp":
        if node.text("Strategy") == "Hashed" { return true }
      default: break
      }
      place = analysis.entries[above].runFrom
    }
    return false
  }

  /// Whether a wrong estimate made the planner choose what a finding is about.
  private func explains(_ origin: Int, _ finding: PlanFinding) -> Bool {
    guard let entry = finding.entry, let error = analysis.entries[origin].estimateError, error > 1 else {
      return false
    }
    switch finding.code {
    // Few rows were expected from the outer side.
    case .nestedLoop, .joinDiscards: return outer(of: entry).contains(origin)
    case .scanDiscards:
      guard let loop = loop(running: entry) else { return false }
      return outer(of: loop).contains(origin)
    // A small table, or few groups, were expected.
    case .hashSpills: return entry == origin || analysis.below(entry).contains(origin)
    default: return false
    }
  }

  private func outer(of loop: Int) -> [Int] {
    analysis.entries[loop].children.prefix(1).flatMap { [$0] + analysis.below($0) }
  }

  /// The nested loop on whose inner side a node was run many times.
  private func loop(running entry: Int) -> Int? {
    guard let loops = analysis.entries[entry].node.actual?.loops, loops >= limits.discardRatio else {
      return nil
    }
    var place = entry
    while let above = analysis.entries[place].parent {
      if analysis.entries[above].node.type == "Nested Loop",
        analysis.entries[place].node.relationship == "Inner"
      {
        return above
      }
      place = above
    }
    return nil
  }

  // MARK: What rules share

  func label(_ index: Int) -> String { analysis.entries[index].node.label }

  /// Whether a node, or the one above it, takes enough time to be looked at.
  func matters(_ index: Int) -> Bool {
    guard analysis.totalTime != nil else { return true }
    let above = analysis.entries[index].parent
    return analysis.timeShare(index) >= limits.nodeShare
      || above.map { analysis.ownTimeShare($0) >= limits.nodeShare } ?? false
  }

  func ownTime(_ index: Int) -> Double { analysis.entries[index].ownTime ?? analysis.entries[index].ownCost }

  /// `12 ms, 45 % of the time`
  func timeText(_ time: Double?) -> String {
    guard let time, let total = analysis.totalTime, total > 0 else { return "" }
    return " (\(PlanNumbers.time(time)), \(PlanNumbers.share(time / total)) of the time)"
  }
}
