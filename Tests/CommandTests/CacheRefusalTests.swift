import Cache
import Glibc
import Postgres
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing
import WalletCache

/// A warmup beside a transaction that has fenced a row and not committed yet.
@Suite(.timeLimit(.minutes(3)))
struct CacheRefusalTests {
  @Test func aRowThatIsBeingWrittenIsLeftToItsNextReader() async throws {
    try await withCachedTown { town in
      let key = try await town.key(ofWallet: "main")
      // Keys without a history of their own would wait for every transaction that fences; after a fill they have one.
      for name in ["bank", "main", "savings"] {
        #expect(try await town.run("cache", "get", try await town.key(ofWallet: name)).exitCode == 0)
      }
      let (database, redis) = (town.database.url, town.redis.url)
      let isFenced = Mutex(false)
      let mayCommit = Mutex(false)
      let writer = try await Postgres.Connection.connect(to: ConnectionString(database))
      async let commit: Void = writer.withSession { session in
        try session.simple("begin; update wallets set name = 'daily' where name = 'main'")
        let transaction = try session.newTransaction()
        let runner = try Redis.Session(connecting: Endpoint(url: redis))
        try FencedStore().fence([try CacheKey(key)], by: transaction, in: runner)
        isFenced.withLock { $0 = true }
        let deadline = Deadline.after(.seconds(60))
        while !mayCommit.withLock({ $0 }), !deadline.hasPassed { usleep(10_000) }
        try session.simple("commit")
      }
      let deadline = Deadline.after(.seconds(60))
      while !isFenced.withLock({ $0 }), !deadline.hasPassed { try await Task.sleep(for: .milliseconds(10)) }
      let busy = try await town.run("cache", "warmup", "--scope", "wallets", "--json")
      #expect(busy.exitCode == 0)
      #expect(busy.stdout.hasPrefix("{\"scanned\":3,\"written\":0,\"fresh\":2,\"refused\":1,"))
      #expect(try await town.command("EXISTS", .text(key)).integer() == 0)
      mayCommit.withLock { $0 = true }
      try await commit
      await writer.close()
      let free = try await town.run("cache", "warmup", "--scope", "wallets", "--json")
      #expect(free.stdout.hasPrefix("{\"scanned\":3,\"written\":1,\"fresh\":2,\"refused\":0,"))
      let value = try await town.command("GET", .text(key)).text()
      #expect(value?.contains("\"name\":\"daily\"") == true)
    }
  }
}
