import Testing

@testable import ConnectionPool

/// Drives the state machine with a long random sequence of events and checks after each that its rules hold.
@Suite struct PoolPropertyTests {
  @Test(arguments: 0..<60 as Range<UInt64>)
  func everyRuleHoldsAfterEveryEvent(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    var world = try World(&random)
    for _ in 0..<3000 { try world.step(&random) }
    try world.finish()
  }
}

/// What a pool's shell knows, kept apart from the machine so that the two can be compared.
private struct World {
  typealias Machine = PoolStateMachine

  let configuration: PoolConfiguration
  var machine: Machine
  var now = Duration.zero
  var opening: Set<Machine.ConnectionID> = []
  var openedAt: [Machine.ConnectionID: Duration] = [:]
  var leased: [Machine.ConnectionID: Machine.WaiterID] = [:]
  var closing: Set<Machine.ConnectionID> = []
  var waiting: [Machine.WaiterID: Duration] = [:]
  var answered: Set<Machine.WaiterID> = []
  var served = 0
  var isDrained = false

  init(_ random: inout SplitMix64) throws {
    let most = Int.random(in: 1...8, using: &random)
    configuration = try PoolConfiguration(
      maxConnections: most, minConnections: Int.random(in: 0...most, using: &random),
      idleTimeout: .seconds(Int.random(in: 1...20, using: &random)),
      maxLifetime: .seconds(Int.random(in: 5...60, using: &random)), waitTimeout: .seconds(3),
      maxWaiters: Int.random(in: 0...12, using: &random),
      connectAttempts: Int.random(in: 1...4, using: &random))
    machine = Machine(configuration: configuration)
  }

  mutating func step(_ random: inout SplitMix64) throws {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<30:
      let (waiter, actions) = machine.lease(at: now)
      waiting[waiter] = now
      try carryOut(actions)
    case 30..<45:
      guard let id = opening.sorted().randomElement(using: &random) else { return }
      opening.remove(id)
      if Int.random(in: 0..<4, using: &random) == 0 {
        try carryOut(machine.openFailed(id, isRetryable: .random(using: &random), at: now))
      } else {
        openedAt[id] = now
        try carryOut(machine.opened(id, jitter: .random(in: 0...1, using: &random), at: now))
      }
    case 45..<65:
      guard let id = leased.keys.sorted().randomElement(using: &random) else { return }
      let waiter = leased.removeValue(forKey: id)
      if let waiter, Int.random(in: 0..<10, using: &random) == 0 {
        answered.remove(waiter)
        waiting[waiter] = now
        try carryOut(machine.rejected(id, at: now))
      } else {
        try carryOut(machine.returned(id, isUsable: Int.random(in: 0..<5, using: &random) > 0, at: now))
      }
    case 65..<75:
      guard let id = closing.sorted().randomElement(using: &random) else { return }
      closing.remove(id)
      try carryOut(machine.closed(id, at: now))
    case 75..<80:
      guard let waiter = waiting.keys.sorted().randomElement(using: &random) else { return }
      let wasWaiting = machine.cancel(waiter)
      #expect(wasWaiting)
      waiting[waiter] = nil
    case 80..<98:
      now += .milliseconds(Int.random(in: 0...900, using: &random))
      try carryOut(machine.tick(at: now))
      checkTimes()
    case 98: try carryOut(machine.startMaintenance(at: now))
    default: machine.stopMaintenance()
    }
    checkBounds()
  }

  mutating func carryOut(_ actions: [Machine.Action]) throws {
    for action in actions {
      switch action {
      case .open(let id):
        let isNew = opening.insert(id).inserted
        #expect(isNew && openedAt[id] == nil)
      case .hand(let id, let waiter, _):
        #expect(leased[id] == nil && openedAt[id] != nil && !closing.contains(id), "lent twice or when gone")
        // First come, first served: nobody who waits arrived before.
        #expect(waiting.keys.min() == waiter)
        try settle(waiter)
        leased[id] = waiter
        served += 1
        let opened = try #require(openedAt[id])
        #expect(now - opened < configuration.maxLifetime)
      case .close(let id):
        let isNew = closing.insert(id).inserted
        #expect(leased[id] == nil && isNew)
        let wasOpen = openedAt.removeValue(forKey: id) != nil
        #expect(wasOpen)
      case .fail(let waiter, _): try settle(waiter)
      case .drained: isDrained = true
      }
    }
  }

  mutating func settle(_ waiter: Machine.WaiterID) throws {
    let wasWaiting = waiting.removeValue(forKey: waiter) != nil
    try #require(wasWaiting, "answered without waiting")
    let isFirst = answered.insert(waiter).inserted
    #expect(isFirst, "answered twice")
  }

  func checkBounds() {
    let statistics = machine.statistics
    let idle = openedAt.count - leased.count
    #expect(opening.count + openedAt.count + closing.count <= configuration.maxConnections)
    #expect(
      statistics
        == PoolStatistics(
          opening: opening.count, idle: idle, leased: leased.count, closing: closing.count,
          waiting: waiting.count))
    #expect(waiting.isEmpty || idle == 0, "somebody waits while a connection is idle")
    #expect(waiting.count <= configuration.maxConnections + configuration.maxWaiters)
    // No waiter is lost: something will happen that serves it or tells it off.
    if !waiting.isEmpty { #expect(machine.nextWakeup != nil) }
  }

  func checkTimes() {
    for since in waiting.values where now - since > configuration.waitTimeout {
      // A rejected waiter is noted here later than it arrived, never earlier.
      Issue.record("a waiter was kept beyond its time")
    }
    if machine.isMaintained {
      #expect(machine.nextWakeup.map { $0 > now } ?? true, "the timer would spin")
      for (id, opened) in openedAt where leased[id] == nil {
        #expect(now - opened < configuration.maxLifetime, "an idle connection is too old")
      }
    }
  }

  /// Lets the server behave: the minimum is reached, then everything drains.
  mutating func finish() throws {
    try carryOut(machine.startMaintenance(at: now))
    for _ in 0..<200 {
      now += .seconds(1)
      try carryOut(machine.tick(at: now))
      for id in opening {
        opening.remove(id)
        openedAt[id] = now
        try carryOut(machine.opened(id, jitter: 0.5, at: now))
      }
      for id in closing {
        closing.remove(id)
        try carryOut(machine.closed(id, at: now))
      }
      checkBounds()
    }
    #expect(waiting.isEmpty)
    #expect(openedAt.count + opening.count >= configuration.minConnections)
    #expect(served > 0)
    try carryOut(machine.drain())
    #expect(!isDrained || openedAt.isEmpty)
    for id in leased.keys {
      leased[id] = nil
      try carryOut(machine.returned(id, isUsable: true, at: now))
    }
    for id in opening {
      opening.remove(id)
      openedAt[id] = now
      try carryOut(machine.opened(id, jitter: 0, at: now))
    }
    for id in closing {
      closing.remove(id)
      try carryOut(machine.closed(id, at: now))
    }
    #expect(isDrained)
  }
}

/// Sebastiano Vigna's splitmix64: small, and the same sequence on every machine.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
