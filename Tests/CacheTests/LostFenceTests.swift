import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

/// Side hashes that vanish, and the registry that answers for them.
@Suite(.timeLimit(.minutes(2))) struct LostFenceTests {
  private let key: CacheKey
  private let other: CacheKey

  init() throws {
    key = try CacheKey("user:1")
    other = try CacheKey("user:2")
  }

  @Test func theRegistryAnswersForALostSideHash() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      try bench.fence([key], by: 10)
      try bench.session.execute("DEL", .text(key.sideKey))
      // Transaction 10 still runs, and nothing at the key says so.
      #expect(try bench.fill(key, "old", seeing: "10:11:10") == .fenced)
      // From now on the key knows: others that run and have not fenced it are none of its business.
      try bench.fence([other], by: 11)
      #expect(try bench.fill(key, "new", seeing: "11:12:11") == .stored)
      // A standby has to be past what was lost.
      try bench.session.execute("DEL", .text(key.text))
      #expect(try bench.fill(key, "old", seeing: "10:10:", standby: true) == .fenced)
      #expect(try bench.fill(key, "new", seeing: "11:11:", standby: true) == .stored)
    }
  }

  @Test func aLossAfterTheLeaseTakesItAway() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      let early = try bench.lease(key)
      try bench.fence([key], by: 10)
      try bench.session.execute("DEL", .text(key.sideKey))
      #expect(try bench.fill(early, "old", seeing: "10:10:") == .leaseLost)
      // Another reader has the new lease, and the first fills with its old one.
      let late = try bench.lease(key)
      #expect(try bench.fill(early, "old", seeing: "10:10:") == .leaseLost)
      #expect(try bench.fill(late, "old", seeing: "10:11:10") == .fenced)
    }
  }

  @Test func aConfirmRaisesWhatHasVanished() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      try bench.fence([key, other], by: 10)
      #expect(try bench.store.confirm([key, other], by: TransactionID(10), in: bench.session) == 0)
      try bench.session.execute("DEL", .text(key.sideKey))
      try bench.session.execute("SET", .text(key.text), "old")
      #expect(try bench.store.confirm([key, other], by: TransactionID(10), in: bench.session) == 1)
      #expect(try bench.stored(key) == nil)
      let entries = try bench.store.peek([key, other], in: bench.session)
      #expect(entries.map(\.fences) == [[TransactionID(10)], [TransactionID(10)]])
    }
  }

  /// More keys than one call may have.
  @Test func manyKeysAreFencedInGroups() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      let keys = try (0..<1001).map { try CacheKey("user:\($0)") }
      try bench.fence(keys, by: 10)
      let entries = try bench.store.peek(keys, in: bench.session)
      #expect(entries.count == 1001 && entries.allSatisfy { $0.fences == [TransactionID(10)] })
      let calls = bench.store.confirming(keys, by: TransactionID(10), in: bench.session)
      #expect(calls.count == 5)
    }
  }

  @Test func theRegistryForgetsWhatIsOver() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      // Transaction 10 runs on; of the others each is over when the next one begins.
      for number in 10...1000 as ClosedRange<UInt64> {
        try bench.fence([], by: number, seeing: number == 10 ? "10:10:" : "10:\(number):10")
      }
      let registry = try Registry(bench.store.registryKey, in: bench.session)
      #expect(registry.fences.count < 100 && registry.fences.contains(TransactionID(10)))
      #expect(registry.since == nil)
      #expect(try #require(registry.floor) >= TransactionID(900))
      #expect(try bench.fill(key, "1", seeing: "10:1001:10") == .fenced)
      #expect(try bench.fill(key, "1", seeing: "11:1001:") == .stored)
    }
  }

  /// Should more transactions run than it may name, all of them count until the last is over.
  @Test func aRegistryThatIsFullIsMoreCautious() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      for number in 10...9000 as ClosedRange<UInt64> { try bench.fence([], by: number) }
      #expect(try bench.session.execute("HLEN", "fence:{ironforge}").integer() < 8500)
      let since = try #require(try Registry(bench.store.registryKey, in: bench.session).since)
      #expect(since > TransactionID(4096))
      #expect(try bench.fill(key, "1", seeing: "4000:9001:4000") == .fenced)
      #expect(try bench.fill(key, "1", seeing: "9001:9001:") == .stored)
    }
  }
}
