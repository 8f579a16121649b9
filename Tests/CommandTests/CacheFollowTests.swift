import Cache
import Glibc
import Primitives
import Redis
import TestSupport
import Testing
import WalletCache

/// A process that holds rows in L1, while commands write in others.
@Suite(.timeLimit(.minutes(3)))
struct CacheFollowTests {
  @Test func aRenameInAnotherProcessIsSeenWithinTheBound() async throws {
    try await withCachedTown { town in
      let l1 = L1Cache(capacity: 100, timeToLive: .seconds(300), timeToIdle: .seconds(300))
      let tracker = try KeyTracker(
        of: l1, prefixes: CachedTable.keyPrefixes, endpoint: Endpoint(url: town.redis.url))
      defer { tracker.stop() }
      let key = try await town.key(ofWallet: "main")
      for name in ["first", "second", "third"] {
        try await hold(key, of: town, in: l1)
        let renamed = try await town.run("wallet", "rename", String(key.dropFirst("wallet:".count)), name)
        #expect(renamed.exitCode == 0, "\(renamed.stderr)")
        let acknowledged = ContinuousClock.now
        while l1.value(of: key) != nil {
          try #require(ContinuousClock.now - acknowledged <= KeyTracker.boundMax)
          try await Task.sleep(for: .milliseconds(1))
        }
        try await hold(key, of: town, in: l1)
        #expect(l1.value(of: key)?.text?.contains("\"name\":\"\(name)\"") == true)
      }
    }
  }

  /// A process that runs for long answers out of its memory, and has the new name a second and a half later at most.
  @Test func whatIsWatchedFollowsARename() async throws {
    try await withCachedTown { town in
      let key = try await town.key(ofWallet: "main")
      let watching = try await town.start("cache", "get", key, "--watch", "--json")
      try await Task.sleep(for: .seconds(4))
      let renamed = try await town.run("wallet", "rename", String(key.dropFirst("wallet:".count)), "other")
      #expect(renamed.exitCode == 0)
      try await Task.sleep(for: .seconds(5))
      try watching.signal(SIGINT)
      let result = try await watching.finish()
      #expect(result.exitCode == 130)
      let lines = result.stdout.split(separator: "\n")
      let change = try #require(lines.firstIndex { $0.contains("\"name\":\"other\"") }, "\(result)")
      // Read again, remembered, forgotten at the rename, and the same once more.
      let isNew = lines[change...].allSatisfy { $0.contains("\"name\":\"other\"") }
      #expect(isNew && lines.count - change >= 2, "\(result)")
      for part in [lines[..<change], lines[change...]] {
        #expect(part.contains { $0.contains("\"tier\":\"l1\"") }, "\(result)")
      }
      #expect(!lines[change].contains("\"tier\":\"l1\""), "\(result)")
    }
  }

  /// Reads the key through L2 until L1 holds it.
  private func hold(_ key: String, of town: CachedTown, in l1: L1Cache) async throws {
    let deadline = Deadline.after(.seconds(60))
    while l1.value(of: key) == nil {
      guard !deadline.hasPassed else { throw TestFailure("\(key) does not get into L1") }
      let ticket = l1.ticket(for: key)
      guard let text = try await town.command("GET", .text(key)).text() else {
        #expect(try await town.run("cache", "get", key).exitCode == 0)
        continue
      }
      l1.store(.text(text), for: key, lifetime: .seconds(300), under: ticket)
    }
  }
}
