import TestSupport
import Testing

@testable import Advice

/// Costs from a table: each statement costs what its best index leaves of it; some need two.
final class CostModel: CostSource {
  let problem: ChoiceProblem
  /// What remains of a statement's cost by which index.
  let remaining: [[Int: Double]]
  private(set) var asked = 0
  var plansMax = Int.max

  init(_ problem: ChoiceProblem, remaining: [[Int: Double]]) {
    self.problem = problem
    self.remaining = remaining
  }

  var mayGoOn: Bool { asked < plansMax }
  var mustEnd: Bool { asked >= plansMax && asked > plansMax / 2 * 3 }

  func cost(query: Int, indexes: IndexSet) throws -> PlannedCost {
    asked += 1
    let best = remaining[query].filter { indexes.contains($0.key) }.min {
      ($0.value, $0.key) < ($1.value, $1.key)
    }
    guard let best else { return problem.queries[query].before }
    return PlannedCost(cost: problem.queries[query].before.cost * best.value, used: IndexSet([best.key]))
  }
}

@Suite struct ChoiceTests {
  private static func problem(
    sizes: [Int64], remaining: [[Int: Double]], weights: [Double]? = nil,
    limits: ChoiceLimits = ChoiceLimits(),
    objective: Objective = .ratio
  ) -> (ChoiceProblem, CostModel) {
    let queries = remaining.enumerated().map { number, effects in
      ChoiceProblem.Query(
        weight: weights?[number] ?? 1, before: PlannedCost(cost: 1000), relevant: IndexSet(effects.keys))
    }
    let items = sizes.enumerated().map { item, size in
      ChoiceProblem.Item(
        sizeBytes: size, pickedBy: Set(remaining.indices.filter { remaining[$0][item] != nil }))
    }
    let problem = ChoiceProblem(queries: queries, items: items, limits: limits, objective: objective)
    return (problem, CostModel(problem, remaining: remaining))
  }

  private func choose(_ made: (ChoiceProblem, CostModel)) throws -> Chooser.Chosen {
    try Chooser(made.0, made.1).choose()
  }

  @Test func takesWhatBringsMostAndFits() throws {
    let remaining: [[Int: Double]] = [[0: 0.1, 2: 0.05], [1: 0.5, 2: 0.4]]
    let all = try choose(Self.problem(sizes: [10, 10, 100], remaining: remaining))
    #expect(all.indexes == IndexSet([2]))
    let small = ChoiceLimits(bytes: 50)
    let fitting = try choose(Self.problem(sizes: [10, 10, 100], remaining: remaining, limits: small))
    #expect(fitting.indexes == IndexSet([0, 1]))
    let one = ChoiceLimits(bytes: 50, indexes: 1)
    let single = try choose(Self.problem(sizes: [10, 10, 100], remaining: remaining, limits: one))
    #expect(single.indexes == IndexSet([0]))
    let none = try choose(
      Self.problem(sizes: [10, 10, 100], remaining: remaining, limits: ChoiceLimits(bytes: 9)))
    #expect(none.indexes.isEmpty)
  }

  @Test func leavesOutWhatSavesTooLittle() throws {
    let little = try choose(Self.problem(sizes: [10], remaining: [[0: 0.95]]))
    #expect(little.indexes.isEmpty)
    var upkeep = Self.problem(sizes: [10], remaining: [[0: 0.5]], objective: .time)
    upkeep.0.items[0].upkeep = 0.6
    let dear = try choose(upkeep)
    #expect(dear.indexes.isEmpty)
    upkeep.0.items[0].upkeep = 0.1
    let cheap = try choose(upkeep)
    #expect(cheap.indexes == IndexSet([0]))
  }

  @Test func writesPayForTheirIndexes() throws {
    var made = Self.problem(sizes: [10], remaining: [[0: 0.5], [:]])
    made.0.queries[1].upkeep = [0: 2000]
    let chosen = try choose(made)
    #expect(chosen.indexes.isEmpty)
    made.0.queries[1].upkeep = [0: 10]
    let cheap = try choose(made)
    #expect(cheap.indexes == IndexSet([0]))
    #expect(cheap.costs[1].cost == 1010)
  }

  @Test func timeCountsWhereItIsKnown() throws {
    let remaining: [[Int: Double]] = [[0: 0.5], [1: 0.001]]
    let limits = ChoiceLimits(indexes: 1)
    let time = try choose(
      Self.problem(
        sizes: [10, 10], remaining: remaining, weights: [100, 1], limits: limits, objective: .time))
    #expect(time.indexes == IndexSet([0]))
    let ratio = try choose(Self.problem(sizes: [10, 10], remaining: remaining, limits: limits))
    #expect(ratio.indexes == IndexSet([1]))
  }

  @Test func aWholeIndexTakesThePlaceOfAPartialOneThatIsNotMuchBetter() throws {
    var made = Self.problem(sizes: [10, 20], remaining: [[0: 0.1, 1: 0.1001]])
    made.0.preferred = [0: 1]
    let chosen = try choose(made)
    #expect(chosen.indexes == IndexSet([1]))
    made.0.items[1].sizeBytes = 1 << 30
    let large = try choose(made)
    #expect(large.indexes == IndexSet([0]))
  }

  @Test(arguments: seeds(fresh: 200)) func keepsTheBudgetAndIsNeverWorseThanNothing(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let items = Int.random(in: 1...30, using: &random)
    let sizes = (0..<items).map { _ in Int64.random(in: 1...1000, using: &random) }
    let remaining = (0..<Int.random(in: 1...12, using: &random)).map { _ in
      Dictionary(
        (0..<Int.random(in: 0...6, using: &random)).map { _ in
          (Int.random(in: 0..<items, using: &random), Double.random(in: 0.001...1.2, using: &random))
        }
      ) { first, _ in first }
    }
    let limits = ChoiceLimits(
      bytes: Int64.random(in: 0...3000, using: &random), indexes: Int.random(in: 0...8, using: &random))
    let made = Self.problem(sizes: sizes, remaining: remaining, limits: limits)
    made.1.plansMax = Int.random(in: 0...400, using: &random)
    let chosen = try choose(made)
    #expect(made.0.fits(chosen.indexes), "seed \(seed)")
    #expect(chosen.loss <= 1e-9, "seed \(seed)")
  }

  @Test(arguments: seeds(fresh: 100)) func aLargerBudgetIsNeverWorse(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let items = Int.random(in: 1...7, using: &random)
    let sizes = (0..<items).map { _ in Int64.random(in: 1...100, using: &random) }
    let remaining = (0..<5).map { _ in
      Dictionary(
        (0..<3).map { _ in
          (Int.random(in: 0..<items, using: &random), Double.random(in: 0.001...1, using: &random))
        }
      ) { first, _ in first }
    }
    var last = Double.infinity
    for bytes in stride(from: Int64(0), through: 400, by: 20) {
      let chosen = try choose(
        Self.problem(sizes: sizes, remaining: remaining, limits: ChoiceLimits(bytes: bytes)))
      #expect(chosen.loss <= last + 1e-12, "seed \(seed), \(bytes) bytes")
      last = chosen.loss
    }
  }

  @Test func plansThatUseNothingNewAreNotAskedForAgain() throws {
    let made = Self.problem(sizes: [1, 1, 1], remaining: [[0: 0.5, 1: 0.6, 2: 0.7]])
    _ = try choose(made)
    // All eight sets are looked at; those in which the best is there are one plan.
    #expect(made.1.asked < 7)
  }
}
