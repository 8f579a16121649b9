/// Remembers costs, and derives those that need no asking: when a plan that was made with many indexes uses only some, the
/// planner makes the same plan wherever those are there and no others than those.
final class CostTable {
  private struct Entry {
    let given: IndexSet
    let planned: PlannedCost
  }

  private let problem: ChoiceProblem
  private let source: any CostSource
  private let weights: Double
  private var exact: [[IndexSet: PlannedCost]]
  private var entries: [[Entry]]
  /// How often the source was asked.
  private(set) var asked = 0

  init(_ problem: ChoiceProblem, _ source: any CostSource) {
    self.problem = problem
    self.source = source
    weights = problem.queries.reduce(0) { $0 + max(0, $1.weight) }
    exact = Array(repeating: [:], count: problem.queries.count)
    entries = Array(repeating: [], count: problem.queries.count)
  }

  func planned(_ query: Int, with indexes: IndexSet) throws -> PlannedCost {
    let given = indexes.intersection(problem.queries[query].relevant)
    if let known = exact[query][given] { return known }
    let derived = entries[query].first { $0.planned.used.isSubset(of: given) && given.isSubset(of: $0.given) }
    if let derived {
      exact[query][given] = derived.planned
      return derived.planned
    }
    asked += 1
    let planned =
      given.isEmpty ? problem.queries[query].before : try source.cost(query: query, indexes: given)
    exact[query][given] = planned
    entries[query].append(Entry(given: given, planned: planned))
    return planned
  }

  /// What a choice goes by, with what the statement pays for the upkeep of indexes.
  func cost(_ query: Int, with indexes: IndexSet) throws -> Double {
    try planned(query, with: indexes).weighed + upkeep(query, of: indexes)
  }

  /// What the planner says, with the same upkeep.
  func told(_ query: Int, with indexes: IndexSet) throws -> Double {
    try planned(query, with: indexes).cost + upkeep(query, of: indexes)
  }

  func upkeep(_ query: Int, of indexes: IndexSet) -> Double {
    problem.queries[query].upkeep.reduce(0) { indexes.contains($1.key) ? $0 + $1.value : $0 }
  }

  /// What one statement adds to the loss.
  func share(_ query: Int, with indexes: IndexSet) throws -> Double {
    let facts = problem.queries[query]
    let before = facts.before.weighed
    guard facts.weight > 0, before > 0, weights > 0 else { return 0 }
    // Below some page reads nothing is a difference.
    let floor = min(problem.limits.costGainMin, before)
    let ratio = max(try cost(query, with: indexes), floor) / before
    return facts.weight * problem.objective.loss(ratio) / weights
  }

  /// The weighted mean of what is lost with these indexes.
  func loss(_ indexes: IndexSet) throws -> Double {
    let upkeep = indexes.members.reduce(0) { $0 + problem.items[$1].upkeep }
    return try problem.queries.indices.reduce(upkeep) { $0 + (try share($1, with: indexes)) }
  }
}
