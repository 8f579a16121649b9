/// Chooses indexes: greedy by benefit per byte, from several notions of what a byte is worth, then exchanges while it pays.
///
/// Kossmann et al., "Magic mirror in my hand" (PVLDB 13(11)) compare such searches; this one is Extend's measure over
/// DTA's seeds, the indexes that the planner picks for each statement when it may have all of them.
public struct Chooser {
  private let problem: ChoiceProblem
  private let table: CostTable
  private let source: any CostSource

  public init(_ problem: ChoiceProblem, _ source: any CostSource) {
    self.problem = problem
    self.source = source
    table = CostTable(problem, source)
  }

  /// The most plans that the exchange may ask for; greedy has found most of what there is.
  private static let exchangePlans = 1500

  /// What was chosen.
  public struct Chosen: Sendable {
    public var indexes: IndexSet
    /// Each statement's cost, upkeep included, and the indexes that its plan uses.
    public var costs: [PlannedCost]
    /// What each index saves each statement that uses it, for one call; against all of them where there was no time for more.
    public var savings: [Int: [Int: Double]]
    public var loss: Double
    /// How often a plan was asked for.
    public var plans: Int
    /// Whether time ran out before every index had been looked at.
    public var isCutShort: Bool
  }

  /// - Throws: what the source throws.
  public func choose() throws -> Chosen {
    if problem.items.count <= Self.exhaustiveItems, let best = try exhaustive() {
      return try chosen(try generalised(best), isCutShort: false)
    }
    var best = IndexSet()
    var bestLoss = try table.loss(best)
    var isCutShort = false
    // The exponent of the size: benefit alone, and where room is short a compromise and benefit per byte.
    for exponent in problem.limits.bytes < .max ? [0.0, 0.5, 1.0] : [0.0] {
      let set = try pruned(try greedy(exponent))
      if exponent == 0 { isCutShort = !source.mayGoOn }
      let loss = try table.loss(set)
      if loss < bestLoss { (best, bestLoss) = (set, loss) }
      if !source.mayGoOn { break }
    }
    return try chosen(try generalised(try pruned(try exchanged(best))), isCutShort: isCutShort)
  }

  private func chosen(_ best: IndexSet, isCutShort: Bool) throws -> Chosen {
    let costs = try problem.queries.indices.map { query in
      var planned = try table.planned(query, with: best)
      planned.cost += table.upkeep(query, of: best)
      return planned
    }
    var savings: [Int: [Int: Double]] = [:]
    for (query, planned) in costs.enumerated() {
      for item in planned.used.members {
        let without = source.mustEnd ? IndexSet() : best.subtracting(IndexSet([item]))
        savings[item, default: [:]][query] = max(0, try table.told(query, with: without) - planned.cost)
      }
    }
    return Chosen(
      indexes: best, costs: costs, savings: savings, loss: try table.loss(best), plans: table.asked,
      isCutShort: isCutShort)
  }

  // MARK: All sets

  /// Of as many indexes every set is looked at.
  private static let exhaustiveItems = 8

  /// The best set of all of which each index pays; nil where the time is not enough.
  private func exhaustive() throws -> IndexSet? {
    var sets: [(set: IndexSet, loss: Double)] = []
    // The largest first: what a plan leaves unused need not be asked for without it.
    for bits in (0..<(1 << problem.items.count)).reversed() {
      let set = IndexSet(problem.items.indices.filter { bits & (1 << $0) != 0 })
      guard problem.fits(set) else { continue }
      guard source.mayGoOn else { return nil }
      sets.append((set, try table.loss(set)))
    }
    // Of equals the smaller one.
    sets.sort { ($0.loss, problem.sizeBytes($0.set)) < ($1.loss, problem.sizeBytes($1.set)) }
    return try sets.first { try pruned($0.set) == $0.set }?.set
  }

  // MARK: Greedy

  private var moves: [IndexSet] {
    var seen: Set<IndexSet> = []
    let all = problem.items.indices.map { IndexSet([$0]) } + problem.bundles
    return all.filter { !$0.isEmpty && seen.insert($0).inserted }
  }

  /// Takes what brings most, as long as anything does. A move's gain only shrinks as others are taken, nearly always: so the
  /// last known gain is a bound, and only the best by it are looked at again.
  private func greedy(_ exponent: Double) throws -> IndexSet {
    var set = IndexSet()
    var loss = try table.loss(set)
    var bounds = try moves.map { (move: $0, score: source.mayGoOn ? try hoped($0, exponent) : 0) }
    while true {
      var best: (set: IndexSet, loss: Double, score: Double)?
      bounds.sort { $0.score > $1.score }
      guard source.mayGoOn else { return filled(set, bounds.map(\.move)) }
      for position in bounds.indices {
        if let best, bounds[position].score <= best.score { break }
        let extended = set.union(bounds[position].move)
        guard extended != set, problem.fits(extended) else { continue }
        let reached = try table.loss(extended)
        let score = self.score(loss - reached, extended.subtracting(set), exponent)
        bounds[position].score = score
        if loss - reached >= problem.limits.gainMin, score > best?.score ?? 0 {
          best = (extended, reached, score)
        }
        guard source.mayGoOn else { break }
      }
      guard let best else { break }
      (set, loss) = (best.set, best.loss)
    }
    return set
  }

