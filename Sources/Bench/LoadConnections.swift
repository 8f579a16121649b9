internal import ConnectionPool
internal import Postgres
internal import Primitives

extension LoadRun {
  /// Lends `body` sessions until the run is over: as many at a time as the plan has connections, each to a thread of its own, and
  /// another one in the place of each that is lost. One that cannot be opened counts as a request that failed.
  ///
  /// - Parameter body: sends requests until the run is over or its session is closed.
  /// - Throws: what connecting throws, where trying again is no use; what `body` throws.
  func onConnections(
    of pool: PostgresPool, _ body: @escaping @Sendable (Session) throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<plan.connections {
        group.addTask { [self] in
          while !isOver {
            do {
              try await pool.withConnection { try await $0.withSession(body) }
            } catch let failure as any Failure where failure.isRetryable {
              fail(failure.code)
              try await Task.sleep(for: .milliseconds(100))
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
