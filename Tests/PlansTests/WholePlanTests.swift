import Primitives
import TestSupport
import Testing

@testable import Plans

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A plan that was cut off is no plan, and one with many nodes is read in a time that goes with its length.
struct WholePlanTests {
  private func plan(_ text: String) throws(PlanError) -> Plan { try Plan(parsing: Array(text.utf8)) }

  /// What a node may have more of in the whole plan than in one that ends earlier, and still be a plan.
  private static let open: Set<String> = ["Append", "Merge Append"]

  @Test(arguments: [
    "report-15.txt", "report-16.txt", "report-18.txt", "delete-15.txt", "delete-16.txt", "delete-18.txt",
    "setop-15.txt", "subplan-15.txt", "bitmap-15.txt", "gather-15.txt", "recursive-15.txt",
  ])
  func aPrefixIsWholeOrRefused(name: String) throws {
    let bytes = try corpus(name)
    let whole = try Plan(parsing: bytes).root.all
    var refused = 0
    for end in bytes.indices where bytes[end] == 0x0A {
      let part: [PlanNode]
      do throws(PlanError) { part = try Plan(parsing: Array(bytes[...end])).root.all } catch {
        refused += 1
        continue
      }
      for (a, b) in zip(part, whole) where !Self.open.contains(b.type) {
        let inputs = a.children.count { $0.subplanName == nil }
        let expected = b.children.count { $0.subplanName == nil }
        #expect(inputs == expected, "\(name) cut at byte \(end): \(a.label)")
      }
    }
    #expect(refused > 0)
  }

  @Test func theLastLineIsNamed() throws {
    let text = """
      Hash Join  (cost=1.00..2.00 rows=1 width=4) (actual time=0.1..9.0 rows=1 loops=1)
        Hash Cond: (a.id = b.id)
        ->  Seq Scan on a  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..9.0 rows=1 loops=1)
      Execution Time: 9.0 ms
      """
    let error = #expect(throws: PlanError.self) { try plan(text) }
    #expect(error?.line == 4 && error?.reason.contains("Hash Join") == true)
  }

  @Test func aSubplanWithoutItsNodeIsRefused() throws {
    let text = "Result  (cost=0.00..1.00 rows=1 width=4)\n  InitPlan 1 (returns $0)\n"
    let error = #expect(throws: PlanError.self) { try plan(text) }
    #expect(error?.line == 2)
  }

  @Test func inputsThatWereLeftOutOrNeverExecuted() throws {
    let pruned = try plan("Append  (cost=0.00..1.00 rows=1 width=4)\n  Subplans Removed: 4\n")
    #expect(pruned.root.children.isEmpty)
    let never = try plan(
      """
      Hash Join  (cost=1.00..2.00 rows=1 width=4) (never executed)
        ->  Seq Scan on a  (cost=0.00..1.00 rows=1 width=4) (never executed)
        ->  Hash  (cost=0.00..1.00 rows=1 width=4) (never executed)
              ->  Seq Scan on b  (cost=0.00..1.00 rows=1 width=4) (never executed)
      """)
    #expect(never.root.children.map(\.relationship) == ["Outer", "Inner"])
  }

  @Test(arguments: ["", "Execution Time: 1.000 ms\n", "(2 rows)\n\n QUERY PLAN\n----\n"])
  func aSecondPlanIsToldAsOne(between: String) throws {
    let one = " Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n"
    let head = between.isEmpty ? "" : " QUERY PLAN\n----\n"
    let error = #expect(throws: PlanError.self) { try plan(head + one + between + one) }
    #expect(error?.reason == "a second plan begins here; give one at a time")
  }

  /// Seconds of this thread alone: the machine may be busy.
  private func processorTime(_ work: () throws -> Void) rethrows -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try work()
    return now() - start
  }

  @Test func aWidePlanIsReadInTimeThatGoesWithItsLength() throws {
    func wide(_ children: Int) -> String {
      var text = "Append  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..9.0 rows=1 loops=1)\n"
      for child in 0..<children {
        text +=
          "  ->  Seq Scan on part\(child)  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..9.0 rows=1 loops=1)\n"
        text += "        Filter: (a > 1)\n        Rows Removed by Filter: 7\n"
      }
      return text
    }
    let small = wide(1000)
    let large = wide(16_000)
    let first = try processorTime { _ = try plan(small) }
    let second = try processorTime { _ = try plan(large) }
    // 16 times as long; a quadratic reader takes 256 times.
    #expect(second < first * 60, "\(first) for 1000 children, \(second) for 16,000")
  }

  @Test func aLiteralOfManyLinesIsReadOnce() throws {
    let lines = 20_000
    let text =
      "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: (a = '"
      + String(repeating: "x\n", count: lines) + "'::text)\n  Rows Removed by Filter: 3\n"
    var read: Plan?
    let time = try processorTime { read = try plan(text) }
    #expect(read?.root[detail: "Filter"].text?.utf8.count { $0 == 0x0A } == lines)
    #expect(read?.root[detail: "Rows Removed by Filter"].real == 3)
    #expect(time < 10, "\(time)")
  }
}
