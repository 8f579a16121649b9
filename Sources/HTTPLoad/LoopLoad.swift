internal import Bench
internal import NIOCore
internal import Primitives
internal import Synchronization

/// One event loop's share of a load: its connections, and what they send when. Used on its loop alone.
///
/// A closed loop keeps every connection as full as it may be. An open loop takes turns from the common schedule as long as
/// it has room for a request, hands each to the connection that was used last, and opens further ones as they are needed.
final class LoopLoad: LoadDelegate {
  /// What the share is.
  struct Share: Sendable {
    /// Connections at most.
    let connections: Int
    /// Of an open loop: connections that are kept open with nothing to do.
    let idleMax: Int
    let timeout: Duration
  }

  /// The connections that are open in all loops.
  final class OpenConnections: Sendable {
    let count = Atomic(0)
  }

  private enum Slot {
    /// May be opened from this moment on, in nanoseconds of the monotonic clock.
    case empty(from: Int64)
    case opening
    case open(any LoadConnection)
  }

  private let run: LoadRun
  private let connector: Connector
  private let address: SocketAddress
  private let share: Share
  private let loop: any EventLoop
  private let done: EventLoopPromise<Void>
  private var slots: [Slot]
  /// Open connections that have room, the one that was used last at the end; some may be full or gone by now.
  private var roomy: [Int] = []
  private var isRoomy: [Bool]
  /// Slots that nothing is known of yet.
  private var emptySlots: Int
  private let openEverywhere: OpenConnections
  private var openConnections = 0 {
    didSet { openEverywhere.count.add(openConnections - oldValue, ordering: .relaxed) }
  }
  private var idleConnections = 0
  private var inFlight = 0
  /// A turn of an open loop that is not due yet.
  private var upcoming: LoadTurn?
  private var alarm: Scheduled<Void>?
  /// Requests that were due and wait for a connection that is being opened; those handed back come first.
  private var waiting = CircularBuffer<PendingRequest>()
  private var ticker: RepeatedTask?
  private var isDone = false

  /// How long a slot rests whose connection could not be opened, or was of no use.
  private static let rest: Int64 = 100_000_000
  private static let tick = TimeAmount.milliseconds(20)

  init(
    _ run: LoadRun, _ connector: Connector, at address: SocketAddress, _ share: Share, on loop: any EventLoop,
    counting open: OpenConnections, done: EventLoopPromise<Void>
  ) {
    self.run = run
    self.connector = connector
    self.address = address
    self.share = share
    self.loop = loop
    openEverywhere = open
    self.done = done
    slots = Array(repeating: .empty(from: 0), count: share.connections)
    isRoomy = Array(repeating: false, count: share.connections)
    emptySlots = share.connections
  }

