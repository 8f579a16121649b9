import Cache
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing
import WalletCache

@Suite struct WalletFenceTests {
  /// A way to Redis that is closed at first, and counts who takes it.
  private final class Way: Sendable {
    private let state = Mutex((isOpen: false, attempts: 0))
    let url: String

    init(_ url: String) { self.url = url }

    var attempts: Int { state.withLock { $0.attempts } }
    func open() { state.withLock { $0.isOpen = true } }

    func connect() throws -> any CommandRunner {
      let isOpen = state.withLock { state in
        state.attempts += 1
        return state.isOpen
      }
      guard isOpen else { throw RedisError.unreachable(endpoint: "nowhere", reason: "closed") }
      return try Redis.Session(connecting: try Endpoint(url: url))
    }
  }

  private static let pause: Duration = .seconds(2)

  /// Redis is away and comes back. Who holds locks tries it once; after a pause somebody without locks tries it again, tells
  /// it what it was not told, and from then on writes are fenced before their COMMIT.
  @Test func aRedisThatComesBackIsTriedWithoutLocks() async throws {
    try await withRedis { redis in
      try await withDatabase(template: .migrated) { database in
        let way = Way(redis.url)
        let steps = try await blocking {
          let fence = WalletFence(try FencedStore(), patience: .seconds(5), pause: Self.pause) { _ in
            try way.connect()
          } onTrouble: { _ in
          }
          let users = try FencedUsers(database.url, fence)
          var steps: [[Int]] = []
          func step(_ email: String) throws {
            try users.create(email)
            steps.append([way.attempts, try users.noted()])
          }
          let start = monotonicNanoseconds()
          try step("first@example.com")
          try step("second@example.com")
          // On a machine that stood still for so long the pause was over.
          let wasTriedEarly = Duration.nanoseconds(monotonicNanoseconds() - start) >= Self.pause
          way.open()
          users.wait(seconds: 3)
          try step("third@example.com")
          try step("fourth@example.com")
          return wasTriedEarly ? [] : steps
        }
        #expect(steps == [[1, 1], [1, 2], [2, 0], [2, 0]] || steps == [])
        let fenced = try await blocking {
          let session = try Redis.Session(connecting: try Endpoint(url: redis.url))
          return try session.execute("KEYS", "fence:{user:*").array()?.count
        }
        #expect(fenced == 4)
      }
    }
  }
}
