import Testing

@testable import Plans

/// Whole tables that are read for a few rows of a join.
struct JoinedScanTests {
  private func findings(_ text: String) throws -> [PlanFinding] {
    PlanReview(PlanAnalysis(try Plan(parsing: Array(text.utf8)))).findings()
  }

  /// As PostgreSQL 15 made it of `select * from orders o join customers c on o.customer_id = c.id where c.city = 'x'`.
  private func hashJoin(_ type: String = "Hash Join", customers: Int = 10, order: String = "") -> String {
    """
    \(type)  (cost=436.13..19500.00 rows=200 width=120) (actual time=5.0..300.0 rows=200 loops=1)
      Hash Cond: (o.customer_id = c.id)
      ->  Seq Scan on orders o  (cost=0.00..9000.00 rows=400000 width=80) (actual time=0.1..200.0 rows=400000 loops=1)
      ->  Hash  (cost=436.00..436.00 rows=10 width=40) (actual time=4.0..4.0 rows=\(customers) loops=1)
            ->  Seq Scan on customers c  (cost=0.00..436.00 rows=10 width=40) (actual time=0.1..4.0 rows=\(customers) loops=1)
                  Filter: (city = 'x'::text)
                  Rows Removed by Filter: 900
    """
  }

  @Test func theColumnsOfTheJoinAreWished() throws {
    let found = try #require(try findings(hashJoin()).first { $0.code == .seqScan })
    #expect(found.wish?.relation == "orders" && found.wish?.conditions == ["(o.customer_id = c.id)"])
    #expect(found.message.hasSuffix("although few rows are joined with it: (o.customer_id = c.id)."))
    #expect(found.isRootCause)
  }

  @Test func manyRowsOfTheOtherSideNeedTheWholeTable() throws {
    let found = try #require(try findings(hashJoin(customers: 100_000)).first { $0.code == .seqScan })
    #expect(found.wish == nil && found.message.hasSuffix("no index would read less."))
  }

  @Test(arguments: [
    ("Hash Left Join", false), ("Hash Right Join", true), ("Hash Full Join", false),
    ("Hash Anti Join", false), ("Hash Semi Join", true),
  ])
  func whatAnOuterJoinKeepsIsReadWhole(type: String, isWished: Bool) throws {
    let found = try #require(try findings(hashJoin(type)).first { $0.code == .seqScan })
    #expect((found.wish != nil) == isWished, "\(type)")
  }

  @Test func withoutAnalyzeToo() throws {
    let text = hashJoin().split(separator: "\n").map { line in
      String(line.split(separator: " (actual").first ?? "")
    }.filter { !$0.contains("Removed") }.joined(separator: "\n")
    let found = try findings(text)
    #expect(found.map(\.code) == [.seqScan])
    #expect(found.first?.wish?.conditions == ["(o.customer_id = c.id)"])
  }

  /// A join further up, over a Gather and a merge join, may be the one that leaves most rows out.
  @Test func joinsAboveCountToo() throws {
    let text = """
      Merge Join  (cost=1.00..9.00 rows=20 width=8) (actual time=1.0..900.0 rows=20 loops=1)
        Merge Cond: (c.id = o.customer_id)
        ->  Sort  (cost=1.00..2.00 rows=10 width=8) (actual time=1.0..1.0 rows=10 loops=1)
              ->  Seq Scan on customers c  (cost=0.00..1.00 rows=10 width=8) (actual time=0.1..0.2 rows=10 loops=1)
        ->  Sort  (cost=1.00..5.00 rows=400000 width=8) (actual time=500.0..800.0 rows=400000 loops=1)
              ->  Gather  (cost=1.00..5.00 rows=400000 width=8) (actual time=0.1..500.0 rows=400000 loops=1)
                    Workers Planned: 1
                    Workers Launched: 1
                    ->  Parallel Seq Scan on orders o  (cost=0.00..5.00 rows=200000 width=8) (actual time=0.1..490.0 rows=200000 loops=2)
      """
    let found = try #require(try findings(text).first { $0.code == .seqScan })
    #expect(found.wish?.relation == "orders" && found.wish?.conditions == ["(c.id = o.customer_id)"])
  }
}