  /// Begins; `done` is kept when everything that was sent has ended, or was given up.
  func start() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    ticker = loop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in bound.value.look() }
    if run.plan.isOpen { takeTurns() } else { openAll() }
  }

  // MARK: What connections tell

  func opened(_ connection: any LoadConnection) {
    guard !isDone else { return connection.close() }
    slots[connection.slot] = .open(connection)
    openConnections += 1
    idleConnections += 1
    hasRoom(connection)
  }

  func failedToOpen(slot: Int, _ trouble: LoadTrouble) {
    guard !isDone else { return }
    vacate(slot, from: monotonicNanoseconds() + Self.rest)
    if run.plan.isOpen {
      // As long as others are open they may take what is due.
      if openConnections == 0 { failWaiting(trouble) }
      takeTurns()
    } else {
      run.fail(trouble.code)
    }
    endIfOver()
  }

  func hasRoom(_ connection: any LoadConnection) {
    guard !isDone else { return }
    run.plan.isOpen ? refill(connection) : fill(connection)
    endIfOver()
  }

  func ended(_ request: PendingRequest, on connection: any LoadConnection, failure: String?) {
    guard !isDone else { return }
    run.recorder.record(request.turn, sent: request.sent, ended: monotonicNanoseconds(), failure: failure)
    release(connection)
  }

  func handedBack(_ request: PendingRequest, by connection: any LoadConnection) {
    guard !isDone else { return }
    var request = request
    request.returns += 1
    if request.returns > PendingRequest.returnsMax {
      run.recorder.record(
        request.turn, sent: request.sent, ended: monotonicNanoseconds(), failure: LoadTrouble.refused.code)
    } else {
      waiting.prepend(request)
    }
    release(connection)
  }

  func closed(_ connection: any LoadConnection) {
    guard !isDone else { return }
    openConnections -= 1
    idleConnections -= 1
    // One that was of no use is not opened again at once, or a server that hangs up would be flooded.
    vacate(connection.slot, from: connection.hasServed ? 0 : monotonicNanoseconds() + Self.rest)
    run.plan.isOpen ? takeTurns() : openAll()
    endIfOver()
  }

  private func release(_ connection: any LoadConnection) {
    inFlight -= 1
    if connection.inFlight == 0 { idleConnections += 1 }
    run.plan.isOpen ? refill(connection) : fill(connection)
    endIfOver()
  }

  // MARK: Sending

  private func send(_ request: PendingRequest, on connection: any LoadConnection) {
    if connection.inFlight == 0 { idleConnections -= 1 }
    inFlight += 1
    connection.send(request)
  }

  /// Of a closed loop: as many requests as the connection takes.
  private func fill(_ connection: any LoadConnection) {
    while connection.free > 0 {
      if let request = waiting.popFirst() {
        send(request, on: connection)
      } else if !run.isStopped, let turn = run.schedule.next(at: monotonicNanoseconds()) {
        send(PendingRequest(turn: turn), on: connection)
      } else {
        return
      }
    }
  }

  /// Of an open loop: what waits, then further turns. With nothing to do, a connection too many is closed.
  private func refill(_ connection: any LoadConnection) {
    note(connection)
    takeTurns()
    if connection.inFlight == 0, idleConnections > share.idleMax { connection.close() }
  }

  private func note(_ connection: any LoadConnection) {
    guard !isRoomy[connection.slot], connection.free > 0 else { return }
    isRoomy[connection.slot] = true
    roomy.append(connection.slot)
  }

  /// The connection with room that was used last.
  private var roomyConnection: (any LoadConnection)? {
    while let slot = roomy.last {
      if case .open(let connection) = slots[slot], connection.free > 0 { return connection }
      isRoomy[slot] = false
      roomy.removeLast()
    }
    return nil
  }

  /// Sends what is due, and sees to it that what will be due is sent then.
  private func takeTurns() {
    guard !isDone, run.plan.isOpen else { return }
    while let request = waiting.first, let connection = roomyConnection {
      waiting.removeFirst()
      send(request, on: connection)
    }
    while !run.isStopped, upcoming != nil || hasCapacity {
      let now = monotonicNanoseconds()
      guard let turn = upcoming ?? run.schedule.next(at: now) else { break }
      guard turn.due <= now else {
        upcoming = turn
        return wake(at: turn.due, now)
      }
      upcoming = nil
      if let connection = roomyConnection {
        send(PendingRequest(turn: turn), on: connection)
      } else {
        // It was no thread that slept too long.
        var late = turn
        late.isOverdue = true
        waiting.append(PendingRequest(turn: late))
        openOne(now)
      }
    }
    // What was handed back may have nobody to take it.
    if !waiting.isEmpty, openConnections == 0 { openOne(monotonicNanoseconds()) }
  }

  /// Whether a request could be sent now, or a connection opened for it.
  private var hasCapacity: Bool {
    if roomyConnection != nil { return true }
    guard emptySlots > 0 else { return false }
    let now = monotonicNanoseconds()
    return slots.contains { if case .empty(let from) = $0 { from <= now } else { false } }
  }

  private func wake(at due: Int64, _ now: Int64) {
    guard alarm == nil else { return }
    alarm = loop.assumeIsolated().scheduleTask(in: .nanoseconds(due - now)) { [self] in
      alarm = nil
      takeTurns()
      endIfOver()
    }
  }

  // MARK: Connections

  private func openAll() {
    guard !run.isOver || !waiting.isEmpty else { return }
    let now = monotonicNanoseconds()
    while openOne(now) {}
  }

  /// Opens a connection in a slot that is free; false where there is none.
  @discardableResult
  private func openOne(_ now: Int64) -> Bool {
    guard emptySlots > 0 else { return false }
    for (slot, state) in slots.enumerated() {
      guard case .empty(let from) = state, from <= now else { continue }
      slots[slot] = .opening
      emptySlots -= 1
      connector.open(slot: slot, at: address, on: loop, telling: self)
      return true
    }
    return false
  }

  private func vacate(_ slot: Int, from instant: Int64) {
    slots[slot] = .empty(from: instant)
    emptySlots += 1
  }

  /// This loop reaches nobody: what it has taken has failed, as it would for every client. So has all that is due where no
  /// other loop reaches anybody either.
  private func failWaiting(_ trouble: LoadTrouble) {
    let now = monotonicNanoseconds()
    while let request = waiting.popFirst() {
      run.recorder.record(request.turn, sent: now, ended: now, failure: trouble.code)
    }
    while openEverywhere.count.load(ordering: .relaxed) == 0, run.fail(trouble.code) {}
  }

  // MARK: The clock

  /// Looks after time-outs, slots that have rested, and the end.
  private func look() {
    let now = monotonicNanoseconds()
    if run.isStopped {
      // Whatever has waited for long has waited: a stop must not make a silent server look well.
      expire(dueBefore: now - LoadSchedule.patience.wholeNanoseconds, now)
      return end()
    }
    expire(dueBefore: now - share.timeout.wholeNanoseconds, now)
    run.plan.isOpen ? takeTurns() : openAll()
    endIfOver()
  }

  private func expire(dueBefore late: Int64, _ now: Int64) {
    // First those that nobody has sent, so that no connection takes them up when it is given up itself.
    while let request = waiting.first, request.turn.due < late {
      waiting.removeFirst()
      run.recorder.record(request.turn, sent: now, ended: now, failure: LoadTrouble.timeout.code)
    }
    for case .open(let connection) in slots where connection.inFlight > 0 {
      connection.expire(dueBefore: late)
    }
  }

  private func endIfOver() {
    guard !isDone, inFlight == 0, upcoming == nil else { return }
    guard run.isOver, waiting.isEmpty || run.isStopped else { return }
    end()
  }

  private func end() {
    guard !isDone else { return }
    isDone = true
    ticker?.cancel()
    alarm?.cancel()
    for case .open(let connection) in slots { connection.close() }
    done.succeed()
  }
}
