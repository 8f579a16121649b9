import TestSupport
import Testing

@testable import Cache

/// The yardsticks, measured with others that are slower and plainer.
@Suite struct ReferencePolicyTests {
  private func random(_ seed: UInt64, keys: Int, count: Int) -> RequestTrace {
    var generator = Seed(seed)
    var trace = RequestTrace()
    for _ in 0..<count { trace.append(String(Int.random(in: 0..<keys, using: &generator))) }
    return trace
  }

  private func plainLRU(_ trace: RequestTrace, capacity: Int) -> Int {
    var kept: [UInt32] = []
    var hits = 0
    for request in trace.requests {
      if let index = kept.firstIndex(of: request) {
        hits += 1
        kept.remove(at: index)
      } else if kept.count == capacity {
        kept.removeFirst()
      }
      kept.append(request)
    }
    return hits
  }

  /// Every choice that a cache could make, tried: the most hits from each set of kept keys.
  private func exhaustiveOptimum(_ trace: RequestTrace, capacity: Int) -> Int {
    var best: [Set<UInt32>: Int] = [[]: 0]
    for request in trace.requests {
      var next: [Set<UInt32>: Int] = [:]
      func offer(_ kept: Set<UInt32>, _ hits: Int) { next[kept] = max(next[kept] ?? 0, hits) }
      for (kept, hits) in best {
        if kept.contains(request) {
          offer(kept, hits + 1)
          continue
        }
        offer(kept, hits)
        if kept.count < capacity { offer(kept.union([request]), hits) }
        for victim in kept { offer(kept.subtracting([victim]).union([request]), hits) }
      }
      best = next
    }
    return best.values.max() ?? 0
  }

  @Test(arguments: 1...60) func agreeWithThePlainOnes(seed: UInt64) async throws {
    try await blocking {
      let trace = random(seed, keys: 3 + Int(seed % 5), count: 40)
      for capacity in 1...5 {
        #expect(trace.leastRecentlyUsedHits(capacity: capacity) == plainLRU(trace, capacity: capacity))
        #expect(trace.optimalHits(capacity: capacity) == exhaustiveOptimum(trace, capacity: capacity))
      }
    }
  }

  @Test func areRightByHand() {
    var trace = RequestTrace()
    for key in ["a", "b", "c", "a", "b", "c", "a"] { trace.append(key) }
    #expect(trace.leastRecentlyUsedHits(capacity: 2) == 0)
    #expect(trace.leastRecentlyUsedHits(capacity: 3) == 4)
    // Keep a and b, decline c.
    #expect(trace.optimalHits(capacity: 2) == 3)
    #expect(RequestTrace().optimalHits(capacity: 1) == 0)
  }
}
