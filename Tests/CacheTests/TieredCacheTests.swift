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
    var isHeld = false

    func snapshot() throws -> DatabaseSnapshot {
      let list = running.map(\.description).joined(separator: ",")
      let oldest = running.first?.number ?? lastTransaction + 1
      return try DatabaseSnapshot(text: "\(oldest):\(lastTransaction + 1):\(list)", isFromStandby: false)
    }
  }

  private let state = Mutex(State())
  private let delay: Duration

  init(delay: Duration = .zero) { self.delay = delay }

  var reads: Int { state.withLock { $0.reads } }
  /// Whether loads that begin wait until this is false.
  var isHeld: Bool {
    get { state.withLock { $0.isHeld } }
    set { state.withLock { $0.isHeld = newValue } }
  }
  /// What the last acknowledged write has written.
  var acknowledged: Int { state.withLock { $0.value } }

  func begin() throws -> WritingTransaction {
    try state.withLock { state in
      let snapshot = try state.snapshot()
      state.lastTransaction += 1
      let transaction = TransactionID(state.lastTransaction)
      state.running.append(transaction)
      return WritingTransaction(transaction, snapshot: snapshot)
    }
  }

  func commit(_ transaction: WritingTransaction, _ value: Int) {
    state.withLock { state in
      state.value = value
      state.running.removeAll { $0 == transaction.id }
    }
  }

  @Sendable func horizon() async throws -> Horizon {
    state.withLock { state in
      state.lastTransaction += 1
      return Horizon(latest: TransactionID(state.lastTransaction), fencing: state.running)
    }
  }

  @Sendable func load() async throws -> LoadedValue {
    let (value, snapshot) = try state.withLock { state in
      state.reads += 1
      return (state.value, try state.snapshot())
    }
    if delay > .zero { try await Task.sleep(for: delay) }
    while isHeld { try await Task.sleep(for: .milliseconds(1)) }
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

  private func world(
    _ server: PrivateRedis, _ row: Row, l1: L1Cache? = nil, behind proxy: Proxy? = nil,
    timeout: Duration = .seconds(20)
  ) async throws -> World {
    let store = try FencedStore()
    let endpoint =
      try proxy.map { try Endpoint(.tcp(host: "127.0.0.1", port: $0.port)) } ?? Endpoint(url: server.url)
    let redis = try Connection(endpoint, connectTimeout: timeout, commandTimeout: timeout)
    let cache = TieredCache(
      l1: l1, store: store, redis: redis, servers: TrustedServers(.all(["user:"])), horizon: row.horizon)
    #expect(try await cache.vouch())
    return World(cache: cache, store: store, redis: redis, key: try CacheKey("user:1"))
  }

  private func fence(_ world: World, _ transaction: WritingTransaction) async throws {
    let (store, key) = (world.store, world.key)
    try await world.redis.withSession { try store.fence([key], by: transaction, in: $0) }
  }

  @Test func theDatabaseIsReadOnceThenL2ThenL1() async throws {
    try await withRedis { server in
      let l1 = L1Cache(capacity: 10, timeToLive: .seconds(60), timeToIdle: .seconds(60))
      let row = Row()
      let world = try await world(server, row, l1: l1)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      // A fill changes the key, so what was loaded waits for its first read out of L2.
      #expect(l1.statistics.count == 0)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(l1.statistics.count == 1)
      l1.remove(world.key.text)
      #expect(l1.statistics.count == 0)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(row.reads == 1)
      try await server.stop()
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      #expect(row.reads == 1)
    }
  }

  /// Between the answer of L2 and the store in L1 the key is removed, as a tracker does it.
  @Test func aValueThatChangedWhileItWasReadStaysOutOfL1() async throws {
    try await withRedis { server in
      let l1 = L1Cache(capacity: 10, timeToLive: .seconds(60), timeToIdle: .seconds(60))
      let proxy = try Proxy(to: .unix(server.socket))
      defer { proxy.stop() }
      let row = Row()
      let world = try await world(server, row, l1: l1, behind: proxy)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      let misses = l1.statistics.misses
      proxy.set(.delay(milliseconds: 1000))
      let reading = Task { try await world.cache.value(of: world.key, load: row.load) }
      while l1.statistics.misses == misses { try await Task.sleep(for: .milliseconds(5)) }
      // The read takes its ticket next, and has its answer in two seconds.
      try await Task.sleep(for: .milliseconds(300))
      l1.remove(world.key.text)
      #expect(try await reading.value == .text("0"))
      #expect(row.reads == 1 && l1.statistics.count == 0)
    }
  }

  @Test func l1HoldsNothingLongerThanL2() async throws {
    try await withRedis { server in
      let l1 = L1Cache(capacity: 10, timeToLive: .seconds(60), timeToIdle: .seconds(60))
      let world = try await world(server, Row(), l1: l1)
      for (text, value) in [("7", CachedValue.text("7")), ("null", .absent)] {
        try await world.redis.execute(Command("SET", .text(world.key.text), .text(text), "PX", 2000))
        #expect(try await world.cache.value(of: world.key) { throw TestFailure("not from L2") } == value)
        #expect(l1.value(of: world.key.text) == value)
        try await Task.sleep(for: .milliseconds(2050))
        #expect(l1.value(of: world.key.text) == nil)
      }
    }
  }

  @Test func manyReadersOfOneKeyAreOneLoad() async throws {
    try await withRedis { server in
      let row = Row(delay: .milliseconds(30))
      let world = try await world(server, row)
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
      let row = Row()
      let world = try await world(server, row)
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
      let row = Row()
      let world = try await world(server, row, l1: l1)
      let old = try await world.cache.value(of: world.key) {
        let loaded = try await row.load()
        let writer = try row.begin()
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
      let row = Row()
      let world = try await world(server, row)
      let writer = try row.begin()
      try await fence(world, writer)
      #expect(
        try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      row.commit(writer, 1)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("1"))
      #expect(try await world.cache.value(of: world.key) { throw TestFailure("not from L2") } == .text("1"))
    }
  }

  /// Before a value ends, one of its readers has it loaded anew, and none of them waits for that.
  @Test func aValueIsLoadedAnewBeforeItsEnd() async throws {
    try await withRedis { server in
      let row = Row(delay: .seconds(1))
      // So eager that a load of a second makes every tenth reader begin minutes before the end; one of the ten milliseconds that
      // are guessed at first would make none.
      let cache = TieredCache(
        l1: nil, store: try FencedStore(), redis: try Connection(Endpoint(url: server.url)),
        servers: TrustedServers(.all(["user:"])), refresh: EarlyRefresh(eagerness: 1000), horizon: row.horizon
      )
      #expect(try await cache.vouch())
      let key = try CacheKey("user:1")
      #expect(try await cache.value(of: key, load: row.load) == .text("0"))
      row.isHeld = true
      row.commit(try row.begin(), 1)
      let deadline = Deadline.after(.seconds(60))
      while row.reads < 2 {
        guard !deadline.hasPassed else { throw TestFailure("nobody loads it anew") }
        #expect(try await cache.value(of: key, load: row.load) == .text("0"))
        await Task.yield()
      }
      // The load cannot end, and its readers get the value that there is; nobody begins another.
      for _ in 0..<20 { #expect(try await cache.value(of: key, load: row.load) == .text("0")) }
      #expect(row.reads == 2)
      row.isHeld = false
      while try await cache.value(of: key, load: row.load) != .text("1") {
        guard !deadline.hasPassed else { throw TestFailure("the new value never comes") }
        try await Task.sleep(for: .milliseconds(1))
      }
    }
  }

  @Test func aSlowRedisCostsItsTimeoutOnce() async throws {
    try await withRedis { server in
      let row = Row()
      let world = try await world(server, row, timeout: .milliseconds(300))
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

  /// What the dump holds is old: it is not served, and after a while L2 serves again.
  @Test func aRestartedServerIsReadPastUntilItIsVouchedFor() async throws {
    try await withRedis { server in
      let row = Row()
      let world = try await world(server, row)
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("0"))
      try await world.redis.execute(Command("SAVE"))
      let writer = try row.begin()
      try await fence(world, writer)
      row.commit(writer, 1)
      try await server.crash()
      let resurrected = try await world.redis.execute(Command("GET", .text(world.key.text))).text()
      #expect(resurrected == "0")
      #expect(try await world.cache.value(of: world.key, load: row.load) == .text("1"))
      let deadline = Deadline.after(.seconds(30))
      var reads = -1
      while reads != row.reads, !deadline.hasPassed {
        reads = row.reads
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await world.cache.value(of: world.key, load: row.load) == .text("1"))
      }
      #expect(try await world.redis.execute(Command("GET", .text(world.key.text))).text() == "1")
    }
  }

  /// Readers, writers that fence and commit, loads that take a while: nothing older than an acknowledged write.
  @Test func interleavedReadsAndWritesAreNeverStale() async throws {
    try await withRedis { server in
      let row = Row(delay: .milliseconds(2))
      let world = try await world(server, row)
      let other = try await self.world(server, row)
      try await withThrowingTaskGroup(of: (stale: Int, reads: Int).self) { group in
        group.addTask {
          for value in 1...150 {
            let transaction = try row.begin()
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
