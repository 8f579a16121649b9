import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

@Suite(.timeLimit(.minutes(2))) struct FencedStoreTests {
  private func snapshot(_ text: String, standby: Bool = false) throws -> DatabaseSnapshot {
    try DatabaseSnapshot(text: text, isFromStandby: standby)
  }

  private let servers = TrustedServers(.all(["user:", "wallet:"]))

  private func read(_ store: FencedStore, _ key: CacheKey, _ session: Session) throws -> StoreReading {
    try store.read(key, trusting: servers, in: session)
  }

  private func lease(_ store: FencedStore, _ key: CacheKey, _ session: Session) throws -> FillLease {
    guard case .granted(let lease) = try read(store, key, session) else {
      throw TestFailure("no lease for \(key)")
    }
    return lease
  }

  /// A session to a server that was vouched for before any transaction fenced.
  private func session(_ server: PrivateRedis) throws -> Session {
    let session = try Session(connecting: Endpoint(url: server.url), commandTimeout: .seconds(20))
    let store = try FencedStore()
    let horizon = Horizon(latest: TransactionID(1), fencing: [])
    guard try store.establish(servers, in: session, horizon: { horizon }) else {
      throw TestFailure("a new server is not trusted")
    }
    return session
  }

  /// A writer to whom nobody is over.
  private func writer(_ number: UInt64, seeing text: String = "1:1:") throws -> WritingTransaction {
    WritingTransaction(TransactionID(number), snapshot: try snapshot(text))
  }

  @Test func aMissIsLoadedByOneAndReadByAll() async throws {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("user:42"))
      let session = try session(server)
      let lease = try lease(store, key, session)
      #expect(try read(store, key, session) == .beingLoaded)
      let loaded = LoadedValue(.text(#"{"id":42}"#), snapshot: try snapshot("10:10:"))
      #expect(try store.fill(loaded, under: lease, in: session) == .stored)
      guard case .value(let value, let timeLeft) = try read(store, key, session) else {
        throw TestFailure("no value")
      }
      #expect(value == .text(#"{"id":42}"#))
      #expect(timeLeft > .seconds(260) && timeLeft <= .seconds(330))
      // Plain for others.
      #expect(try session.execute("GET", "user:42").text() == #"{"id":42}"#)
      // One lease, one fill.
      #expect(try store.fill(loaded, under: lease, in: session) == .leaseLost)
    }
  }

  @Test func anAbsenceIsRememberedForAShortTime() async throws {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("user:0"))
      let session = try session(server)
      let absence = LoadedValue(.absent, snapshot: try snapshot("10:10:"))
      #expect(try store.fill(absence, under: lease(store, key, session), in: session) == .stored)
      guard case .value(.absent, let timeLeft) = try read(store, key, session) else {
        throw TestFailure("no absence")
      }
      #expect(timeLeft <= .seconds(33))
    }
  }

  /// Each row: which transaction wrote, what the load saw, and whether it may come in.
  @Test(
    arguments: [
      (7, "10:12:10", false, FillOutcome.stored), (11, "10:12:10", false, .stored),
      (10, "10:12:10", false, .fenced),
      (12, "10:12:10", false, .fenced), (99, "100:100:", false, .stored), (100, "99:101:99", false, .stored),
      (9, "10:12:", true, .stored), (11, "10:12:", true, .fenced),
      // Beyond the numbers of Lua, and with more digits than the other.
      (9_007_199_254_740_993, "9007199254740993:9007199254740994:9007199254740993", false, .fenced),
      (9_007_199_254_740_992, "9007199254740993:9007199254740993:", false, .stored),
      (9, "10:10:", false, .stored), (10, "9:9:", false, .fenced), (1, "5:20:11,12", false, .stored),
    ] as [(UInt64, String, Bool, FillOutcome)]) func aFillIsWeighedAgainstTheFences(
      number: UInt64, seen: String, standby: Bool, expected: FillOutcome
    ) async throws
  {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("wallet:1"))
      let session = try session(server)
      try store.fence([key], by: writer(number), in: session)
      let lease = try lease(store, key, session)
      let loaded = LoadedValue(.text("1"), snapshot: try snapshot(seen, standby: standby))
      // The same rule in Swift.
      #expect(loaded.snapshot.sees(TransactionID(number)) == (expected == .stored))
      let outcome = try store.fill(loaded, under: lease, in: session)
      #expect(outcome == expected)
      #expect(try session.execute("EXISTS", "wallet:1").integer() == (expected == .stored ? 1 : 0))
      // Whatever became of it, the next one may try.
      if outcome == .fenced { _ = try self.lease(store, key, session) }
    }
  }

  @Test func aWriteTakesTheValueAndTheLeaseAway() async throws {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("user:1"))
      let session = try session(server)
      let old = LoadedValue(.text("old"), snapshot: try snapshot("10:10:"))
      _ = try store.fill(old, under: lease(store, key, session), in: session)
      try store.fence([key], by: writer(10), in: session)
      #expect(try session.execute("GET", "user:1") == .null)
      // A load that began before the write comes back after it.
      let early = try lease(store, key, session)
      try store.fence([key], by: writer(11), in: session)
      #expect(try store.fill(old, under: early, in: session) == .leaseLost)
      #expect(try session.execute("GET", "user:1") == .null)
      let fresh = LoadedValue(.text("new"), snapshot: try snapshot("12:12:"))
      #expect(try store.fill(fresh, under: lease(store, key, session), in: session) == .stored)
    }
  }

  /// A fill by a load that saw the write leaves the fence for those that did not.
  @Test func afterAnEvictionALaggingStandbyStaysOut() async throws {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("user:1"))
      let session = try session(server)
      try store.fence([key], by: writer(10), in: session)
      let fresh = LoadedValue(.text("new"), snapshot: try snapshot("11:11:"))
      #expect(try store.fill(fresh, under: lease(store, key, session), in: session) == .stored)
      try session.execute("DEL", "user:1")
      let stale = LoadedValue(.text("old"), snapshot: try snapshot("9:10:", standby: true))
      #expect(try store.fill(stale, under: lease(store, key, session), in: session) == .fenced)
    }
  }

  @Test func manyFencesOfWhatIsOverBecomeOneBound() async throws {
    try await withRedis { server in
      var settings = StoreSettings()
      settings.fencesMax = 5
      let (store, key) = (try FencedStore(settings), try CacheKey("user:1"))
      let session = try session(server)
      // Transaction 3 runs on while the others come and go.
      for number in 3...40 as ClosedRange<UInt64> {
        try store.fence(
          [key], by: writer(number, seeing: number == 3 ? "3:3:" : "3:\(number):3"), in: session)
      }
      let entry = try #require(try store.peek([key], in: session).first)
      #expect(entry.fences.first == TransactionID(3) && entry.fences.last == TransactionID(40))
      #expect(entry.fences.count <= 6)
      #expect(entry.floor.map { $0 >= TransactionID(30) } == true)
      // A standby is past the fences that are left, but for all that it knows not past those that are gone.
      let outcomes = [
        ("3:50:3", false, FillOutcome.fenced), ("4:50:", true, .fenced), ("40:50:", true, .fenced),
        ("41:50:", true, .stored),
      ]
      for (seen, standby, expected) in outcomes {
        let load = LoadedValue(.text("x"), snapshot: try snapshot(seen, standby: standby))
        #expect(try store.fill(load, under: lease(store, key, session), in: session) == expected)
      }
    }
  }

  @Test func livesNeverShrinkAndLeasesEnd() async throws {
    try await withRedis { server in
      var short = StoreSettings()
      (short.fenceLife, short.leaseLife) = (.seconds(10), .milliseconds(50))
      let (patient, hasty) = (try FencedStore(), try FencedStore(short))
      let key = try CacheKey("user:1")
      let session = try session(server)
      try patient.fence([key], by: writer(1), in: session)
      try hasty.fence([key], by: writer(2), in: session)
      #expect(try session.execute("PTTL", "fence:{user:1}").integer() > 500_000)
      let lost = try lease(hasty, key, session)
      try await Task.sleep(for: .milliseconds(80))
      let second = try lease(hasty, key, session)
      let loaded = LoadedValue(.text("1"), snapshot: try snapshot("5:5:"))
      #expect(try hasty.fill(loaded, under: lost, in: session) == .leaseLost)
      try hasty.release(lost, in: session)
      #expect(try hasty.fill(loaded, under: second, in: session) == .stored)
      try session.execute("DEL", "user:1")
      try hasty.release(lease(hasty, key, session), in: session)
      _ = try lease(hasty, key, session)
    }
  }

  @Test func aServerThatLostEverythingRefusesTheLateFill() async throws {
    try await withRedis { server in
      let (store, key) = (try FencedStore(), try CacheKey("user:1"))
      let session = try session(server)
      let lease = try lease(store, key, session)
      try await server.stop()
      try await server.start()
      let loaded = LoadedValue(.text("1"), snapshot: try snapshot("5:5:"))
      #expect(try store.fill(loaded, under: lease, in: session) == .leaseLost)
    }
  }

  @Test func settingsThatCannotBeAreRefused() throws {
    var broken = Array(repeating: StoreSettings(), count: 5)
    broken[0].timeToLive = .zero
    broken[1].jitter = 0.6
    broken[2].jitter = .nan
    broken[3].fencesMax = 0
    broken[4].leaseLife = .seconds(700)
    for settings in broken {
      let error = try #require(throws: SimpleFailure.self) { try FencedStore(settings) }
      #expect(error.code == "cache_settings_invalid")
    }
  }
}
