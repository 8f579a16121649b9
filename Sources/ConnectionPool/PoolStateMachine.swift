/// Every decision of the pool as a value: events go in, actions come out, nothing is awaited and no clock read.
///
/// `ConnectionPool` feeds it and carries out what it says; the tests feed it by hand, with any time they like.
///
/// Rules that hold after each event:
/// - opening, idle, leased and closing connections together never exceed `maxConnections`;
/// - waiters are served in the order of their arrival, and nobody waits while a connection is idle;
/// - a connection is lent to one waiter at a time;
/// - after `drain` nothing is opened or lent.
struct PoolStateMachine {
  /// Time since the pool was made.
  typealias Instant = Duration

  struct ConnectionID: Hashable, Comparable, Sendable {
    let rawValue: UInt64

    static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.rawValue < b.rawValue }
  }

  struct WaiterID: Hashable, Comparable, Sendable {
    let rawValue: UInt64

    static func < (a: WaiterID, b: WaiterID) -> Bool { a.rawValue < b.rawValue }
  }

  enum Refusal: Equatable, Sendable {
    case timedOut, queueFull, draining, connectFailed
    /// The caller's task was cancelled; said by the shell, which tells its caller as it tells the others.
    case cancelled
  }

  enum Action: Equatable, Sendable {
    /// Open a connection; answer with `opened` or `openFailed`.
    case open(ConnectionID)
    /// Lend the connection; answer with `returned` or `rejected`. One that is not fresh sat idle before and
    /// may have died meanwhile.
    case hand(ConnectionID, to: WaiterID, isFresh: Bool)
    /// Close the connection; answer with `closed`.
    case close(ConnectionID)
    /// Tell the waiter that it gets nothing.
    case fail(WaiterID, Refusal)
    /// The pool is drained and holds no connection any more. Comes once.
    case drained
  }

  enum State: Equatable {
    case opening(round: Int)
    case idle(since: Instant)
    case leased(WaiterQueue.Waiter)
    case closing
  }

  struct Slot {
    var state: State
    /// When the connection is too old to be lent; set once it is open.
    var expiresAt: Instant
  }

  let configuration: PoolConfiguration
  private(set) var slots: [ConnectionID: Slot] = [:]
  private(set) var waiters = WaiterQueue()
  private(set) var isDraining = false
  /// Whether `run()` is active, which keeps the minimum open and closes what sits idle.
  private(set) var isMaintained = false

  /// Idle connections, longest idle first. The last is lent first, so that the surplus at the front times out.
  private var idle: [ConnectionID] = []
  private var openingCount = 0
  private var closingCount = 0
  private var nextConnection: UInt64 = 0
  private var nextWaiter: UInt64 = 0
  /// Failed rounds of connecting in a row. All connections opened between two back-offs are one round.
  private var failedRounds = 0
  private var openNotBefore: Instant?
  private var saidDrained = false

  init(configuration: PoolConfiguration) {
    self.configuration = configuration
  }

  var statistics: PoolStatistics {
    PoolStatistics(
      opening: openingCount, idle: idle.count, leased: liveCount - openingCount - idle.count,
      closing: closingCount, waiting: waiters.count)
  }

  private var liveCount: Int { slots.count - closingCount }
  private var keptMinimum: Int { isMaintained ? configuration.minConnections : 0 }

  // MARK: Callers

  /// A caller asks for a connection and is answered by `hand` or `fail`, now or later.
  mutating func lease(at now: Instant) -> (waiter: WaiterID, actions: [Action]) {
    let id = WaiterID(rawValue: nextWaiter)
    nextWaiter += 1
    if isDraining { return (id, [.fail(id, .draining)]) }
    var actions = retireExpired(at: now)
    // Those for whom a connection is or can be opened do not count against the limit of the queue.
    let covered = idle.count + openingCount + configuration.maxConnections - slots.count
    if waiters.count + 1 - covered > configuration.maxWaiters {
      return (id, actions + [.fail(id, .queueFull)])
    }
    waiters.append(WaiterQueue.Waiter(id: id, deadline: now + configuration.waitTimeout))
    actions += serveFromIdle() + openWhatIsNeeded(at: now)
    return (id, actions)
  }

  /// Who holds the connection, if it is lent out.
  func waiter(leasing id: ConnectionID) -> WaiterID? {
    guard case .leased(let waiter) = slots[id]?.state else { return nil }
    return waiter.id
  }

  /// The caller stopped waiting. False when it does not wait, because it was served or told off before.
  mutating func cancel(_ waiter: WaiterID) -> Bool {
    waiters.remove(waiter)
  }

  /// The caller is done with the connection.
  mutating func returned(_ id: ConnectionID, isUsable: Bool, at now: Instant) -> [Action] {
    guard case .leased = slots[id]?.state else { return unexpected(id) }
    return isUsable ? settle(id, isFresh: false, at: now) : close(id)
  }

  /// The caller found a connection dead that had sat idle. It keeps its place in the queue.
  mutating func rejected(_ id: ConnectionID, at now: Instant) -> [Action] {
    guard case .leased(let waiter) = slots[id]?.state else { return unexpected(id) }
    var actions = close(id)
    if isDraining { return actions + [.fail(waiter.id, .draining)] }
    waiters.restore(waiter)
    // The others that sat idle with it may be too old by now.
    actions += retireExpired(at: now)
    return actions + serveFromIdle() + openWhatIsNeeded(at: now)
  }

  // MARK: Connections

  /// A connection is open. `jitter`, from 0 to 1, takes up to a tenth off its lifetime.
  mutating func opened(_ id: ConnectionID, jitter: Double, at now: Instant) -> [Action] {
    guard case .opening = slots[id]?.state else { return unexpected(id) }
    openingCount -= 1
    failedRounds = 0
    openNotBefore = nil
    slots[id] = Slot(
      state: .idle(since: now), expiresAt: now + configuration.maxLifetime * (1 - 0.1 * jitter))
    return settle(id, isFresh: true, at: now) + openWhatIsNeeded(at: now)
  }

  /// A connection could not be opened. The back-off doubles with each failed round, from 50 ms to 5 s.
  mutating func openFailed(_ id: ConnectionID, isRetryable: Bool, at now: Instant) -> [Action] {
    guard case .opening(let round) = slots[id]?.state else { return unexpected(id) }
    slots[id] = nil
    openingCount -= 1
    if isDraining { return drainedIfEmpty() }
    if round == failedRounds {
      failedRounds += 1
      openNotBefore = now + min(.seconds(5), .milliseconds(50) * (1 << min(failedRounds - 1, 7)))
    }
    // As long as something is lent out or being opened, a waiter may still be served by it.
    let isHopeless = liveCount == 0 && (!isRetryable || failedRounds >= configuration.connectAttempts)
    guard isHopeless else { return openWhatIsNeeded(at: now) }
    let actions = failAllWaiters(.connectFailed)
    if !isMaintained {
      // The next caller is a new request: it gets its own attempts, and the first at once.
      failedRounds = 0
      openNotBefore = nil
    }
    return actions
  }

  /// A connection is closed.
  mutating func closed(_ id: ConnectionID, at now: Instant) -> [Action] {
    guard case .closing = slots[id]?.state else { return unexpected(id) }
    slots[id] = nil
    closingCount -= 1
    return isDraining ? drainedIfEmpty() : openWhatIsNeeded(at: now)
  }

  // MARK: Time and life cycle

  /// When `tick` is due at the latest; nil when nothing depends on the time.
  var nextWakeup: Instant? {
    var candidates: [Instant] = []
    if let first = waiters.first { candidates.append(first.deadline) }
    if let openNotBefore, wantedOpenings > 0 { candidates.append(openNotBefore) }
    if isMaintained && !isDraining {
      let hasSurplus = liveCount > keptMinimum
      for id in idle {
        guard let slot = slots[id], case .idle(let since) = slot.state else { continue }
        candidates.append(
          hasSurplus ? min(slot.expiresAt, since + configuration.idleTimeout) : slot.expiresAt)
      }
    }
    return candidates.min()
  }

  /// Time has passed.
  mutating func tick(at now: Instant) -> [Action] {
    var actions: [Action] = []
    while let first = waiters.first, first.deadline <= now, let waiter = waiters.popFirst() {
      actions.append(.fail(waiter.id, .timedOut))
    }
    if isMaintained { actions += retireExpired(at: now) }
    return actions + openWhatIsNeeded(at: now)
  }

  /// `run()` has begun.
  mutating func startMaintenance(at now: Instant) -> [Action] {
    isMaintained = true
    return tick(at: now)
  }

  /// `run()` has ended; what is open stays open until it is drained.
  mutating func stopMaintenance() {
    isMaintained = false
  }

  /// No more leases: tells the waiters, closes what is idle, and the rest as it comes back.
  mutating func drain() -> [Action] {
    guard !isDraining else { return [] }
    isDraining = true
    var actions = failAllWaiters(.draining)
    for id in idle { actions += close(id) }
    idle = []
    return actions + drainedIfEmpty()
  }
}

