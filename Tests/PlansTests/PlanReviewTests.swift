import Primitives
import Testing

@testable import Plans

/// What a review makes of plans, as values.
struct PlanReviewTests {
  private func analysis(_ text: String) throws -> PlanAnalysis {
    PlanAnalysis(try Plan(parsing: Array(text.utf8)))
  }

  private func findings(_ text: String, _ context: PlanContext = PlanContext()) throws -> [PlanFinding] {
    PlanReview(try analysis(text), context: context).findings()
  }

  private func codes(_ findings: [PlanFinding]) -> [String] {
    findings.map { "\($0.isRootCause ? "" : "-")\($0.code.rawValue) \($0.node)" }
  }

  /// A wrong estimate of one scan goes up through five nodes and makes a nested loop run 50,000 times.
  private static let misled = """
    Aggregate  (cost=90.00..90.01 rows=1 width=8) (actual time=900.0..900.0 rows=1 loops=1)
      ->  Sort  (cost=80.00..80.01 rows=5 width=8) (actual time=880.0..890.0 rows=50000 loops=1)
            Sort Method: quicksort  Memory: 4096kB
            ->  Nested Loop  (cost=0.50..80.00 rows=5 width=8) (actual time=0.1..850.0 rows=50000 loops=1)
                  ->  Seq Scan on orders o  (cost=0.00..40.00 rows=5 width=4) (actual time=0.1..50.0 rows=50000 loops=1)
                        Filter: ((status = 'x'::text) AND (kind = 'y'::text))
                  ->  Index Scan using c_pkey on customers c  (cost=0.50..8.00 rows=1 width=8) (actual time=0.014..0.015 rows=1 loops=50000)
                        Index Cond: (id = o.customer_id)
    Execution Time: 900.100 ms
    """

