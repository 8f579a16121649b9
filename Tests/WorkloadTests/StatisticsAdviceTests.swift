import Plans
import Testing

@testable import Workload

struct StatisticsAdviceTests {
  private func step(_ conditions: [String], groups: String = "", relation: String = "t") -> String? {
    StatisticsAdvice.step(
      StatisticsWish(schema: "s", relation: relation, alias: "x", conditions: conditions, groups: groups))
  }

  @Test func columnsThatDependOnEachOther() throws {
    let step = try #require(self.step(["((x.a = 1) AND ((b = 'y'::text) OR (NOT c)))"]))
    #expect(
      step.hasSuffix(
        "CREATE STATISTICS s.t_a_b_c_stats (dependencies, mcv) ON a, b, c FROM s.t; ANALYZE s.t;"))
    let groups = try #require(self.step([], groups: "x.city, region"))
    #expect(groups.contains("s.t_city_region_stats (ndistinct) ON city, region FROM s.t;"))
  }

  @Test func oneColumnOrNone() throws {
    #expect(step(["(a > 1)"])?.contains("ALTER TABLE s.t ALTER COLUMN a SET STATISTICS 1000;") == true)
    #expect(step(["(lower(a) = 'x'::text)"]) == nil)
    #expect(step([], groups: "x.city, (lower(region))") == nil)
    #expect(step(["not SQL (("]) == nil)
  }

  @Test func namesAreQuotedAndCut() throws {
    let long = String(repeating: "é", count: 31)
    let step = try #require(self.step(["((\"Odd \"\"one\" = 1) AND (b = 2))"], relation: long))
    #expect(step.contains("CREATE STATISTICS s.\"\(long)_\" (dependencies, mcv) ON \"Odd \"\"one\", b FROM"))
  }
}
