public import Primitives
import Synchronization

/// A bounded pool of connections of any kind.
///
/// ```swift
/// let pool = ConnectionPool(configuration: .default) { deadline in
///   try await Connection.connect(to: endpoint, deadline: deadline)
/// }
/// let balance = try await pool.withConnection { connection in
///   try await connection.withSession { session in … }
/// }
/// try await pool.drain(deadline: .after(.seconds(30)))
/// ```
///
/// A one-shot command needs no more than that: connections are opened when somebody asks. A long-running command
/// also keeps `run()` going in a task of its own, which holds the minimum open and closes what sits idle too
/// long. All decisions are made by `PoolStateMachine`; this class carries them out.
///
/// Callers are served in the order of their arrival. Connections are kept in a stack: the one used last is lent
/// first, so that a pool with little to do shrinks.
public final class ConnectionPool<Connection: PooledConnection>: Sendable {
  /// Opens one connection. It must end, with a connection or an error, not long after the deadline.
  public typealias Connect = @Sendable (Deadline) async throws -> Connection

  typealias Machine = PoolStateMachine

  /// A connection lent to a caller.
  private struct Lease: Sendable {
    let id: Machine.ConnectionID
    let connection: Connection
    let isFresh: Bool
  }

  private struct Timer {
    let instant: Machine.Instant
    let task: Task<Void, Never>
  }

  private struct State {
    var machine: Machine
    var connections: [Machine.ConnectionID: Connection] = [:]
    var continuations: [Machine.WaiterID: CheckedContinuation<Lease, any Error>] = [:]
    var lastConnectError: (any Error)?
    var timer: Timer?
  }

  /// An action of the machine with all that it needs, so that it can be carried out after the lock is released.
  private enum Effect {
    case open(Machine.ConnectionID)
    case close(Machine.ConnectionID, Connection)
    case resume(CheckedContinuation<Lease, any Error>, Result<Lease, any Error>)
    case openGate
  }

  private let configuration: PoolConfiguration
  private let connect: Connect
  private let origin = ContinuousClock.now
  private let state: Mutex<State>
  private let drained = Gate()

  /// A pool with nothing open yet.
  ///
  /// - Parameter connect: opens one connection; an error that is a `Failure` and not retryable (a wrong
  ///   password) reaches the waiting callers at once, any other after `connectAttempts` rounds.
  public init(configuration: PoolConfiguration, connect: @escaping Connect) {
    self.configuration = configuration
    self.connect = connect
    self.state = Mutex(State(machine: Machine(configuration: configuration)))
  }

  /// What is open and who waits, now.
  public var statistics: PoolStatistics {
    state.withLock { $0.machine.statistics }
  }

  /// Lends a connection to `body` and takes it back when `body` ends, however it ends.
  ///
  /// The connection must not be used after `body` has returned.
  ///
  /// - Throws: what `body` throws; `PoolError` when none can be had; the error of the connect closure when
  ///   connecting fails; `CancellationError` when the task is cancelled while it waits.
  public nonisolated(nonsending) func withConnection<Result>(
    _ body: nonisolated(nonsending) (Connection) async throws -> Result
  ) async throws -> Result {
    let lease = try await lease()
    do {
      let result = try await body(lease.connection)
      await giveBack(lease)
      return result
    } catch {
      await giveBack(lease)
      throw error
    }
  }

  /// Keeps the pool in shape: opens the minimum, closes what sits idle too long or is too old. Returns when the
  /// task is cancelled or the pool is drained; run it at most once at a time.
  public func run() async {
    process { machine, now in machine.startMaintenance(at: now) }
    _ = await drained.wait()
    process { machine, _ in
      machine.stopMaintenance()
      return []
    }
  }

