import Primitives
import Synchronization
import Testing

@testable import ConnectionPool

/// The shell around the state machine, with connections to nowhere.
@Suite(.timeLimit(.minutes(1))) struct ConnectionPoolTests {
  final class Link: PooledConnection {
    let number: Int
    let counter: Counter
    let isAlive = Mutex(true)

    init(_ counter: Counter) {
      self.counter = counter
      number = counter.opened()
    }

    var isUsable: Bool { isAlive.withLock { $0 } }
    func close() async { counter.closed() }
  }

  final class Counter: Sendable {
    private let state = Mutex((opened: 0, open: 0, most: 0))

    func opened() -> Int {
      state.withLock { state in
        state.opened += 1
        state.open += 1
        state.most = max(state.most, state.open)
        return state.opened
      }
    }

    func closed() { state.withLock { $0.open -= 1 } }
    var openNow: Int { state.withLock { $0.open } }
    var most: Int { state.withLock { $0.most } }
    var total: Int { state.withLock { $0.opened } }
  }

  final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
  }

  let counter = Counter()

  func pool(
    max: Int = 2, min: Int = 0, idle: Duration = .seconds(60), wait: Duration = .seconds(20),
    waiters: Int = 1000
  ) throws -> ConnectionPool<Link> {
    let counter = counter
    let configuration = try PoolConfiguration(
      maxConnections: max, minConnections: min, idleTimeout: idle, waitTimeout: wait, maxWaiters: waiters)
    return ConnectionPool(configuration: configuration) { _ in Link(counter) }
  }

  func eventually(_ condition: () -> Bool) async throws {
    let deadline = Deadline.after(.seconds(10))
    while !condition() {
      try #require(!deadline.hasPassed, "it never happened")
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  @Test func neverLendsAConnectionTwiceAndNeverOpensTooMany() async throws {
    let pool = try pool(max: 3)
    let inUse = Shared<Set<Int>>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        group.addTask {
          try await pool.withConnection { link in
            let isAlone = inUse.value.withLock { $0.insert(link.number).inserted }
            #expect(isAlone)
            await Task.yield()
            inUse.value.withLock { _ = $0.remove(link.number) }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(counter.most <= 3)
    #expect(pool.statistics.leased == 0)
    try await pool.drain(deadline: .after(.seconds(5)))
    #expect(counter.openNow == 0)
  }

  @Test func replacesAConnectionThatDiedWhileIdleOrInUse() async throws {
    let pool = try pool()
    let first = try await pool.withConnection { $0 }
    first.isAlive.withLock { $0 = false }
    let second = try await pool.withConnection { link in
      link.isAlive.withLock { $0 = false }
      return link.number
    }
    #expect(second == 2)
    try await pool.withConnection { link in #expect(link.number == 3) }
  }

  @Test func givesTheConnectionBackWhenTheBodyThrows() async throws {
    struct Expected: Error {}
    let pool = try pool(max: 1)
    await #expect(throws: Expected.self) {
      try await pool.withConnection { _ in throw Expected() }
    }
    #expect(try await pool.withConnection { $0.number } == 1)
  }

  @Test func aCancelledWaiterLeavesTheQueue() async throws {
    let pool = try pool(max: 1)
    try await pool.withConnection { _ in
      let waiter = Task { try await pool.withConnection { _ in Issue.record("should not be served") } }
      try await eventually { pool.statistics.waiting == 1 }
      waiter.cancel()
      await #expect(throws: CancellationError.self) { try await waiter.value }
      #expect(pool.statistics.waiting == 0)
    }
  }

  @Test func aTaskThatIsCancelledBeforeDoesNotWait() async throws {
    let pool = try pool(max: 1)
    try await pool.withConnection { _ in
      let waiter = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        try await pool.withConnection { _ in }
      }
      await #expect(throws: CancellationError.self) { try await waiter.value }
      #expect(pool.statistics.waiting == 0)
    }
  }

  @Test func waitingIsBoundedInTimeAndNumber() async throws {
    let pool = try pool(max: 1, wait: .milliseconds(50), waiters: 1)
    try await pool.withConnection { _ in
      let waiter = Task { try await pool.withConnection { _ in } }
      try await eventually { pool.statistics.waiting == 1 }
      await #expect(throws: PoolError.queueFull(maxWaiters: 1)) { try await pool.withConnection { _ in } }
      await #expect(
        throws: PoolError.timedOut(after: .milliseconds(50), maxConnections: 1, lastConnectError: nil)
      ) { try await waiter.value }
    }
  }

  @Test func aFailureToConnectReachesTheCallerAfterBoundedRetries() async throws {
    let attempts = Shared(0)
    let down = SimpleFailure(.unreachable, code: "down", message: "nobody there", isRetryable: true)
    let pool = ConnectionPool<Link>(configuration: try PoolConfiguration(connectAttempts: 2)) { _ in
      attempts.value.withLock { $0 += 1 }
      throw down
    }
    let error = await #expect(throws: SimpleFailure.self) { try await pool.withConnection { _ in } }
    #expect(error?.code == "down")
    #expect(attempts.value.withLock { $0 } == 2)
  }

  @Test func runKeepsTheMinimumAndClosesTheIdle() async throws {
    let pool = try pool(max: 5, min: 2, idle: .milliseconds(30))
    let maintenance = Task { await pool.run() }
    try await eventually { pool.statistics.idle == 2 }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<5 {
        group.addTask {
          try await pool.withConnection { _ in try await Task.sleep(for: .milliseconds(20)) }
        }
      }
      try await group.waitForAll()
    }
    #expect(counter.total > 2)
    try await eventually { counter.openNow == 2 }
    maintenance.cancel()
    await maintenance.value
    try await pool.drain(deadline: .after(.seconds(5)))
    #expect(counter.openNow == 0)
  }

  @Test func drainWaitsForThoseWhoAreAtWork() async throws {
    let pool = try pool()
    let maintenance = Task { await pool.run() }
    let entered = Gate()
    let mayEnd = Gate()
    let isFinished = Shared(false)
    let work = Task {
      try await pool.withConnection { _ in
        entered.open()
        _ = await mayEnd.wait()
        isFinished.value.withLock { $0 = true }
      }
    }
    _ = await entered.wait()
    await #expect(throws: PoolError.drainTimedOut(leased: 1)) {
      try await pool.drain(deadline: .after(.milliseconds(10)))
    }
    await #expect(throws: PoolError.draining) { try await pool.withConnection { _ in } }
    mayEnd.open()
    try await pool.drain(deadline: .after(.seconds(10)))
    #expect(isFinished.value.withLock { $0 })
    #expect(counter.openNow == 0)
    try await work.value
    await maintenance.value
  }

  @Test func refusesBoundsThatMakeNoSense() {
    #expect(throws: PoolError.self) { try PoolConfiguration(maxConnections: 5, minConnections: 6) }
    #expect(throws: PoolError.self) { try PoolConfiguration(maxConnections: 0, minConnections: 0) }
    #expect(throws: PoolError.self) { try PoolConfiguration(waitTimeout: .zero) }
    #expect(PoolConfiguration.default.maxConnections == 50)
  }
}