// MARK: - Steps that the events share

extension PoolStateMachine {
  /// Gives an open connection to whom it belongs now: the first waiter, the idle ones, or the grave.
  private mutating func settle(_ id: ConnectionID, isFresh: Bool, at now: Instant) -> [Action] {
    guard let slot = slots[id] else { return unexpected(id) }
    if isDraining || slot.expiresAt <= now { return close(id) }
    if let waiter = waiters.popFirst() {
      slots[id]?.state = .leased(waiter)
      return [.hand(id, to: waiter.id, isFresh: isFresh)]
    }
    slots[id]?.state = .idle(since: now)
    idle.append(id)
    return []
  }

  private mutating func serveFromIdle() -> [Action] {
    var actions: [Action] = []
    while !idle.isEmpty, let waiter = waiters.popFirst() {
      let id = idle.removeLast()
      slots[id]?.state = .leased(waiter)
      actions.append(.hand(id, to: waiter.id, isFresh: false))
    }
    return actions
  }

  private mutating func close(_ id: ConnectionID) -> [Action] {
    slots[id]?.state = .closing
    closingCount += 1
    return [.close(id)]
  }

  /// Closes idle connections that are too old, and those unused for too long down to the minimum.
  private mutating func retireExpired(at now: Instant) -> [Action] {
    var actions: [Action] = []
    var kept: [ConnectionID] = []
    for id in idle {
      guard let slot = slots[id], case .idle(let since) = slot.state else { continue }
      let isSurplus = since + configuration.idleTimeout <= now && liveCount > keptMinimum
      if slot.expiresAt <= now || isSurplus { actions += close(id) } else { kept.append(id) }
    }
    idle = kept
    return actions
  }

