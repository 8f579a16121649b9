import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct ConnectionThreadTests {
  private static let lock = Statement("select pg_advisory_lock(4711)", columns: [.void])
  private static let release = "select pg_advisory_unlock_all()"

  private final class Arrivals: Sendable {
    let count = Mutex(0)
  }

  /// More connections than the shared pool has threads wait for one lock, and what releases it runs on that pool:
  /// were they to wait there, nobody would be left to release it.
  @Test(.timeLimit(.minutes(1))) func waitingConnectionsLeaveTheSharedPoolFree() async throws {
    let database = try await TestDatabase.create()
    let session = try Session(connecting: ConnectionString(database.url))
    try session.query(Self.lock())
    let arrivals = Arrivals()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<32 {
        group.addTask {
          let connection = try await Connection.connect(to: ConnectionString(database.url))
          try await connection.withSession { session in
            arrivals.count.withLock { $0 += 1 }
            try session.query(Self.lock())
            try session.simple(Self.release)
          }
          await connection.close()
        }
      }
      while arrivals.count.withLock({ $0 }) < 32 { try await Task.sleep(for: .milliseconds(5)) }
      try session.simple(Self.release)
      try await group.waitForAll()
    }
    session.close()
    try await database.drop()
  }
}
