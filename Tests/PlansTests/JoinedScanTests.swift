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

  /// With an index on the column few rows would be in the hash table; its size is not the cause.
  @Test func aHashTableOfRowsThatNobodyNeedsFollowsFromTheScan() throws {
    let found = try findings(
      """
      Hash Anti Join  (cost=9.0..99.0 rows=10 width=8) (actual time=300.0..301.0 rows=9 loops=1)
        Hash Cond: (c.id = o.customer_id)
        ->  Seq Scan on customers c  (cost=0.0..4.0 rows=49 width=8) (actual time=0.1..0.2 rows=49 loops=1)
        ->  Hash  (cost=9.0..9.0 rows=400000 width=8) (actual time=290.0..290.0 rows=400000 loops=1)
              Buckets: 131072  Batches: 8  Memory Usage: 3000kB
              ->  Seq Scan on orders o  (cost=0.0..8.0 rows=400000 width=8) (actual time=0.1..40.0 rows=400000 loops=1)
      """)
    #expect(found.map(\.code) == [.seqScan, .hashSpills])
    #expect(found.map(\.isRootCause) == [true, false])
    #expect(found.first?.wish?.conditions == ["(c.id = o.customer_id)"])
    #expect(found.last?.scanBehind == found.first?.entry)
    #expect(found.first?.needsIndex == true)
  }

  @Test(arguments: [("5", true), ("100000", false)])
  func aSortForTheFirstRowsWantsAnOrder(limit: String, isWished: Bool) throws {
    let found = try findings(
      """
      Limit  (cost=9.0..9.1 rows=\(limit) width=8) (actual time=30.0..30.1 rows=\(limit) loops=1)
        ->  LockRows  (cost=9.0..9.9 rows=300000 width=8) (actual time=30.0..30.1 rows=\(limit) loops=1)
              ->  Sort  (cost=9.0..9.9 rows=300000 width=8) (actual time=29.0..29.1 rows=\(limit) loops=1)
                    Sort Key: o.placed DESC
                    Sort Method: top-N heapsort  Memory: 25kB
                    ->  Seq Scan on orders o  (cost=0.0..8.0 rows=300000 width=8) (actual time=0.1..20.0 rows=300000 loops=1)
                          Filter: (o.status = 'open'::text)
                          Rows Removed by Filter: 100000
      """)
    #expect(found.map(\.code) == (isWished ? [.seqScan] : []))
    #expect(found.first?.wish?.order == (isWished ? "o.placed DESC" : nil))
    #expect(found.first?.wish?.conditions == (isWished ? ["(o.status = 'open'::text)"] : nil))
  }

  /// None of them takes a tenth of the time.
  @Test func partitionsAreOneTable() throws {
    let parts = (1...20).map { number in
      """
        ->  Seq Scan on orders_\(number) o_\(number)  (cost=0.0..4.0 rows=1 width=8) (actual time=0.1..\(number == 7 ? 2.5 : 2.0) rows=1 loops=1)
              Filter: (o_\(number).customer_id = 5)
              Rows Removed by Filter: 900
      """
    }
    let found = try findings(
      "Append  (cost=0.0..99.0 rows=20 width=8) (actual time=0.1..41.0 rows=20 loops=1)\n"
        + parts.joined(separator: "\n"))
    #expect(found.map(\.code) == [.scanDiscards])
    #expect(found.first?.node == "Seq Scan on orders_7 o_7 and 19 others")
    #expect(found.first?.message.hasPrefix("It reads 18.0 k rows to keep 20") == true, "\(found)")
    #expect(found.first?.wish?.tables.count == 20 && found.first?.wish?.relation == "orders_7")
  }

  /// As PostgreSQL 15 made it of `select max(created_at) from orders`, with VERBOSE.
  @Test(arguments: [
    ("max(created_at)", true), ("min(created_at), max(created_at)", true),
    ("min(paid), max(created_at)", false),
    ("max(created_at), count(*)", false),
    ("max(created_at) FILTER (WHERE paid)", false), ("sum(created_at)", false),
  ])
  func theEndOfAnOrderIsWished(output: String, isWished: Bool) throws {
    let found = try findings(
      """
      Finalize Aggregate  (cost=9.0..9.1 rows=1 width=8) (actual time=300.0..301.0 rows=1 loops=1)
        Output: \(output)
        ->  Gather  (cost=9.0..9.1 rows=2 width=8) (actual time=300.0..301.0 rows=3 loops=1)
              Output: (PARTIAL \(output))
              Workers Planned: 2
              Workers Launched: 2
              ->  Partial Aggregate  (cost=8.0..9.0 rows=1 width=8) (actual time=290.0..290.0 rows=1 loops=3)
                    Output: PARTIAL \(output)
                    ->  Parallel Seq Scan on public.orders  (cost=0.0..8.0 rows=400000 width=8) (actual time=0.1..240.0 rows=400000 loops=3)
                          Output: created_at, paid
      """)
    let scan = try #require(found.first { $0.code == .seqScan })
    #expect((scan.wish?.order == "created_at") == isWished, "\(scan)")
    #expect(scan.message.contains("least or the greatest created_at") == isWished)
  }
}