  /// How many more connections the waiters and the minimum ask for, and the maximum allows.
  private var wantedOpenings: Int {
    guard !isDraining else { return 0 }
    let needed = max(waiters.count - openingCount, keptMinimum - liveCount)
    return max(0, min(needed, configuration.maxConnections - slots.count))
  }

  private mutating func openWhatIsNeeded(at now: Instant) -> [Action] {
    if let openNotBefore, openNotBefore > now { return [] }
    var actions: [Action] = []
    for _ in 0..<wantedOpenings {
      let id = ConnectionID(rawValue: nextConnection)
      nextConnection += 1
      slots[id] = Slot(state: .opening(round: failedRounds), expiresAt: .zero)
      openingCount += 1
      actions.append(.open(id))
    }
    return actions
  }

  private mutating func failAllWaiters(_ refusal: Refusal) -> [Action] {
    var actions: [Action] = []
    while let waiter = waiters.popFirst() { actions.append(.fail(waiter.id, refusal)) }
    return actions
  }

  private mutating func drainedIfEmpty() -> [Action] {
    guard slots.isEmpty, !saidDrained else { return [] }
    saidDrained = true
    return [.drained]
  }

  /// The shell answers each action once, so this is a mistake of ours: loud in a debug build, harmless otherwise.
  private func unexpected(_ id: ConnectionID) -> [Action] {
    assertionFailure("event for connection \(id.rawValue) in state \(String(describing: slots[id]?.state))")
    return []
  }
}
