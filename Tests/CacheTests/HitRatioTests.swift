import Primitives
import TestSupport
import Testing

@testable import Cache

/// The promise of SPEC section 3.1: never beaten by LRU, loops included.
@Suite(.timeLimit(.minutes(5))) struct HitRatioTests {
  /// On a trace on which LRU itself is the best there is, the cache pays for finding that out: so many of a thousand
  /// requests at most.
  private static let tuition = 4.0

  private func expectNoWorseThanLRU(_ trace: RequestTrace, capacities: [Int], _ name: Comment) throws {
    for capacity in capacities {
      let simulation = try CacheSimulation(trace, capacity: capacity)
      let behind = simulation.leastRecentlyUsedHits - simulation.hits
      let perThousand = 1000 * Double(behind) / Double(simulation.requests)
      #expect(perThousand <= Self.tuition, "\(name) at \(capacity): \(perThousand) of a thousand below LRU")
      #expect(simulation.hits <= simulation.optimalHits, "\(name) at \(capacity)")
      #expect(simulation.leastRecentlyUsedHits <= simulation.optimalHits, "\(name) at \(capacity)")
    }
  }

  @Test func onSkewedAndShiftingTraces() async throws {
    try await blocking {
      let steady = Workload.zipf(keys: 20_000, count: 60_000, seed: 1)
      try expectNoWorseThanLRU(steady, capacities: [10, 100, 1000, 5000], "zipf")
      let steep = Workload.zipf(keys: 20_000, skew: 2, count: 30_000, seed: 2)
      try expectNoWorseThanLRU(steep, capacities: [10, 100, 1000], "steep")
      let shifting = Workload.zipf(keys: 5000, count: 60_000, shift: 200, seed: 3)
      try expectNoWorseThanLRU(shifting, capacities: [10, 100, 1000, 3000], "shifting")
      let scans = Workload.scans(keys: 5000, count: 60_000, seed: 4)
      try expectNoWorseThanLRU(scans, capacities: [10, 100, 1000, 3000], "scans")
    }
  }

  @Test func onTheTraceThatLRUIsMadeFor() async throws {
    try await blocking {
      let trace = Workload.recency(keys: 3000, count: 80_000, seed: 5)
      try expectNoWorseThanLRU(trace, capacities: [10, 100, 500, 1000, 2000], "recency")
      let phases = Workload.loops(count: 60_000, seed: 6)
      try expectNoWorseThanLRU(phases, capacities: [50, 500, 1000, 2000], "loops")
    }
  }

  /// LRU answers nothing; the optimum is what fits. `lirs_loop` is such a trace.
  @Test(arguments: [10, 50, 100, 500, 1000]) func onALoopItKeepsWhatFits(capacity: Int) async throws {
    try await blocking {
      let simulation = try CacheSimulation(Workload.loop(keys: 1011, count: 100 * 1011), capacity: capacity)
      #expect(simulation.leastRecentlyUsedHits == 0)
      #expect(Double(simulation.hits) >= 0.99 * Double(simulation.optimalHits))
    }
  }

  /// What ours reaches on the LIRS paper's multi1, as a floor for changes of the policy (docs/cache.md has moka's).
  @Test(arguments: [(50, 0.325), (100, 0.4221), (500, 0.5021), (1000, 0.6736), (2000, 0.8325)])
  func onARealTraceOfLoops(capacity: Int, floor: Double) async throws {
    try await blocking {
      let path = "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
      let trace = try RequestTrace(reading: InputFile("/\(path)/Traces/lirs_multi1.txt"))
      #expect(trace.requests.count == 15_858)
      #expect(trace.keys.count == 2606)
      let simulation = try CacheSimulation(trace, capacity: capacity)
      #expect(simulation.hits >= simulation.leastRecentlyUsedHits)
      #expect(simulation.hitRatio >= floor)
    }
  }

  @Test func theSameTraceGivesTheSameHits() throws {
    let trace = Workload.scans(keys: 3000, count: 20_000, seed: 7)
    let first = try CacheSimulation(trace, capacity: 300)
    let second = try CacheSimulation(trace, capacity: 300)
    #expect(first.hits == second.hits)
  }

  @Test(arguments: [0, -1, 100_000_001, Int.max]) func refusesACapacityThatCannotBe(capacity: Int) throws {
    let error = try #require(throws: SimpleFailure.self) {
      try CacheSimulation(RequestTrace(), capacity: capacity)
    }
    #expect(error.code == "capacity_out_of_range")
    #expect(error.kind == .usage)
  }
}
