import Primitives
import Testing

@testable import Plans

struct PlanTests {
  @Test func readsATree() throws {
    let text = """
      [{"Plan": {"Node Type": "Limit", "Startup Cost": 0.1, "Total Cost": 8.2, "Plan Rows": 10, "Plan Width": 4,
        "Plans": [{"Node Type": "Index Scan", "Parent Relationship": "Outer", "Relation Name": "t", "Alias": "x",
        "Index Name": "i", "Startup Cost": 0.1, "Total Cost": 80, "Plan Rows": 1e3, "Plan Width": 4, "Filter": "(a > 1)"}]}}]
      """
    let plan = try Plan(parsingJSON: Array(text.utf8))
    #expect(plan.root.all.map(\.type) == ["Limit", "Index Scan"])
    #expect(plan.root.children.first?.rowsEstimated == 1000)
    #expect(plan.root.children.first?.details.map(\.key) == ["Filter"])
  }

  @Test(arguments: ["", "[", "[]", "{}", "[{\"Plan\": 1}]", "[{\"Plan\": {\"Plans\": []}}]"])
  func refusesWhatIsNoPlan(text: String) {
    #expect(throws: PlanError.self) { try Plan(parsingJSON: Array(text.utf8)) }
  }
}