  @Test func theEstimateIsToldWhereItFirstGoesWrong() throws {
    let found = try findings(Self.misled)
    #expect(codes(found) == ["estimate_wrong Seq Scan on orders o", "-nested_loop Nested Loop"])
    #expect(found[0].message.contains("expected 5 rows and got 50.0 k: 10.0 k times too few"))
    #expect(found[0].nextStep.contains("CREATE STATISTICS"))
    let stale = try findings(Self.misled, PlanContext(staleTables: ["orders": "never analysed"]))
    #expect(
      codes(stale) == [
        "stale_statistics Seq Scan on orders o", "-estimate_wrong Seq Scan on orders o",
        "-nested_loop Nested Loop",
      ])
  }

  @Test func aLimitProvesNoEstimateWrong() throws {
    let found = try findings(
      """
      Limit  (cost=0.00..1.00 rows=10 width=4) (actual time=0.1..20.0 rows=10 loops=1)
        ->  Index Scan using i on t  (cost=0.00..9000.00 rows=100000 width=4) (actual time=0.1..19.9 rows=10 loops=1)
      """)
    #expect(codes(found) == [])
  }

  @Test func theScanThatDiscardsExplainsTheLoop() throws {
    let found = try findings(
      """
      Nested Loop  (cost=0.00..90.00 rows=2000 width=8) (actual time=0.1..5000.0 rows=2000 loops=1)
        ->  Seq Scan on a  (cost=0.00..40.00 rows=2000 width=4) (actual time=0.1..5.0 rows=2000 loops=1)
        ->  Seq Scan on b  (cost=0.00..8.00 rows=1 width=8) (actual time=1.2..2.4 rows=1 loops=2000)
              Filter: (a_id = a.id)
              Rows Removed by Filter: 9999
      """)
    #expect(codes(found) == ["scan_discards Seq Scan on b", "-nested_loop Nested Loop"])
    let wish = found[0].wish
    #expect(wish == IndexWish(relation: "b", alias: "b", conditions: ["(a_id = a.id)"], order: ""))
  }

  @Test func timesOfWorkersCTEsAndInitPlansCountOnce() throws {
    let analysis = try analysis(
      """
      Gather  (cost=0.00..90.00 rows=10 width=8) (actual time=1.0..100.0 rows=30 loops=1)
        Workers Planned: 2
        Workers Launched: 2
        CTE x
          ->  Seq Scan on a  (cost=0.00..40.00 rows=10 width=4) (actual time=0.1..20.0 rows=10 loops=1)
        InitPlan 2 (returns $1)
          ->  Result  (cost=0.00..0.10 rows=1 width=4) (actual time=5.0..5.0 rows=1 loops=1)
        ->  Parallel Seq Scan on b  (cost=0.00..8.00 rows=4 width=8) (actual time=1.0..60.0 rows=10 loops=3)
              Filter: (v = $1)
        ->  CTE Scan on x  (cost=0.00..1.00 rows=10 width=4) (actual time=0.1..25.0 rows=10 loops=1)
              Filter: (w = $10)
      """)
    let own = analysis.entries.map { "\($0.node.type) \($0.ownTime ?? -1)" }
    #expect(own == ["Gather 15.0", "Seq Scan 20.0", "Result 5.0", "Seq Scan 55.0", "CTE Scan 5.0"])
    #expect(analysis.entries[2].runFrom == 3)
    #expect(analysis.entries[1].runFrom == 4)
  }

  @Test func whatIsBesideTheNodes() throws {
    let found = try findings(
      """
      Delete on t  (cost=0.00..90.00 rows=0 width=0) (actual time=10.0..10.0 rows=0 loops=1)
        ->  Seq Scan on t  (cost=0.00..40.00 rows=10 width=4) (actual time=0.1..9.0 rows=10 loops=1)
      Planning Time: 2000.0 ms
      Trigger for constraint fk on t: time=900.0 calls=10
      JIT:
        Functions: 10
        Timing: Generation 1.0 ms (Deform 0.5 ms), Inlining 0.0 ms, Optimization 0.0 ms, Emission 399.0 ms, Total 400.0 ms
      Execution Time: 1000.0 ms
      """)
    #expect(codes(found) == ["planning_slow Planning", "trigger_slow Trigger fk on t", "jit_slow JIT"])
    let plain = try findings(
      """
      Gather  (cost=0.00..9.00 rows=9000 width=4) (actual time=1.0..90.0 rows=9000 loops=1)
        Workers Planned: 2
        Workers Launched: 0
        ->  Parallel Index Only Scan using i on t  (cost=0.00..8.00 rows=9000 width=4) (actual time=1.0..80.0 rows=9000 loops=1)
              Heap Fetches: 4000
      """)
    #expect(
      codes(plain) == ["heap_fetches Parallel Index Only Scan using i on t", "-workers_missing Gather"])
  }

  @Test func aFastStatementHasNoFindings() throws {
    let found = try findings(
      "Seq Scan on t  (cost=0.00..40.00 rows=1 width=4) (actual time=0.1..0.9 rows=900 loops=1)")
    #expect(found.isEmpty)
  }

  /// As auto_explain logs it, as pgAdmin quotes it, in psql's frames.
  @Test func framesAreTakenAway() throws {
    let texts = [
      "2026-01-01 UTC [7] LOG:  duration: 3.2 ms  plan:\n\tQuery Text: select 1\n\tfrom t\n\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n"
        + "\t  Filter: (a > 1)\n2026-01-01 UTC [7] LOG:  something else",
      "\"QUERY PLAN\"\n\"Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\"\n\"  Filter: (a > 1)\"",
      "\"Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\"\r\n\"  Filter: (a > 1)\"\r\n",
      "+----+\n| QUERY PLAN |\n+----+\n| Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) |\n|   Filter: (a > 1)    |\n+----+\n(2 rows)",
      "┌────┐\n│ QUERY PLAN │\n├────┤\n│ Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) │\n│   Filter: (a > 1)    │\n└────┘\n(2 Zeilen)",
      "SET\nTiming is on.\nd=# explain select * from t where a > 1;\n QUERY PLAN\n---\n Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n   Filter: (a > 1)\n(2 rows)\n\nTime: 0.3 ms\nROLLBACK\nd=# \\q",
      "[{\"QUERY PLAN\": [{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Relation Name\": \"t\", \"Filter\": \"(a > 1)\"}}]}]",
      "[{\"QUERY PLAN\": \"Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\"},\n {\"QUERY PLAN\": \"  Filter: (a > 1)\"}]",
      "[\"Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\", \"  Filter: (a > 1)\"]",
      "-[ RECORD 1 ]---\nQUERY PLAN | Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n-[ RECORD 2 ]---\nQUERY PLAN |   Filter: (a > 1)",
      "```\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: (a > 1)\n```\n",
      "\"[\n  {\n    \"\"Plan\"\": {\"\"Node Type\"\": \"\"Seq Scan\"\", \"\"Relation Name\"\": \"\"t\"\", \"\"Filter\"\": \"\"(a > 1)\"\"}\n  }\n]\"",
      "QUERY PLAN\n---\n {\"Plan\": {\"Node Type\": \"Seq Scan\",+\n  \"Relation Name\": \"t\", \"Filter\": \"(a > 1)\"}}\n(1 row)",
    ]
    for text in texts {
      let plan = try Plan(parsing: Array(text.utf8))
      #expect(plan.root.type == "Seq Scan" && plan.root.relation == "t", "\(text)")
      #expect(plan.root[detail: "Filter"].text == "(a > 1)", "\(text)")
    }
    #expect(try Plan(parsing: Array(texts[0].utf8)).query == "select 1\n\tfrom t")
    let rows =
      "[{\"QUERY PLAN\": \"Limit  (cost=0.00..1.00 rows=1 width=4)\"},\n{\"QUERY PLAN\": \"Result (x\"}]"
    let error = #expect(throws: PlanError.self) { try Plan(parsing: Array(rows.utf8)) }
    #expect(error?.line == 2, "\(error?.reason ?? "")")
    let two =
      "[{\"QUERY PLAN\": [{\"Plan\": {\"Node Type\": \"Result\"}},\n{\"Plan\": {\"Node Type\": \"Result\"}}]}]"
    let second = #expect(throws: PlanError.self) { try Plan(parsing: Array(two.utf8)) }
    #expect(second?.line == 2 && second?.reason.hasPrefix("a second plan") == true)
  }
}
