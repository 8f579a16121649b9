internal import Plans
internal import Primitives
internal import SQLSyntax

/// Tries conditions that compare columns themselves, where the statement compares what is made of them (`at::date = …`). The
/// statement cannot be rewritten from its plan; the reading of its table can.
struct BareProof {
  private let trial: IndexTrial
  private let tables: WishedTables

  init(_ trial: IndexTrial, _ tables: WishedTables) {
    self.trial = trial
    self.tables = tables
  }

  /// What to write, which index is then of use, and what part of the reading's cost is left.
  struct Step {
    let text: String
    let gain: IndexProof.Gain
    let rest: Double
  }

  /// Without gain where it saves nothing, and nil where it cannot be asked.
  func step(_ wish: IndexWish) throws -> Step? {
    let candidates = IndexCandidates(wish, types: tables.types, bare: true)
    guard !candidates.rewritten.isEmpty, let reading = try readings(wish, candidates.rewritten) else {
      return nil
    }
    let before = try reading.before.cost()
    let asItIs = try reading.after.cost()
    var best: IndexTrial.Result = ([], asItIs)
    for option in candidates.options {
      guard let cost = try reading.after.cost(with: option, on: tables) else { continue }
      if cost <= 1.01 * best.cost { best = (option, cost) }
    }
    // An index that is there may do. It seems dearer than a hypothetical one, which has no height.
    if asItIs - best.cost <= 0.1 * (before - best.cost) { best = ([], asItIs) }
    let gain = IndexProof.gain(from: before, to: best.cost)
    let index =
      best.option.isEmpty
      ? "an index that is there finds the rows then; -- verified by the planner"
      : "\(tables.ddl(best.option)); -- verified with HypoPG"
    return Step(
      text:
        "\(Self.advice(candidates)); \(index): reading the table so costs \(PlanNumbers.count(best.cost)) instead"
        + " of \(PlanNumbers.count(before))", gain: gain, rest: best.cost / max(before, 0.01))
  }

  /// What a plan says alone.
  static func unverified(_ wish: IndexWish, _ tables: WishedTables) -> String? {
    let candidates = IndexCandidates(wish, types: tables.types, bare: true)
    guard !candidates.rewritten.isEmpty, let option = candidates.options.first else { return nil }
    return "\(advice(candidates)); \(tables.ddl(option)), unless there is one"
  }

  private static func advice(_ candidates: IndexCandidates) -> String {
    "Compare the column itself, \(candidates.rewritten.joined(separator: " AND ")): an index on it does not find what is"
      + " computed from it"
  }

  /// The table read by the conditions that the statement has, and by the others too. Conditions that name other tables cannot be
  /// asked for alone; then all of the table is read.
  private func readings(_ wish: IndexWish, _ rewritten: [String]) throws
    -> (before: IndexTrial, after: IndexTrial)?
  {
    let new = rewritten.map { "(\($0))" }
    let old = wish.conditions.map { "(\($0))" }
    let alias = SQLSyntax.quoted(wish.alias ?? wish.relation)
    let select = "select \(alias).* from \(tables.first) as \(alias)"
    for old in [old, []] {
      let before = select + (old.isEmpty ? "" : " where " + old.joined(separator: " and "))
      guard let before = try trial.with(before),
        let after = try trial.with("\(select) where \((old + new).joined(separator: " and "))")
      else { continue }
      return (before, after)
    }
    return nil
  }
}
