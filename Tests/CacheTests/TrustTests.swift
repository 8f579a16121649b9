import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

/// Servers that come back without what they acknowledged.
@Suite(.timeLimit(.minutes(2))) struct TrustTests {
  private let key: CacheKey
  private let other: CacheKey

  init() throws {
    key = try CacheKey("user:1")
    other = try CacheKey("user:2")
  }

  @Test func aDumpIsNotBelieved() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.read(key) == .untrusted)
      #expect(try bench.establish(horizon: 5))
      #expect(try bench.fill(key, "old", seeing: "10:10:") == .stored)
      try bench.session.execute("SAVE")
      try bench.fence([key], by: 10)
      try await server.crash()
      // The deletion is lost.
      #expect(try bench.stored(key) == "old")
      #expect(try bench.read(key) == .untrusted)
      #expect(try bench.establish(horizon: 11, fencing: [10]))
      #expect(try bench.stored(key) == nil)
      #expect(try bench.fill(key, "old", seeing: "10:12:10") == .fenced)
      // Transaction 9 runs too, and has fenced nothing.
      #expect(try bench.fill(key, "new", seeing: "9:12:9") == .stored)
    }
  }

  /// A standby says neither who runs nor how far behind it is.
  @Test func aStandbyMustBePastTheHorizon() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 11))
      #expect(try bench.fill(key, "old", seeing: "11:11:", standby: true) == .fenced)
      #expect(try bench.fill(key, "new", seeing: "12:12:", standby: true) == .stored)
    }
  }

  /// More may be running than the registry names.
  @Test func manyRunningAreOneBound() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 9000, fencing: Array(10...5000)))
      #expect(try Registry(bench.store.registryKey, in: bench.session).fences == [])
      #expect(try bench.fill(key, "old", seeing: "8999:9001:8999") == .fenced)
      #expect(try bench.fill(key, "new", seeing: "9001:9001:") == .stored)
    }
  }

  /// A lease that the dump holds, and a load that began before the crash.
  @Test func aLeaseOutOfADumpFillsNothingThatLasts() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      #expect(try bench.fill(key, "first", seeing: "10:10:") == .stored)
      try bench.session.execute("DEL", .text(key.text))
      let lease = try bench.lease(key)
      try bench.session.execute("SAVE")
      try bench.fence([key], by: 10)
      try await server.crash()
      // The lease has come back with the dump, and the fence has not.
      #expect(try bench.fill(lease, "old", seeing: "10:11:10") == .stored)
      #expect(try bench.read(key) == .untrusted)
      #expect(try bench.establish(horizon: 11))
      #expect(try bench.stored(key) == nil)
    }
  }

  @Test func aLostRegistryIsNoticedByTheFirstMiss() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      #expect(try bench.establish(horizon: 5))
      #expect(try bench.fill(key, "1", seeing: "10:10:") == .stored)
      try bench.session.execute("DEL", "fence:{ironforge}")
      // Its own fences are all there: nothing was lost for this key.
      guard case .value(.text("1"), _) = try bench.read(key) else { throw TestFailure("no value") }
      #expect(try bench.read(other) == .untrusted)
      #expect(try bench.establish(horizon: 12, fencing: [11]))
      #expect(try bench.fill(other, "2", seeing: "11:13:11") == .fenced)
      #expect(try bench.fill(other, "2", seeing: "13:13:") == .stored)
    }
  }

  @Test func whatHappensWhileItIsVouchedForIsNoticed() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      let (store, servers, session) = (bench.store, bench.servers, bench.session)
      func begin() throws -> Establishment {
        var step = try #require(try store.beginEstablishing(servers, in: session).first)
        while !step.isScrubbed { try store.scrub(&step, servers, in: session) }
        return step
      }
      func finish(_ step: Establishment) throws -> Bool {
        try store.finish(step, horizon: Horizon(latest: TransactionID(9), fencing: []), servers, in: session)
      }
      // A transaction may have fenced and been forgotten since the horizon was asked for.
      let first = try begin()
      try session.execute("FLUSHALL")
      #expect(try !finish(first))
      let second = try begin()
      try session.execute("SAVE")
      try await server.crash()
      #expect(try !finish(second))
      let third = try begin()
      #expect(try finish(third))
      // Another process has done it meanwhile: that counts, and nobody does it twice.
      #expect(try finish(third))
      #expect(try store.beginEstablishing(servers, in: session).isEmpty)
    }
  }

  @Test func othersKeysAreLeftAlone() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      for name in ["user:1", "fence:{user:1}", "users:1", "wallet:1", "fence:{wallet:1}", "user", "a user:1"]
      {
        try bench.session.execute("SET", .text(name), "x")
      }
      #expect(try bench.establish(horizon: 5))
      let left = try bench.session.execute("KEYS", "*").array()?.compactMap { try $0.text() }.sorted()
      #expect(
        left == ["a user:1", "fence:{ironforge}", "fence:{wallet:1}", "user", "users:1", "wallet:1"])
    }
  }

  @Test func aReplicaIsNotBelievedBeforeAndAfterItsPromotion() async throws {
    try await withRedis { server in
      let second = try await PrivateRedis()
      let (bench, replica) = (try StoreBench(server), try StoreBench(second))
      let port = Argument.integer(try PrivateRedis.freePort())
      try bench.session.execute("CONFIG", "SET", "port", port)
      #expect(try bench.establish(horizon: 5))
      #expect(try bench.fill(key, "1", seeing: "10:10:") == .stored)
      try replica.session.execute("REPLICAOF", "127.0.0.1", port)
      let deadline = Deadline.after(.seconds(30))
      while try replica.stored(key) == nil, !deadline.hasPassed {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try replica.read(key) == .untrusted)
      // It cannot be vouched for: nobody may write to it.
      let refused = try #require(throws: RedisError.self) { try replica.establish(horizon: 20) }
      #expect(refused.code == "redis_readonly")
      try replica.session.execute("REPLICAOF", "NO", "ONE")
      #expect(try replica.read(key) == .untrusted)
      #expect(try replica.establish(horizon: 20))
      #expect(try replica.fill(key, "2", seeing: "21:21:") == .stored)
      // Demoted under a living connection, it must not serve what it has; promoted again, it is another.
      try replica.session.execute("REPLICAOF", "127.0.0.1", port)
      let demoted = try #require(throws: RedisError.self) { try replica.read(key) }
      #expect(demoted.code == "redis_readonly")
      try replica.session.execute("REPLICAOF", "NO", "ONE")
      #expect(try replica.read(key) == .untrusted)
      try await second.destroy()
    }
  }

  @Test func whoMayNotAskTrustsNobody() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      try bench.session.execute("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info")
      try bench.session.execute("AUTH", "app", "secret")
      #expect(try bench.read(key) == .untrusted)
      #expect(bench.servers.refusal?.code == "redis_noperm")
      #expect(try !bench.establish(horizon: 5))
    }
  }

  /// Each master of a cluster is asked once a connection, not all of them again because another refused.
  @Test func eachServerThatRefusesIsAskedOnce() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      try bench.session.execute("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info")
      let masters = try (1...3).flatMap { _ in
        let session = try Session(connecting: Endpoint(url: server.url))
        try session.execute("AUTH", "app", "secret")
        return session.nodes()
      }
      for _ in 1...4 {
        for master in masters { #expect(try bench.servers.askIdentity(of: master) == nil) }
      }
      let statistics = try bench.session.execute("INFO", "commandstats").text() ?? ""
      let line = statistics.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_info:") }
      #expect(line?.contains("rejected_calls=3,") == true, "\(line ?? "")")
    }
  }

  @Test func whoNoLongerWantsItNeedNotWaitForTheScan() async throws {
    try await withRedis { server in
      let bench = try StoreBench(server)
      // Some four steps.
      try bench.session.execute(
        "EVAL", "for n = 1, 4000 do redis.call('SET', 'user:' .. n, 'x') end", 0)
      var steps = 0
      let isDone = try bench.store.establish(bench.servers, in: bench.session) {
        steps += 1
        return steps <= 1
      } horizon: {
        throw TestFailure("it was not finished")
      }
      #expect(!isDone)
      let left = try bench.session.execute("DBSIZE").integer()
      #expect((1..<4000).contains(left))
    }
  }

  @Test func anOldServerIsRefused() throws {
    let info = "# Server\r\nredis_version:%\r\nrun_id:abc\r\n# Replication\r\nmaster_replid:def\r\n"
    func identity(_ version: String) throws -> String {
      let text = info.split(separator: "%", omittingEmptySubsequences: false).joined(separator: version)
      return try TrustedServers.identity(info: text)
    }
    #expect(try identity("6.2.0") == "abc def")
    #expect(try identity("10.0") == "abc def")
    for old in ["6.0.16", "5.9.9"] {
      let error = try #require(throws: SimpleFailure.self) { try identity(old) }
      #expect(error.code == "redis_too_old")
    }
    #expect(throws: RedisError.self) { try TrustedServers.identity(info: "redis_version:7.0.0\r\n") }
  }
}
