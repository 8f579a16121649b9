import Testing

@testable import ConnectionPool

@Suite struct PoolStateMachineTests {
  typealias Machine = PoolStateMachine
  typealias Action = PoolStateMachine.Action

  func machine(
    max: Int = 2, min: Int = 0, waiters: Int = 10, attempts: Int = 3
  ) throws -> Machine {
    Machine(
      configuration: try PoolConfiguration(
        maxConnections: max, minConnections: min, idleTimeout: .seconds(60), maxLifetime: .seconds(600),
        waitTimeout: .seconds(5), maxWaiters: waiters, connectAttempts: attempts))
  }

  func connection(_ number: UInt64) -> Machine.ConnectionID { .init(rawValue: number) }
  func waiter(_ number: UInt64) -> Machine.WaiterID { .init(rawValue: number) }

  @Test func opensOnDemandAndLendsTheSameConnectionAgain() throws {
    var pool = try machine()
    #expect(pool.lease(at: .zero).actions == [.open(connection(0))])
    #expect(
      pool.opened(connection(0), jitter: 0, at: .zero)
        == [.hand(connection(0), to: waiter(0), isFresh: true)])
    #expect(pool.returned(connection(0), isUsable: true, at: .seconds(1)) == [])
    #expect(
      pool.lease(at: .seconds(2)).actions == [.hand(connection(0), to: waiter(1), isFresh: false)])
  }

  @Test func servesWaitersInTheOrderOfTheirArrival() throws {
    var pool = try machine(max: 1)
    for _ in 0..<4 { _ = pool.lease(at: .zero) }
    #expect(
      pool.opened(connection(0), jitter: 0, at: .zero).first
        == .hand(connection(0), to: waiter(0), isFresh: true))
    let wasWaiting = pool.cancel(waiter(2))
    #expect(wasWaiting)
    #expect(
      pool.returned(connection(0), isUsable: true, at: .zero)
        == [.hand(connection(0), to: waiter(1), isFresh: false)])
    #expect(
      pool.returned(connection(0), isUsable: true, at: .zero)
        == [.hand(connection(0), to: waiter(3), isFresh: false)])
    let waitsStill = pool.cancel(waiter(3))
    #expect(!waitsStill)
  }

  @Test func countsClosingConnectionsAgainstTheMaximum() throws {
    var pool = try machine(max: 1)
    _ = pool.lease(at: .zero)
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    #expect(pool.lease(at: .zero).actions == [])
    #expect(pool.returned(connection(0), isUsable: false, at: .zero) == [.close(connection(0))])
    #expect(pool.closed(connection(0), at: .zero) == [.open(connection(1))])
  }

  @Test func refusesWhoComesAfterTheQueueIsFull() throws {
    var pool = try machine(max: 2, waiters: 1)
    for _ in 0..<3 { _ = pool.lease(at: .zero) }
    #expect(pool.lease(at: .zero).actions == [.fail(waiter(3), .queueFull)])
    #expect(pool.statistics.waiting == 3)
  }

  @Test func tellsTheWaiterWhenItsTimeIsOver() throws {
    var pool = try machine(max: 1)
    _ = pool.lease(at: .zero)
    _ = pool.lease(at: .seconds(1))
    #expect(pool.nextWakeup == .seconds(5))
    #expect(pool.tick(at: .seconds(5)) == [.fail(waiter(0), .timedOut)])
    #expect(pool.nextWakeup == .seconds(6))
    // The connection that was opened for the first one goes to the second.
    #expect(
      pool.opened(connection(0), jitter: 0, at: .seconds(5))
        == [.hand(connection(0), to: waiter(1), isFresh: true)])
    #expect(pool.nextWakeup == nil)
  }

  @Test func retriesAFailedConnectAndThenTellsEverybody() throws {
    var pool = try machine(max: 1, attempts: 2)
    _ = pool.lease(at: .zero)
    _ = pool.lease(at: .zero)
    #expect(pool.openFailed(connection(0), isRetryable: true, at: .zero) == [])
    #expect(pool.nextWakeup == .milliseconds(50))
    #expect(pool.tick(at: .milliseconds(49)) == [])
    #expect(pool.tick(at: .milliseconds(50)) == [.open(connection(1))])
    #expect(
      pool.openFailed(connection(1), isRetryable: true, at: .milliseconds(50))
        == [.fail(waiter(0), .connectFailed), .fail(waiter(1), .connectFailed)])
    #expect(pool.nextWakeup == nil)
    // The next caller does not pay for the failures of those before.
    #expect(pool.lease(at: .milliseconds(51)).actions == [.open(connection(2))])
  }

  @Test func countsConnectsThatFailTogetherAsOneRound() throws {
    var pool = try machine(max: 3, attempts: 2)
    for _ in 0..<3 { _ = pool.lease(at: .zero) }
    for id in 0..<3 {
      #expect(pool.openFailed(connection(UInt64(id)), isRetryable: true, at: .zero) == [])
    }
    #expect(pool.tick(at: .milliseconds(50)) == (3..<6).map { .open(connection($0)) })
  }

  @Test func doesNotRetryWhatCannotSucceed() throws {
    var pool = try machine()
    _ = pool.lease(at: .zero)
    #expect(
      pool.openFailed(connection(0), isRetryable: false, at: .zero) == [.fail(waiter(0), .connectFailed)])
  }

  @Test func keepsWaitersWhileALeasedConnectionMayComeBack() throws {
    var pool = try machine(max: 2, attempts: 1)
    _ = pool.lease(at: .zero)
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    _ = pool.lease(at: .zero)
    #expect(pool.openFailed(connection(1), isRetryable: true, at: .zero) == [])
    #expect(
      pool.returned(connection(0), isUsable: true, at: .zero)
        == [.hand(connection(0), to: waiter(1), isFresh: false)])
  }

  @Test func putsAWaiterBackInItsPlaceWhenItsConnectionWasDead() throws {
    var pool = try machine(max: 1)
    _ = pool.lease(at: .zero)
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    _ = pool.returned(connection(0), isUsable: true, at: .zero)
    _ = pool.lease(at: .zero)
    _ = pool.lease(at: .zero)
    #expect(pool.rejected(connection(0), at: .seconds(1)) == [.close(connection(0))])
    #expect(pool.closed(connection(0), at: .seconds(1)) == [.open(connection(1))])
    #expect(
      pool.opened(connection(1), jitter: 0, at: .seconds(1))
        == [.hand(connection(1), to: waiter(1), isFresh: true)])
  }

  /// The other one has sat idle too long by the time that the first is found dead.
  @Test func lendsNothingTooOldInPlaceOfADeadOne() throws {
    var pool = try machine()
    for _ in 0..<2 { _ = pool.lease(at: .zero) }
    for id in 0..<2 as Range<UInt64> { _ = pool.opened(connection(id), jitter: 0, at: .zero) }
    for id in 0..<2 as Range<UInt64> { _ = pool.returned(connection(id), isUsable: true, at: .seconds(599)) }
    #expect(
      pool.lease(at: .seconds(599)).actions == [.hand(connection(1), to: waiter(2), isFresh: false)])
    #expect(
      pool.rejected(connection(1), at: .seconds(601)) == [.close(connection(1)), .close(connection(0))])
  }

  @Test func keepsTheMinimumOnlyWhileMaintained() throws {
    var pool = try machine(max: 5, min: 2)
    #expect(pool.tick(at: .zero) == [])
    #expect(pool.startMaintenance(at: .zero) == [.open(connection(0)), .open(connection(1))])
    for id in 0..<2 { _ = pool.opened(connection(UInt64(id)), jitter: 0, at: .zero) }
    // Idle for ever, but only the surplus goes.
    #expect(pool.tick(at: .seconds(61)) == [])
    _ = (0..<3).map { _ in pool.lease(at: .seconds(61)) }
    _ = pool.opened(connection(2), jitter: 0, at: .seconds(61))
    for id in 0..<3 { _ = pool.returned(connection(UInt64(id)), isUsable: true, at: .seconds(62)) }
    #expect(pool.nextWakeup == .seconds(122))
    #expect(pool.tick(at: .seconds(122)) == [.close(connection(0))])
    pool.stopMaintenance()
    #expect(pool.nextWakeup == nil)
  }

  @Test func replacesConnectionsThatAreTooOldSpreadByTheirJitter() throws {
    var pool = try machine(max: 5, min: 2)
    _ = pool.startMaintenance(at: .zero)
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    _ = pool.opened(connection(1), jitter: 1, at: .zero)
    #expect(pool.nextWakeup == .seconds(540))
    #expect(pool.tick(at: .seconds(540)) == [.close(connection(1)), .open(connection(2))])
    #expect(pool.nextWakeup == .seconds(600))
  }

  @Test func doesNotTakeBackAConnectionThatIsTooOld() throws {
    var pool = try machine()
    _ = pool.lease(at: .zero)
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    #expect(pool.returned(connection(0), isUsable: true, at: .seconds(600)) == [.close(connection(0))])
  }

  @Test func drainsGracefully() throws {
    var pool = try machine(max: 3)
    for _ in 0..<5 { _ = pool.lease(at: .zero) }
    _ = pool.opened(connection(0), jitter: 0, at: .zero)
    _ = pool.opened(connection(1), jitter: 0, at: .zero)
    #expect(pool.drain() == (2..<5).map { .fail(waiter($0), .draining) })
    #expect(pool.drain() == [])
    #expect(pool.lease(at: .zero).actions == [.fail(waiter(5), .draining)])
    #expect(pool.returned(connection(0), isUsable: true, at: .zero) == [.close(connection(0))])
    #expect(pool.closed(connection(0), at: .zero) == [])
    #expect(pool.opened(connection(2), jitter: 0, at: .zero) == [.close(connection(2))])
    #expect(pool.closed(connection(2), at: .zero) == [])
    #expect(pool.returned(connection(1), isUsable: false, at: .zero) == [.close(connection(1))])
    #expect(pool.closed(connection(1), at: .zero) == [.drained])
  }

  @Test func isDrainedAtOnceWhenEmpty() throws {
    var pool = try machine()
    #expect(pool.drain() == [.drained])
  }
}
