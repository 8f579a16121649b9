import Primitives
import Testing

@testable import Cache

@Suite(.timeLimit(.minutes(2))) struct L1Tests {
  private static let second: Int64 = 1_000_000_000

  private func contents(_ capacity: Int = 10, live: Int64 = 100, idle: Int64 = 30) -> L1Contents {
    L1Contents(capacity: capacity, timeToLive: .seconds(live), timeToIdle: .seconds(idle), seed: 1)
  }

  @Test func anEntryLivesForItsTime() {
    var cache = contents()
    cache.store(.text("1"), for: "a", at: 0)
    for moment in stride(from: 0, to: 100, by: 20) as StrideTo<Int64> {
      #expect(cache.value(of: "a", at: moment * Self.second) == .text("1"))
    }
    #expect(cache.value(of: "a", at: 100 * Self.second - 1) == .text("1"))
    #expect(cache.value(of: "a", at: 100 * Self.second) == nil)
    #expect(cache.count == 0)
  }

  @Test func anEntryThatNobodyAsksForGoesSooner() {
    var cache = contents()
    cache.store(.absent, for: "a", at: 0)
    cache.store(.absent, for: "b", at: 0)
    #expect(cache.value(of: "a", at: 30 * Self.second - 1) == .absent)
    #expect(cache.value(of: "b", at: 30 * Self.second) == nil)
    #expect(cache.value(of: "a", at: 59 * Self.second) == .absent)
  }

  @Test func aLifetimeMayBeShorterButNotLonger() {
    var cache = contents()
    cache.store(.text("short"), for: "a", lifetime: 5 * Self.second, at: 0)
    cache.store(.text("long"), for: "b", lifetime: 1000 * Self.second, at: 0)
    #expect(cache.value(of: "a", at: 5 * Self.second) == nil)
    for moment in stride(from: 20, to: 100, by: 20) as StrideTo<Int64> {
      #expect(cache.value(of: "b", at: moment * Self.second) != nil)
    }
    #expect(cache.value(of: "b", at: 100 * Self.second) == nil)
  }

  @Test func anExpiredEntryMakesRoomBeforeALiveOneMust() {
    var cache = contents(4, idle: 1000)
    for key in ["a", "b", "c", "d"] {
      cache.store(.text(key), for: key, lifetime: key == "a" ? Self.second : .max, at: 0)
    }
    for moment in 2...5 as ClosedRange<Int64> {
      cache.store(.text("e"), for: "e", at: moment * Self.second)
      #expect(cache.count <= 4)
    }
    for key in ["b", "c", "d", "e"] { #expect(cache.value(of: key, at: 6 * Self.second) == .text(key)) }
  }

  @Test func storingAgainReplacesAndRemovingRemoves() {
    var cache = contents()
    cache.store(.text("1"), for: "a", at: 0)
    cache.store(.text("2"), for: "a", at: 1)
    #expect(cache.count == 1)
    #expect(cache.value(of: "a", at: 2) == .text("2"))
    cache.remove("b")
    cache.remove("a")
    #expect(cache.value(of: "a", at: 3) == nil)
    cache.store(.text("3"), for: "a", at: 4)
    cache.store(.text("4"), for: "b", at: 4)
    cache.removeAll()
    #expect(cache.count == 0)
    #expect(cache.value(of: "b", at: 5) == nil)
  }

  /// Swift takes these for one text, Redis for two keys.
  @Test func keysAreBytes() {
    var cache = contents()
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
    #expect(composed == decomposed)
    cache.store(.text("composed"), for: composed, at: 0)
    #expect(cache.value(of: decomposed, at: 0) == nil)
    cache.store(.text("decomposed"), for: decomposed, at: 0)
    #expect(cache.value(of: composed, at: 0) == .text("composed"))
    #expect(cache.value(of: decomposed, at: 0) == .text("decomposed"))
  }

  @Test func keysOfAllLengthsAreToldApart() {
    func fingerprint(_ key: String, seed: UInt64 = 7) -> UInt64 {
      withBytes(of: key) { Fingerprint(seed: seed)($0) }
    }
    var seen: Set<UInt64> = []
    var keys = 0
    for length in 0..<70 {
      for mark in ["", "x", "\u{1}"] {
        let key = String(repeating: "\u{0}", count: length) + mark
        seen.insert(fingerprint(key))
        keys += 1
      }
    }
    // Each length comes with two marks and as nothing but zeros.
    #expect(seen.count == keys)
    #expect(fingerprint("a") != fingerprint("a", seed: 8))
  }

  @Test func manyThreadsAtOnce() async {
    let cache = L1Cache(capacity: 50, timeToLive: .seconds(60), timeToIdle: .seconds(60))
    var mostEntries = 0
    await withTaskGroup(of: (wrong: Int, most: Int).self) { group in
      for worker in 0..<4 as Range<UInt64> {
        group.addTask {
          var generator = Seed(worker)
          var (wrong, most) = (0, 0)
          for _ in 0..<20_000 {
            let key = "k\(Int.random(in: 0..<200, using: &generator))"
            if let value = cache.value(of: key) {
              if value != .text(key) { wrong += 1 }
            } else {
              cache.store(.text(key), for: key)
            }
            if Int.random(in: 0..<50, using: &generator) == 0 { cache.remove(key) }
            most = max(most, cache.statistics.count)
          }
          return (wrong, most)
        }
      }
      for await result in group {
        #expect(result.wrong == 0)
        mostEntries = max(mostEntries, result.most)
      }
    }
    #expect(mostEntries == 50)
    let statistics = cache.statistics
    #expect(statistics.hits + statistics.misses == 80_000)
    #expect(statistics.hits > 0)
  }
}
