import Primitives
import TestSupport
import Testing

@testable import Plans

/// Whatever is given, it is a plan or an error that names the line; and what is a plan can be judged.
struct HostilePlanTests {
  @Test(arguments: [
    "", "\n\n", "QUERY PLAN\n-----\n(0 rows)", "hello", "Seq Scan on t  (cost=1..2 rows=3", "(12 rows)",
    "Seq Scan on t  (cost=0.00..1e999 rows=1 width=4)", "Seq Scan on t  (cost=0.00..nan rows=1 width=4)",
    "Seq Scan on t  (cost=0.00..1.00 rows=-1 width=4)",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual rows=1)",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  nonsense",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Worker -1e19:  nonsense",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Buffers: shared hit=x",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Buffers: shared hit=99999999999999999999",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\nSeq Scan on u  (cost=0.00..1.00 rows=1 width=4)",
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\nSettings: a = 'b", "- Plan:\n    Node Type: x",
    "<explain/>",
    "[{\"Plan\": {\"Node Type\": \"x\", \"Plan Rows\": -1}}]",
    "[{\"Plan\": {\"Node Type\": \"x\", \"Actual Loops\": 1e999}}]",
    "[{\"Plan\": {\"Node Type\": \"x\", \"Plan Rows\": \"y\"}}]",
    "[{\"Plan\": {\"Node Type\": \"x\"}}, {\"Plan\": 1}]",
    "LOG:  duration: 1 ms  plan:\n\tSeq Scan on t  (cost=0..1 rows=1 width=1)\nLOG:  duration: 1 ms  plan:\n\tResult",
    "Limit\n  ->  Limit\n\u{0}",
  ])
  func isRefused(text: String) {
    let error = #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }
    #expect(error.map { $0.line > 0 } ?? false, "\(error?.message ?? "")")
  }

  /// The marks show where the wrong value begins.
  @Test(arguments: [
    "[\n {\"Plan\": {\"Node Type\": \"x\",\n   \"Plan Rows\": <-1}}]",
    "[{\"Plan\": {\"Node Type\": \"x\", \"Plans\": [\n{\"Node Type\": \"y\"},\n{\"Node Type\": \"ü\", \"Total Cost\": <\"1\"}]}}]",
    "[{\"Plan\": {\"Node Type\": \"x\", \"Plans\": [\n <{\"Plan Rows\": 1}]}}]",
    "{\"Plan\": {\"Node Type\": \"x\", \"Workers\": [{\"Worker Number\": 1,\n \"Shared Hit Blocks\": <1e300}]}}",
    "[{\"Plan\": {\"Node Type\": \"x\"},\n\"Triggers\": [{}, {\"Time\": <1e999}]}]",
    "[{\"Plan\": {\"Node Type\": \"x\"},\n\"JIT\": {\"Timing\": {\"Total\": <-2}}}]",
    "[{\"Plan\": {\"Node Type\": \"x\"}},\n<{\"Plan\": {\"Node Type\": \"y\"}}]",
    "[\n<{\"Nothing\": 1}]", "[{\"Plan\": {\"Node Type\": \"x\",\n <nonsense}}]",
    " QUERY PLAN\n-----\n [              +\n   {\"Plan\": {\"Node Type\": \"x\", \"Plan Rows\": <-1}}+\n ]\n(1 row)",
  ])
  func thePlaceInJSONIsNamed(marked: String) throws {
    let before = try #require(marked.split(separator: "<").first)
    let lines = before.split(separator: "\n", omittingEmptySubsequences: false)
    let text = marked.replacing("<", with: "")
    let error = #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }
    #expect(error?.line == lines.count, "\(error?.message ?? "")")
    #expect(error?.column == (lines.last?.count ?? 0) + 1, "\(error?.message ?? "")")
  }

  /// Of pgAdmin's quotes the column is not known any more; the line is.
  @Test func whatWasQuotedHasItsLine() {
    let text = "\"[\n{\"\"Plan\"\": {\"\"Node Type\"\": \"\"x\"\", \"\"Plan Rows\"\": -1}}]\""
    let error = #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }
    #expect(error?.line == 2 && error?.column == 0, "\(error?.message ?? "")")
  }

  /// Whatever is wrong in the middle of a tree is told where its node stands.
  @Test func aNumberOfATextPlanIsToldWithItsNode() {
    let text = """
      Append  (cost=0.00..1.00 rows=1 width=4)
        ->  Seq Scan on a  (cost=0.00..1.00 rows=1 width=4)
        ->  Seq Scan on b  (cost=0.00..1.00 rows=1 width=4)
              Buffers: shared hit=99999999999999
      """
    let error = #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }
    #expect(error.map { (3...4).contains($0.line) } ?? false, "\(error?.message ?? "")")
  }

  @Test func theLineIsNamed() {
    let text =
      "QUERY PLAN\n---\n Limit  (cost=0.00..1.00 rows=1 width=4)\n   ->  Result  (cost=0.00..x rows=1 width=4)\n"
    let line = #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }?.line
    #expect(line == 4)
  }

  @Test func depthAndSizeAreBounded() {
    var deep = "Limit  (cost=0.00..1.00 rows=1 width=4)\n"
    for depth in 0..<5000 {
      deep += String(repeating: " ", count: 2 + 6 * depth) + "->  Limit  (cost=0.00..1.00 rows=1 width=4)\n"
    }
    let text = deep
    #expect(throws: PlanError.self) { try Plan(parsing: Array(text.utf8)) }
    for brackets in ["{\"Plan\":", "[", "[{\"Plan\": {\"Node Type\": \"x\", \"Plans\": "] {
      let open = String(repeating: brackets, count: 100_000)
      let line = #expect(throws: PlanError.self) { try Plan(parsing: Array(open.utf8)) }?.line
      #expect(line == 1)
    }
  }

  /// CTEs that read each other stand in no plan of a server.
  @Test func ctesThatRunEachOther() throws {
    let text = """
      Limit  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..9.0 rows=1 loops=1)
        CTE a
          ->  CTE Scan on b  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..5.0 rows=1 loops=1)
        CTE b
          ->  CTE Scan on a  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..5.0 rows=1 loops=1)
        ->  Result  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..1.0 rows=1 loops=1)
      """
    let analysis = PlanAnalysis(try Plan(parsing: Array(text.utf8)))
    #expect(analysis.entries.count == 4)
    #expect(analysis.entries.allSatisfy { ($0.ownTime ?? 0) >= 0 })
  }

  private func judge(_ bytes: [UInt8]) {
    guard let plan = try? Plan(parsing: bytes) else { return }
    let analysis = PlanAnalysis(plan)
    let findings = PlanReview(analysis).findings()
    let isSane = analysis.entries.allSatisfy {
      ($0.ownTime ?? 0) >= 0 && $0.ownCost >= 0 && $0.ownBuffers.pages >= 0
    }
    #expect(isSane && findings.allSatisfy { !$0.message.isEmpty })
  }

  @Test(arguments: ["report-15.txt", "report-18.txt", "delete-15.json", "delete-18.txt"])
  func everyPrefixIsReadOrRefused(name: String) throws {
    let bytes = try corpus(name)
    for end in stride(from: 0, to: bytes.count, by: name.hasSuffix("json") ? 23 : 7) {
      judge(Array(bytes[..<end]))
    }
  }

  @Test(arguments: seeds(fresh: 3))
  func damageIsReadOrRefused(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for name in ["report-15.txt", "report-18.txt", "delete-16.json", "delete-18.txt"] {
      let whole = try corpus(name)
      for _ in 0..<40 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...6, using: &random) {
          let place = Int.random(in: bytes.indices, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.remove(at: place)
          case 2: bytes.insert(contentsOf: "9999999999".utf8, at: place)
          default: bytes.removeSubrange(place..<min(bytes.count, place + 80))
          }
        }
        judge(bytes)
      }
    }
  }
}