  /// With as many of the moves as fit, the most hopeful first: when there is no time left to ask, the best guess is
  /// better than nothing.
  private func filled(_ start: IndexSet, _ moves: [IndexSet]) -> IndexSet {
    moves.reduce(start) { set, move in
      let extended = set.union(move)
      return problem.fits(extended) ? extended : set
    }
  }

  /// What a move seems to be worth by the statements for which the planner picked it, doubled for those that it was
  /// not tried on. To ask for all would be most of the work.
  private func hoped(_ move: IndexSet, _ exponent: Double) throws -> Double {
    let queries = Set(move.members.flatMap { problem.items[$0].pickedBy })
    let gain = try queries.reduce(0) {
      $0 + (try table.share($1, with: IndexSet()) - table.share($1, with: move))
    }
    return score(2 * gain, move, exponent)
  }

  private func score(_ gain: Double, _ added: IndexSet, _ exponent: Double) -> Double {
    gain / power(max(8192, Double(problem.sizeBytes(added))), exponent)
  }

  // MARK: Exchange

  /// Without what saves too little.
  private func pruned(_ set: IndexSet) throws -> IndexSet {
    var set = set
    while !source.mustEnd {
      let loss = try table.loss(set)
      let rises = try set.members.map { item in
        (item, rise: try table.loss(set.subtracting(IndexSet([item]))) - loss)
      }
      let useless = try rises.filter { item, rise in
        try rise < problem.limits.gainMin || !(try savesEnough(item, set))
      }.min { $0.rise < $1.rise }
      guard let useless else { return set }
      set = set.subtracting(IndexSet([useless.0]))
    }
    return set
  }

  /// Whether some statement costs much more without it.
  private func savesEnough(_ item: Int, _ set: IndexSet) throws -> Bool {
    let without = set.subtracting(IndexSet([item]))
    for query in problem.queries.indices where problem.queries[query].relevant.contains(item) {
      let (a, b) = (try table.cost(query, with: without), try table.cost(query, with: set))
      if a - b >= max(problem.limits.costGainMin, problem.limits.queryGainMin * a) { return true }
    }
    return false
  }

  /// Puts one in another's place, or adds one, as long as it makes the loss smaller.
  private func exchanged(_ start: IndexSet) throws -> IndexSet {
    var set = start
    var loss = try table.loss(set)
    var improved = true
    let plansMax = table.asked + Self.exchangePlans
    while improved, source.mayGoOn, table.asked < plansMax {
      improved = false
      for move in moves {
        let extended = set.union(move)
        guard extended != set else { continue }
        if let better = try bestExchange(of: set, loss, adding: move) {
          (set, loss) = better
          improved = true
        }
        guard source.mayGoOn, table.asked < plansMax else { break }
      }
    }
    return set
  }

  /// Puts an index that serves more in the place of one that brings no more and is not much smaller.
  private func generalised(_ start: IndexSet) throws -> IndexSet {
    var set = start
    for (item, preferred) in problem.preferred.sorted(by: { $0.key < $1.key }) where set.contains(item) {
      let exchanged = set.subtracting(IndexSet([item])).union(IndexSet([preferred]))
      let (small, large) = (problem.items[item].sizeBytes, problem.items[preferred].sizeBytes)
      guard !source.mustEnd, problem.fits(exchanged), large <= ChoiceProblem.smallBytes || large / 4 <= small,
        try table.loss(exchanged) - table.loss(set) < problem.limits.gainMin
      else { continue }
      set = exchanged
    }
    return set
  }

  private func bestExchange(
    of set: IndexSet, _ loss: Double, adding move: IndexSet
  ) throws -> (IndexSet, Double)? {
    let extended = set.union(move)
    var best: (IndexSet, Double)?
    // With all of them the loss is smallest: when that is no gain, no exchange is one.
    guard try loss - table.loss(extended) >= problem.limits.gainMin / 2 else { return nil }
    if problem.fits(extended) { best = (extended, try table.loss(extended)) }
    let removable = set.subtracting(move).members
    for first in removable {
      let without = extended.subtracting(IndexSet([first]))
      if problem.fits(without) {
        let reached = try table.loss(without)
        if loss - reached >= problem.limits.gainMin / 2, reached < best?.1 ?? .infinity {
          best = (without, reached)
        }
        continue
      }
      for second in removable where second > first {
        let less = without.subtracting(IndexSet([second]))
        guard problem.fits(less) else { continue }
        let reached = try table.loss(less)
        if loss - reached >= problem.limits.gainMin / 2, reached < best?.1 ?? .infinity {
          best = (less, reached)
        }
      }
      guard source.mayGoOn else { break }
    }
    return best
  }
}
