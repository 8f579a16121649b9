extension Catalog {
  /// The expressions whose statistics the planner takes from an index, with their statistics targets. It takes none from one
  /// that is not valid or that has a WHERE clause (`get_relation_info` in plancat.c, `examine_variable` in selfuncs.c).
  func expressionTargets(of index: Index) -> [ExactText: Int32] {
    guard index.isWhole, index.predicate == nil else { return [:] }
    var targets: [ExactText: Int32] = [:]
    for (position, key) in index.keys.enumerated() {
      guard let expression = key.expression else { continue }
      let target = index.statisticsTargets[Int16(clamping: position + 1)] ?? facts.statisticsTarget
      targets[expression] = max(targets[expression] ?? 0, target)
    }
    return targets.filter { $0.value > 0 }
  }

  /// Whether the planner would know less of an expression if it had only the others.
  func feedsPlanner(_ index: Index, beside others: [Index]) -> Bool {
    let given = others.map { expressionTargets(of: $0) }
    return expressionTargets(of: index).contains { expression, target in
      !given.contains { ($0[expression] ?? -1) >= target }
    }
  }
}
