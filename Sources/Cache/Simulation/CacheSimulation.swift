import Primitives

/// What the L1 cache makes of a trace, beside LRU and the optimum.
public struct CacheSimulation: Sendable, Equatable {
  /// Requests of the trace.
  public let requests: Int
  /// Different keys among them.
  public let distinct: Int
  /// Entries that the caches had room for.
  public let capacity: Int
  /// Requests that the L1 cache answered.
  public let hits: Int
  /// Requests that LRU would have answered.
  public let leastRecentlyUsedHits: Int
  /// Requests that the best cache could have answered that knows the future.
  public let optimalHits: Int
  /// Mean time of a request to the L1 cache, storing after misses included.
  public let nanosecondsPerAccess: Double

  /// Replays a trace through an L1 cache. The same trace gives the same hits every time.
  ///
  /// - Throws: `capacity_out_of_range`, of kind `usage`, for a capacity below 1 or above 100,000,000.
  public init(_ trace: RequestTrace, capacity: Int) throws {
    guard (1...EvictionPolicy.capacityMax).contains(capacity) else {
      throw SimpleFailure(
        .usage, code: "capacity_out_of_range",
        message: "the capacity must be from 1 to \(EvictionPolicy.capacityMax), not \(capacity)")
    }
    requests = trace.requests.count
    distinct = trace.keys.count
    self.capacity = capacity
    // More room than keys changes nothing but the memory that it takes.
    let room = min(capacity, max(distinct, 1))
    leastRecentlyUsedHits = trace.leastRecentlyUsedHits(capacity: room)
    optimalHits = trace.optimalHits(capacity: room)
    let cache = L1Cache(
      capacity: room, timeToLive: .seconds(1 << 32), timeToIdle: .seconds(1 << 32), seed: 0x5EED)
    let begin = monotonicNanoseconds()
    var hits = 0
    for request in trace.requests {
      let key = trace.keys[Int(request)]
      if cache.value(of: key) != nil { hits += 1 } else { cache.store(.absent, for: key) }
    }
    let elapsed = monotonicNanoseconds() - begin
    self.hits = hits
    nanosecondsPerAccess = requests == 0 ? 0 : Double(elapsed) / Double(requests)
  }

  /// Share of the requests that the L1 cache answered.
  public var hitRatio: Double { share(hits) }
  /// Share of the requests that LRU would have answered.
  public var leastRecentlyUsedHitRatio: Double { share(leastRecentlyUsedHits) }
  /// Share of the requests that the optimum answers.
  public var optimalHitRatio: Double { share(optimalHits) }

  private func share(_ hits: Int) -> Double { requests == 0 ? 0 : Double(hits) / Double(requests) }
}
