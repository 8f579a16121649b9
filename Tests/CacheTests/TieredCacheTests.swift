import Glibc
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

@testable import Cache

/// A database of one row, with transactions, snapshots and a delay between a read and its answer.
private final class Row: Sendable {
  private struct State {
    var value = 0
    var lastTransaction: UInt64 = 10
    var running: [TransactionID] = []
    var reads = 0
  }

  private let state = Mutex(State())
  private let delay: Duration

  init(delay: Duration = .zero) { self.delay = delay }

  var reads: Int { state.withLock { $0.reads } }
  /// What the last acknowledged write has written.
  var acknowledged: Int { state.withLock { $0.value } }

  func begin() -> TransactionID {
    state.withLock { state in
      state.lastTransaction += 1
      let transaction = TransactionID(state.lastTransaction)
      state.running.append(transaction)
      return transaction
    }
  }

  func commit(_ transaction: TransactionID, _ value: Int) {
    state.withLock { state in
      state.value = value
      state.running.removeAll { $0 == transaction }
    }
  }

  @Sendable func load() async throws -> LoadedValue {
    let (value, next, running) = state.withLock { state in
      state.reads += 1
      return (state.value, state.lastTransaction + 1, state.running)
    }
    if delay > .zero { try await Task.sleep(for: delay) }
    let list = running.map(\.description).joined(separator: ",")
    let oldest = running.first?.number ?? next
    let snapshot = try DatabaseSnapshot(text: "\(oldest):\(next):\(list)", isFromStandby: false)
    return LoadedValue(.text(String(value)), snapshot: snapshot)
  }
}

@Suite(.timeLimit(.minutes(2))) struct TieredCacheTests {
  private struct World {
    let cache: TieredCache
    let store: FencedStore
    let redis: Connection
    let key: CacheKey
  }

  private func world(_ server: PrivateRedis, l1: L1Cache? = nil, timeout: Duration = .seconds(20)) throws
    -> World
  {
    let store = try FencedStore()
    let redis = try Connection(Endpoint(url: server.url), connectTimeout: timeout, commandTimeout: timeout)
    return World(
      cache: TieredCache(l1: l1, store: store, redis: redis), store: store, redis: redis,
      key: try CacheKey("user:1"))
  }

  private func fence(_ world: World, _ transaction: TransactionID) async throws {
    let (store, key) = (world.store, world.key)
    try await world.redis.withSession { try store.fence([key], by: transaction, in: $0) }
  }

  @Test func theDatabaseIsReadOnceThenL2ThenL1() async throws {
    try await withRedis { server in
      let l1 = L1Cache(capacity: 10, timeToLive: .seconds(60), timeToIdle: .seconds(60))
      let (world, row) = (try world(server, l1: l1), Row())
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(l1.statistics.count == 1)
      world.cache.forget(world.key)
      #expect(l1.statistics.count == 0)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(row.reads == 1)
      try await server.stop()
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(row.reads == 1)
    }
  }

  @Test func manyReadersOfOneKeyAreOneLoad() async throws {
    try await withRedis { server in
      let (world, row) = (try world(server), Row(delay: .milliseconds(30)))
      try await withThrowingTaskGroup(of: CachedValue.self) { group in
        for _ in 0..<100 {
          group.addTask { try await world.cache.value(of: world.key, load: row.load) }
        }
        for try await value in group { #expect(value == .text("0")) }
      }
      // One fills. Those whose patience with it ended share their loads.
      #expect(row.reads <= 4)
    }
  }

  @Test func aFailedLoadGivesItsLeaseBack() async throws {
    try await withRedis { server in
      let (world, row) = (try world(server), Row())
      let error = await thrown {
        try await world.cache.value(of: world.key) { throw TestFailure("no database") }
      }
      #expect(error is TestFailure)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      let stored = try await world.redis.execute(Command("GET", .text(world.key.text))).text()
      #expect(stored == "0")
    }
  }

  /// The write begins after the load has read, and is acknowledged before the fill.
  @Test func aLoadThatAWriteHasOvertakenStaysOut() async throws {
    try await withRedis { server in
      let l1 = L1Cache(capacity: 10, timeToLive: .seconds(60), timeToIdle: .seconds(60))
      let (world, row) = (try world(server, l1: l1), Row())
      let old = try await world.cache.value(of: world.key) {
        let loaded = try await row.load()
        let writer = row.begin()
        try await self.fence(world, writer)
        row.commit(writer, 1)
        return loaded
      }
      #expect(old == .text("0"))
      #expect(l1.statistics.count == 0)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("1"))
    }
  }

  /// The load begins between the fence and the commit, with a new lease.
  @Test func aLoadThatDidNotSeeTheFencingTransactionStaysOut() async throws {
    try await withRedis { server in
      let (world, row) = (try world(server), Row())
      let writer = row.begin()
      try await fence(world, writer)
      #expect(
        try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      row.commit(writer, 1)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("1"))
      #expect(try await world.cache.value(of: world.key) { throw TestFailure("not from L2") } == .text("1"))
    }
  }

  @Test func aSlowRedisCostsItsTimeoutOnce() async throws {
    try await withRedis { server in
      let (world, row) = (try world(server, timeout: .milliseconds(300)), Row())
      _ = try await world.cache.value(of: world.key, load: row.load)
      try server.signal(SIGSTOP)
      let begin = monotonicNanoseconds()
      for _ in 0..<20 {
        #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      }
      // Twenty time-outs would be six seconds.
      #expect(monotonicNanoseconds() - begin < 3_000_000_000)
      #expect(world.cache.isBypassingRedis)
      try server.signal(SIGCONT)
      let deadline = Deadline.after(.seconds(30))
      while world.cache.isBypassingRedis, !deadline.hasPassed {
        try await Task.sleep(for: .milliseconds(100))
        _ = try await world.cache.value(of: world.key, load: row.load)
      }
      #expect(!world.cache.isBypassingRedis)
    }
  }

  /// Readers, writers that fence and commit, loads that take a while: nothing older than an acknowledged write.
  @Test func interleavedReadsAndWritesAreNeverStale() async throws {
    try await withRedis { server in
      let (world, row) = (try world(server), Row(delay: .milliseconds(2)))
      let other = try self.world(server)
      try await withThrowingTaskGroup(of: (stale: Int, reads: Int).self) { group in
        group.addTask {
          for value in 1...150 {
            let transaction = row.begin()
            try await self.fence(world, transaction)
            row.commit(transaction, value)
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...6)))
          }
          return (0, 0)
        }
        for reader in 0..<6 {
          group.addTask {
            var (stale, reads) = (0, 0)
            while row.acknowledged < 150 {
              let known = row.acknowledged
              let cache = reader % 2 == 0 ? world.cache : other.cache
              let text = try await cache.value(of: world.key, load: row.load).text
              if Int(text ?? "") ?? -1 < known { stale += 1 }
              reads += 1
            }
            return (stale, reads)
          }
        }
        var reads = 0
        for try await result in group {
          #expect(result.stale == 0)
          reads += result.reads
        }
        #expect(reads > 200)
        #expect(row.reads < reads)
      }
    }
  }
}
