import Primitives
import TestSupport
import Testing

@testable import Plans

/// Who is to blame, on plans that the server made.
struct RootCauseTests {
  private func analysis(_ text: String) throws -> PlanAnalysis {
    PlanAnalysis(try Plan(parsing: Array(text.utf8)))
  }

  private func codes(_ text: String) throws -> [String] {
    PlanReview(try analysis(text)).findings().map {
      "\($0.isRootCause ? "" : "-")\($0.code.rawValue) \($0.node)"
    }
  }

  /// The Gather has the InitPlan computed before it starts workers, and says so by "Params Evaluated".
  @Test func whatWorkersNeedIsComputedByTheGather() throws {
    let analysis = PlanAnalysis(try Plan(parsing: corpus("gather-15.txt")))
    let scan = try #require(analysis.entries.lastIndex { $0.node.relation == "ord" })
    #expect(analysis.entries[1].node.subplanName == "InitPlan 1 (returns $1)")
    #expect(analysis.entries[1].runFrom == 0)
    let own = analysis.entries[scan].ownTime ?? 0
    #expect(abs(own - 35.301) < 0.01)
    #expect((analysis.entries[0].ownTime ?? 0) < 12)
  }

  /// From 17 on nothing says so, and the InitPlan's result has no number.
  @Test func theSameOf17() throws {
    let analysis = try analysis(
      """
      Gather  (cost=0.00..90.00 rows=10 width=8) (actual time=60.0..100.0 rows=30 loops=1)
        Workers Planned: 2
        Workers Launched: 2
        InitPlan 1
          ->  Result  (cost=0.00..0.10 rows=1 width=4) (actual time=50.0..50.0 rows=1 loops=1)
        ->  Parallel Seq Scan on b  (cost=0.00..8.00 rows=4 width=8) (actual time=1.0..40.0 rows=10 loops=3)
              Filter: (v > (InitPlan 1).col1)
      """)
    #expect(analysis.entries.map { $0.ownTime ?? -1 } == [10, 50, 40])
  }

  @Test func thePairsOfALoopAreNotACauseBesideIt() throws {
    let found = try codes(
      """
      Nested Loop  (cost=0.00..90.00 rows=2000 width=8) (actual time=0.1..5000.0 rows=2000 loops=1)
        Join Filter: (a.v < b.v)
        Rows Removed by Join Filter: 3998000
        ->  Seq Scan on a  (cost=0.00..40.00 rows=2000 width=4) (actual time=0.1..5.0 rows=2000 loops=1)
        ->  Materialize  (cost=0.00..8.00 rows=2000 width=8) (actual time=0.1..2.2 rows=2000 loops=2000)
              ->  Seq Scan on b  (cost=0.00..8.00 rows=2000 width=8) (actual time=1.2..2.4 rows=2000 loops=1)
      """)
    #expect(found == ["join_discards Nested Loop", "-nested_loop Nested Loop"])
  }

  @Test func aScanOfACTEHasItsEstimateFromTheCTE() throws {
    let analysis = PlanAnalysis(try Plan(parsing: corpus("recursive-15.txt")))
    let found = PlanReview(analysis).findings().filter { $0.code == .estimateWrong }
    #expect(found.map(\.node) == ["Recursive Union"])
    #expect(found.first?.nextStep.contains("NOT MATERIALIZED") == false)
    #expect(found.first?.isRootCause == true)
  }

  /// `where rn = 1` and EXCEPT at the top: nothing was chosen by their estimates.
  @Test func anEstimateWithNothingAboveItIsNoCause() throws {
    let top = try codes(
      """
      Subquery Scan on x  (cost=1.00..9.00 rows=1 width=8) (actual time=1.0..90.0 rows=5000 loops=1)
        Filter: (x.rn = 1)
        ->  WindowAgg  (cost=1.00..8.00 rows=5000 width=8) (actual time=1.0..80.0 rows=5000 loops=1)
              ->  Seq Scan on a  (cost=0.00..40.00 rows=5000 width=4) (actual time=0.1..5.0 rows=5000 loops=1)
      """)
    #expect(top == ["-estimate_wrong Subquery Scan on x"])
    let sorted = try codes(
      """
      Sort  (cost=1.00..9.00 rows=1 width=8) (actual time=1.0..90.0 rows=5000 loops=1)
        ->  Seq Scan on a  (cost=0.00..40.00 rows=1 width=4) (actual time=0.1..5.0 rows=5000 loops=1)
              Filter: (x.rn = 1)
      """)
    #expect(sorted == ["estimate_wrong Seq Scan on a"])
  }