  /// Shuts the pool down: refuses new callers and those that wait, lets those who have a connection finish,
  /// and closes everything. Idempotent.
  ///
  /// - Throws: `PoolError.drainTimedOut` when connections are still out at the deadline (they are closed when
  ///   they come back); `CancellationError`.
  public func drain(deadline: Deadline) async throws {
    process { machine, _ in machine.drain() }
    let drained = drained
    let isEmpty = await withTaskGroup(of: Bool.self) { group in
      group.addTask { await drained.wait() }
      group.addTask {
        do {
          try await Task.sleep(for: deadline.remaining)
        } catch {
          // Cancelled, because the pool is empty or because the caller gave up. Either way nothing to sleep for.
        }
        return false
      }
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
    if isEmpty { return }
    try Task.checkCancellation()
    let left = statistics
    guard left.open > 0 else { return }
    throw PoolError.drainTimedOut(leased: left.leased)
  }

  // MARK: Leases

  private nonisolated(nonsending) func lease() async throws -> Lease {
    var lease = try await wait { machine, now in machine.lease(at: now) }
    while !lease.isFresh {
      if await lease.connection.isUsable { break }
      // At most once for each idle connection: those opened on demand are fresh.
      let (id, waiter) = (lease.id, state.withLock { $0.machine.waiter(leasing: lease.id) })
      guard let waiter else { break }
      lease = try await wait { machine, now in (waiter, machine.rejected(id, at: now)) }
    }
    return lease
  }

  /// Asks the machine by `request`, which names the waiter, and waits for its answer.
  private nonisolated(nonsending) func wait(
    _ request:
      @Sendable (inout Machine, Machine.Instant) -> (waiter: Machine.WaiterID, actions: [Machine.Action])
  ) async throws -> Lease {
    let ticket = Mutex<Machine.WaiterID?>(nil)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        process { state, now in
          let (waiter, actions) = request(&state.machine, now)
          state.continuations[waiter] = continuation
          ticket.withLock { $0 = waiter }
          // The handler below may have run already and found no ticket.
          if Task.isCancelled && state.machine.cancel(waiter) {
            return actions + [.fail(waiter, .cancelled)]
          }
          return actions
        }
      }
    } onCancel: {
      guard let waiter = ticket.withLock({ $0 }) else { return }
      process { machine, _ in machine.cancel(waiter) ? [.fail(waiter, .cancelled)] : [] }
    }
  }

  private nonisolated(nonsending) func giveBack(_ lease: Lease) async {
    let isUsable = await lease.connection.isUsable
    process { machine, now in machine.returned(lease.id, isUsable: isUsable, at: now) }
  }

  // MARK: Carrying out

  private func process(_ event: (inout Machine, Machine.Instant) -> [Machine.Action]) {
    process { state, now in event(&state.machine, now) }
  }

  private func process(_ event: (inout State, Machine.Instant) -> [Machine.Action]) {
    let effects = state.withLock { state in
      let actions = event(&state, ContinuousClock.now - origin)
      arm(&state)
      return actions.compactMap { effect(of: $0, &state) }
    }
    for effect in effects { carryOut(effect) }
  }

  private func effect(of action: Machine.Action, _ state: inout State) -> Effect? {
    switch action {
    case .open(let id):
      return .open(id)
    case .close(let id):
      return state.connections.removeValue(forKey: id).map { .close(id, $0) }
    case .hand(let id, let waiter, let isFresh):
      guard let connection = state.connections[id],
        let continuation = state.continuations.removeValue(forKey: waiter)
      else { return nil }
      return .resume(continuation, .success(Lease(id: id, connection: connection, isFresh: isFresh)))
    case .fail(let waiter, let refusal):
      guard let continuation = state.continuations.removeValue(forKey: waiter) else { return nil }
      return .resume(continuation, .failure(error(for: refusal, state)))
    case .drained:
      return .openGate
    }
  }

  private func error(for refusal: Machine.Refusal, _ state: State) -> any Error {
    switch refusal {
    case .queueFull: return PoolError.queueFull(maxWaiters: configuration.maxWaiters)
    case .draining: return PoolError.draining
    case .cancelled: return CancellationError()
    case .connectFailed where state.lastConnectError != nil:
      return state.lastConnectError ?? PoolError.draining
    case .connectFailed, .timedOut:
      return PoolError.timedOut(
        after: configuration.waitTimeout, maxConnections: configuration.maxConnections,
        lastConnectError: state.lastConnectError.map { String(describing: $0) })
    }
  }

  private func carryOut(_ effect: Effect) {
    switch effect {
    case .resume(let continuation, let result):
      continuation.resume(with: result)
    case .openGate:
      drained.open()
    case .open(let id):
      Task { await open(id) }
    case .close(let id, let connection):
      Task {
        await connection.close()
        process { machine, now in machine.closed(id, at: now) }
      }
    }
  }

  private func open(_ id: Machine.ConnectionID) async {
    do {
      let connection = try await connect(.after(configuration.connectTimeout))
      process { state, now in
        state.connections[id] = connection
        state.lastConnectError = nil
        return state.machine.opened(id, jitter: .random(in: 0...1), at: now)
      }
    } catch {
      process { state, now in
        state.lastConnectError = error
        let isRetryable = (error as? any Failure)?.isRetryable ?? true
        return state.machine.openFailed(id, isRetryable: isRetryable, at: now)
      }
    }
  }

  /// Holds one timer for the earliest moment at which the machine wants to be asked.
  private func arm(_ state: inout State) {
    guard let next = state.machine.nextWakeup else {
      state.timer?.task.cancel()
      state.timer = nil
      return
    }
    if let timer = state.timer, timer.instant <= next { return }
    state.timer?.task.cancel()
    let task = Task { [weak self, origin] in
      do {
        try await Task.sleep(until: origin + next, clock: .continuous)
      } catch {
        return  // Cancelled: an earlier timer took its place, or there is nothing to wait for.
      }
      self?.process { state, now in
        state.timer = nil
        return state.machine.tick(at: now)
      }
    }
    state.timer = Timer(instant: next, task: task)
  }
}
