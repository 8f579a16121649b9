import Primitives
import Testing

@testable import Indexes

/// What tells two indexes apart that look alike.
@Suite struct RedundantRuleTests {
  private func findings(_ change: (inout Index, inout Index) -> Void) -> [String] {
    var draft = Draft()
    draft.table()
    draft.index("one", "lower(s)") { $0.usage.scans = 1 }
    draft.index("two", "lower(s)") { $0.usage.scans = 2 }
    var (one, two) = (draft.indexes[0], draft.indexes[1])
    change(&one, &two)
    draft.indexes = [one, two]
    return draft.findings
  }

  /// Parameters of the built-in methods say how an index is stored, those of others what it can do.
  @Test func parametersOfAnotherMethodCount() {
    for method in ["btree", "hash", "gist", "spgist", "gin"] {
      let found = findings { one, two in
        (one.method, two.method, two.storage) = (method, method, ["fillfactor=50"])
      }
      #expect(found == ["drop one: duplicate_of"], "\(method)")
    }
    for method in ["bloom", "hnsw", "ivfflat", "brin"] {
      let unlike = findings { one, two in
        (one.method, two.method, two.storage) = (method, method, ["length=80"])
      }
      #expect(unlike == [], "\(method)")
      let alike = findings { one, two in
        (one.method, one.storage) = (method, ["length=80", "col1=2"])
        (two.method, two.storage) = (method, ["col1=2", "length=80"])
      }
      #expect(alike == ["drop one: duplicate_of"], "\(method)")
    }
  }

  @Test func finerStatisticsOfAnExpressionAreNotLost() {
    let coarser = findings { one, _ in one.statisticsTargets = [1: 1000] }
    #expect(coarser == ["review one: duplicate_of expression_statistics"])
    let same = findings { one, two in (one.statisticsTargets, two.statisticsTargets) = ([1: 9], [1: 9]) }
    #expect(same == ["drop one: duplicate_of"])
    // Nobody wants any.
    let none = findings { one, two in (one.statisticsTargets, two.statisticsTargets) = ([1: 0], [1: 0]) }
    #expect(none == ["drop one: duplicate_of"])
  }
}