  @Test func aProbeThatReadsOneRowDiscardsNothing() throws {
    let found = try codes(
      """
      Nested Loop  (cost=0.00..90.00 rows=600000 width=8) (actual time=0.1..5000.0 rows=3 loops=1)
        ->  Seq Scan on a  (cost=0.00..40.00 rows=600000 width=4) (actual time=0.1..50.0 rows=600000 loops=1)
        ->  Index Scan using ord_pkey on ord  (cost=0.00..8.00 rows=1 width=8) (actual time=0.007..0.007 rows=0 loops=600000)
              Index Cond: (id = a.ord_id)
              Filter: (status = 'x'::text)
              Rows Removed by Filter: 1
      """)
    #expect(found.contains("nested_loop Nested Loop"))
    #expect(!found.contains { $0.contains("scan_discards") })
  }

  /// None of two workers came: the one process has all rows, of which the planner gave each 1000 / 2.4.
  @Test func missingWorkersProveNoEstimateWrong() throws {
    func error(launched: Int, loops: Int, rows: Int) throws -> Double {
      let analysis = try analysis(
        """
        Gather  (cost=0.00..9.00 rows=24000 width=4) (actual time=1.0..90.0 rows=24000 loops=1)
          Workers Planned: 2
          Workers Launched: \(launched)
          ->  Parallel Seq Scan on t  (cost=0.00..8.00 rows=10000 width=4) (actual time=1.0..80.0 rows=\(rows) loops=\(loops))
        """)
      return analysis.entries[1].estimateError ?? 0
    }
    #expect(try error(launched: 0, loops: 1, rows: 24_000) == 1)
    #expect(try error(launched: 1, loops: 2, rows: 12_000) == 1)
    #expect(try error(launched: 2, loops: 3, rows: 8000) == 0.8)
  }

  @Test func aPenaltyIsNoReasonToRaiseAThreshold() throws {
    let text = """
      Seq Scan on t  (cost=10000000000.00..10000000040.00 rows=10 width=4) (actual time=400.0..900.0 rows=10 loops=1)
      JIT:
        Functions: 1
        Timing: Generation 1.0 ms, Inlining 0.0 ms, Optimization 0.0 ms, Emission 399.0 ms, Total 400.0 ms
      Execution Time: 1000.0 ms
      """
    let found = PlanReview(try analysis(text)).findings()
    let jit = try #require(found.first { $0.code == .jitSlow })
    #expect(jit.nextStep.contains("enable_") && !jit.nextStep.contains("jit_above_cost"))
    #expect(jit.message.contains("1 function "))
  }

  @Test func whatAConstraintDoesIsNotAlwaysACheck() throws {
    let analysis = PlanAnalysis(try Plan(parsing: corpus("delete-18.txt")))
    let found = try #require(PlanReview(analysis).findings().first { $0.code == .triggerSlow })
    #expect(!found.message.hasPrefix("Checking") && found.message.contains("30 calls"))
    #expect(found.nextStep.contains("conname = 'items_order_id_fkey'"))
    #expect(!found.nextStep.contains("index audit"))
  }

  @Test func wholeNumbersStayWhole() throws {
    let plan = try Plan(parsing: corpus("gather-15.txt"))
    #expect(plan.root[detail: "Workers Planned"] == .integer(1))
    #expect(JSON.figure(1.5) == .number(1.5) && JSON.figure(1e300) == .number(1e300))
  }
}
