import TestSupport
import Testing

@testable import Indexes

/// The rule of redundancy against what indexes are: rows in an order.
@Suite(.timeLimit(.minutes(2))) struct RedundantPropertyTests {
  /// Every row of three columns that hold NULL, 0 or 1.
  private static let rows: [[Int?]] = [nil, 0, 1].flatMap { a in
    [nil, 0, 1].flatMap { b in [nil, 0, 1].map { c in [a, b, c] } }
  }

  private static let conditions: [(text: String?, holds: @Sendable ([Int?]) -> Bool)] = [
    (nil, { _ in true }), (nil, { _ in true }),
    ("(a IS NOT NULL)", { $0[0] != nil }), ("(b IS NOT NULL)", { $0[1] != nil }),
    ("(c = 1)", { $0[2] == 1 }), ("((c = 1) AND (a IS NOT NULL))", { $0[2] == 1 && $0[0] != nil }),
  ]

  /// An index as the model has it.
  private struct Model {
    let index: Index
    let holds: @Sendable ([Int?]) -> Bool

    var columns: Set<Int16> { Set(index.keys.compactMap(\.column)).union(index.included) }

    /// Below zero when the index has `a` before `b`.
    func order(_ a: [Int?], _ b: [Int?]) -> Int {
      for key in index.keys {
        let at = Int(key.column ?? 1) - 1
        let rank = { (value: Int?) in
          value.map { key.isDescending ? -$0 : $0 } ?? (key.hasNullsFirst ? -9 : 9)
        }
        let difference = rank(a[at]) - rank(b[at])
        if difference != 0 { return difference }
      }
      return 0
    }

    /// Whether a scan of this index, one way or the other, gives the rows as a scan of `other` does.
    func isOrdered(as other: Model) -> Bool {
      func follows(_ sign: Int) -> Bool {
        rows.allSatisfy { a in
          rows.allSatisfy { b in
            let (own, others) = (order(a, b), other.order(a, b) * sign)
            return own < 0 ? others <= 0 : own > 0 || others == 0
          }
        }
      }
      return follows(1) || follows(-1)
    }

    /// Whether it can do all that `other` does, and reads no row in vain for it but such as no search finds.
    func replaces(_ other: Model) -> Bool {
      guard other.columns.isSubset(of: columns) else { return false }
      let fits = rows.allSatisfy { row in
        if other.holds(row) { return holds(row) }
        // Only of the first key do the NULLs stand together, where nobody else comes by.
        return !holds(row) || other.index.keys.prefix(1).contains { row[Int($0.column ?? 1) - 1] == nil }
      }
      return fits && isOrdered(as: other)
    }
  }

  @Test func whatGoesIsReplacedByWhatStaysAndNothingElseCouldGo() {
    var dropped = 0
    for seed in seeds(fresh: 500) {
      var random = SeededGenerator(seed: seed)
      let models = Self.models(&random)
      var draft = Draft()
      draft.table()
      draft.indexes = models.map(\.index)
      let result = RedundantRule(context: RuleContext(draft.catalog, Thresholds())).apply()
      let byOID = Dictionary(models.map { ($0.index.oid, $0) }) { first, _ in first }
      let gone = Set(result.survivors.keys)
      dropped += gone.count
      for (oid, survivor) in result.survivors {
        guard let model = byOID[oid], let other = byOID[survivor] else { continue }
        let isSafe = !gone.contains(survivor) && other.index.isWhole && other.replaces(model)
        #expect(isSafe, "seed \(seed): \(model.index.name) for \(other.index.name)")
        #expect(!model.index.isUnique && !model.index.isClustered, "seed \(seed)")
      }
      let kept = models.filter { !gone.contains($0.index.oid) && $0.index.isWhole }
      for model in kept where !model.index.isUnique && !model.index.isClustered {
        let other = kept.first { $0.index.oid != model.index.oid && $0.replaces(model) }
        #expect(
          other == nil, "seed \(seed): \(model.index.name) could go for \(other?.index.name.name ?? "")")
      }
      draft.indexes.shuffle(using: &random)
      let again = RedundantRule(context: RuleContext(draft.catalog, Thresholds())).apply()
      #expect(again.survivors == result.survivors, "seed \(seed)")
    }
    #expect(dropped > 60)
  }

  private static func models(_ random: inout SeededGenerator) -> [Model] {
    (0..<Int.random(in: 2...7, using: &random)).map { number in
      let columns = ([1, 2, 3] as [Int16]).shuffled(using: &random)
      let count = Int.random(in: 1...3, using: &random)
      let condition = conditions.randomElement(using: &random) ?? conditions[0]
      let name = "i\(number)"
      var index = Index(
        oid: UInt32(number + 1), table: 100,
        name: RelationName(schema: "public", name: name, quoted: name),
        keys: columns.prefix(count).map { column in
          var key = IndexKey(column: column)
          key.isDescending = Int.random(in: 0..<4, using: &random) == 0
          // Now and then not what goes with the direction by itself.
          key.hasNullsFirst = key.isDescending != (Int.random(in: 0..<6, using: &random) == 0)
          return key
        })
      index.included = Array(columns.suffix(Int.random(in: 0...1, using: &random)))
      index.predicate = condition.text
      index.isUnique = Int.random(in: 0..<6, using: &random) == 0
      index.isClustered = Int.random(in: 0..<9, using: &random) == 0
      index.isValid = Int.random(in: 0..<9, using: &random) != 0
      index.usage.scans = Int64.random(in: 0...2, using: &random)
      return Model(index: index, holds: condition.holds)
    }
  }
}
