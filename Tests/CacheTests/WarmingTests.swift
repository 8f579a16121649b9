import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

/// Many keys at once.
@Suite(.timeLimit(.minutes(2))) struct WarmingTests {
  private let keys: [CacheKey]

  init() throws {
    keys = try (0..<300).map { try CacheKey("user:\($0)") }
  }

  private func chunk(_ keys: [CacheKey], _ text: String, seeing seen: String, standby: Bool = false) throws
    -> WarmChunk
  {
    var texts = KeyedTexts()
    for key in keys { texts.append(key, text) }
    return WarmChunk(texts, snapshot: try DatabaseSnapshot(text: seen, isFromStandby: standby))
  }

  private func counts(_ outcome: WarmOutcome) throws -> WarmCounts {
    guard case .done(let counts) = outcome else { throw TestFailure("\(outcome)") }
    return counts
  }

  private func established(_ server: PrivateRedis) throws -> StoreBench {
    let bench = try StoreBench(server)
    #expect(try bench.establish(horizon: 5))
    return bench
  }

  @Test func aChunkIsStoredWhileNobodyWrites() async throws {
    try await withRedis { server in
      let bench = try established(server)
      func warm(_ text: String) throws -> WarmCounts {
        try counts(
          bench.store.warm(trusting: bench.servers, in: bench.session) {
            try chunk(keys, text, seeing: "10:10:")
          })
      }
      let first = try warm("one")
      #expect(first.written == 300 && first.fresh == 0 && first.refused.isEmpty)
      #expect(try bench.stored(keys[299]) == "one")
      try bench.session.execute("DEL", .text(keys[0].text))
      let second = try warm("one")
      #expect(second.written == 1 && second.fresh == 299)
      #expect(try warm("two").written == 300)
      // Something else stands under the name.
      try bench.session.execute("DEL", .text(keys[7].text))
      try bench.session.execute("HSET", .text(keys[7].text), "a", "b")
      let third = try warm("two")
      #expect(third.fresh == 299 && third.refused == [keys[7]])
    }
  }

  @Test func aFenceWhileTheChunkIsReadKeepsItOut() async throws {
    try await withRedis { server in
      let (bench, writer) = (try established(server), try StoreBench(server))
      let outcome = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        let chunk = try chunk(keys, "old", seeing: "10:10:")
        try writer.fence([keys[3]], by: 10)
        return chunk
      }
      #expect(outcome == .overtaken)
      #expect(try bench.session.execute("EXISTS", .text(keys[0].text)).integer() == 0)
      // It still runs.
      let later = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        try chunk(keys, "old", seeing: "10:11:10")
      }
      #expect(later == .overtaken)
      // A standby that may not have come so far.
      let lagging = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        try chunk(keys, "old", seeing: "10:10:", standby: true)
      }
      #expect(lagging == .overtaken)
      let last = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        try chunk(keys, "new", seeing: "11:11:")
      }
      #expect(try counts(last).written == 300)
    }
  }

  @Test func underLeasesOnlyWhatWasWrittenIsRefused() async throws {
    try await withRedis { server in
      let (bench, writer) = (try established(server), try StoreBench(server))
      func warm(_ text: String, seeing seen: String, meanwhile: () throws -> Void = {}) throws -> WarmCounts {
        try counts(
          bench.store.warm(keys, trusting: bench.servers, in: bench.session) {
            let chunk = try chunk(keys, text, seeing: seen)
            try meanwhile()
            return chunk
          })
      }
      let first = try warm("old", seeing: "10:10:") { try writer.fence([keys[3], keys[290]], by: 10) }
      #expect(first.written == 298 && Set(first.refused) == [keys[3], keys[290]])
      #expect(first.bytes == 298 * 3)
      // It runs on, and another has begun, which may have fenced the two: their side hashes were new.
      try writer.fence([], by: 11)
      let second = try warm("old", seeing: "10:12:10,11")
      #expect(second.fresh == 298 && Set(second.refused) == [keys[3], keys[290]])
      // From then on they know better.
      try writer.fence([], by: 12)
      let third = try warm("new", seeing: "12:13:12")
      #expect(third.written == 300 && third.refused.isEmpty)
    }
  }

  @Test func aKeyThatSomebodyLoadsIsLeftToThem() async throws {
    try await withRedis { server in
      let bench = try established(server)
      let lease = try bench.lease(keys[5])
      let outcome = try bench.store.warm(keys, trusting: bench.servers, in: bench.session) {
        // The last row has been deleted, and one of others has come in between.
        try chunk(Array(keys.dropLast()) + [CacheKey("user:new")], "1", seeing: "10:10:")
      }
      let counts = try counts(outcome)
      #expect(counts.written == 298 && counts.refused == [keys[5]])
      #expect(try bench.fill(lease, "1", seeing: "10:10:") == .stored)
      #expect(try bench.session.execute("EXISTS", "user:new").integer() == 0)
      // Its lease was given back.
      _ = try bench.lease(keys[299])
    }
  }

  @Test func aLoadThatFailsGivesItsLeasesBack() async throws {
    try await withRedis { server in
      let bench = try established(server)
      let error = #expect(throws: TestFailure.self) {
        try bench.store.warm(keys, trusting: bench.servers, in: bench.session) {
          throw TestFailure("no database")
        }
      }
      #expect(error?.description == "no database")
      _ = try bench.lease(keys[0])
      // The fast way leaves nothing behind either that would hold up the next.
      #expect(throws: TestFailure.self) {
        try bench.store.warm(trusting: bench.servers, in: bench.session) {
          try StoreBench(server).fence([keys[1]], by: 7)
          throw TestFailure("no database")
        }
      }
      let outcome = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        try chunk(keys, "1", seeing: "10:10:")
      }
      #expect(try counts(outcome).written == 300)
    }
  }

  @Test func aServerThatIsNotTrustedIsNotWarmed() async throws {
    try await withRedis { server in
      let bench = try established(server)
      try bench.session.execute("FLUSHALL")
      let fast = try bench.store.warm(trusting: bench.servers, in: bench.session) {
        try chunk(keys, "1", seeing: "10:10:")
      }
      #expect(fast == .untrusted)
      let slow = try bench.store.warm(keys, trusting: bench.servers, in: bench.session) {
        try chunk(keys, "1", seeing: "10:10:")
      }
      #expect(slow == .untrusted)
      #expect(try bench.session.execute("DBSIZE").integer() == 0)
    }
  }
}
