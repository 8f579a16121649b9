import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Cache

/// Loads that wait until the test lets them go on, and count themselves.
private final class Source: Sendable {
  private struct State {
    var begun = 0
    var allowed = 0
    var running = 0
    var mostRunning = 0
    var cancelled = 0
  }

  private let state = Mutex(State())

  var begun: Int { state.withLock { $0.begun } }
  var mostRunning: Int { state.withLock { $0.mostRunning } }
  var cancelled: Int { state.withLock { $0.cancelled } }

  /// Lets so many loads end.
  func allow(_ count: Int) { state.withLock { $0.allowed += count } }

  /// Returns its own number, from 1.
  func load() async throws -> Int {
    let number = state.withLock { state in
      state.begun += 1
      state.running += 1
      state.mostRunning = max(state.mostRunning, state.running)
      return state.begun
    }
    defer { state.withLock { $0.running -= 1 } }
    while state.withLock({ $0.allowed < number }) {
      do {
        try await Task.sleep(for: .milliseconds(1))
      } catch {
        state.withLock { $0.cancelled += 1 }
        throw error
      }
    }
    return number
  }
}

/// The error that `body` ends with, if any.
func thrown<Value: Sendable>(_ body: @Sendable () async throws -> Value) async -> (any Error)? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error
  }
}

private struct Broken: Error, Equatable {}

@Suite(.timeLimit(.minutes(1))) struct SharedLoadsTests {
  private let key: CacheKey

  init() throws { key = try CacheKey("user:1") }

  private func until(_ what: String, _ condition: () -> Bool) async throws {
    let deadline = Deadline.after(.seconds(30))
    while !condition() {
      guard !deadline.hasPassed else { throw TestFailure("never: \(what)") }
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  @Test func thoseWhoComeWhileALoadRunsShareTheNextOne() async throws {
    let (source, loads) = (Source(), SharedLoads<Int>(patience: .seconds(30)))
    let first = Task { [key] in try await loads.value(of: key) { try await source.load() } }
    try await until("the first load begins") { source.begun == 1 }
    let others = (0..<50).map { _ in
      Task { [key] in try await loads.value(of: key) { try await source.load() } }
    }
    try await until("all wait") { loads.waiting(for: key) == 51 }
    #expect(source.begun == 1)
    source.allow(10)
    #expect(try await first.value == 1)
    // Never the value of the load that had begun before they asked.
    for other in others { #expect(try await other.value >= 2) }
    #expect(source.begun <= 3)
    #expect(source.mostRunning == 1)
    #expect(loads.count == 0)
  }

  @Test func differentKeysDoNotWaitForEachOther() async throws {
    let (source, loads) = (Source(), SharedLoads<Int>(patience: .seconds(30)))
    let stuck = Task { [key] in try await loads.value(of: key) { try await source.load() } }
    try await until("the load begins") { source.begun == 1 }
    let other = try CacheKey("user:2")
    #expect(try await loads.value(of: other) { 7 } == 7)
    source.allow(1)
    #expect(try await stuck.value == 1)
  }

  @Test func aFailureReachesThoseWhoSharedItAndNobodyElse() async throws {
    let loads = SharedLoads<Int>(patience: .seconds(30))
    let error = await thrown { [key] in try await loads.value(of: key) { throw Broken() } }
    #expect(error is Broken)
    #expect(try await loads.value(of: key) { 5 } == 5)
  }

  @Test func whoeverIsCancelledLeavesAlone() async throws {
    let (source, loads) = (Source(), SharedLoads<Int>(patience: .seconds(30)))
    let first = Task { [key] in try await loads.value(of: key) { try await source.load() } }
    try await until("the first load begins") { source.begun == 1 }
    let second = Task { [key] in try await loads.value(of: key) { try await source.load() } }
    let third = Task { [key] in try await loads.value(of: key) { try await source.load() } }
    try await until("all have come") { loads.waiting(for: key) == 3 }
    second.cancel()
    let secondError = await thrown { try await second.value }
    #expect(secondError is CancellationError)
    // The only one whom the running load served: it ends, and the next begins.
    first.cancel()
    let firstError = await thrown { try await first.value }
    #expect(firstError is CancellationError)
    source.allow(10)
    #expect(try await third.value == 2)
    try await until("the abandoned load is cancelled") { source.cancelled == 1 }
    let before = Task { [key] in
      while !Task.isCancelled { await Task.yield() }
      return try await loads.value(of: key) { 1 }
    }
    before.cancel()
    let beforeError = await thrown { try await before.value }
    #expect(beforeError is CancellationError)
    #expect(loads.count == 0)
  }

  @Test func waitsHaveABound() async throws {
    let (source, loads) = (Source(), SharedLoads<Int>(waitersMax: 2, patience: .milliseconds(200)))
    let tasks = (0..<3).map { _ in
      Task { [key] in try await loads.value(of: key) { try await source.load() } }
    }
    try await until("all have come") { source.begun == 1 && loads.waiting(for: key) == 3 }
    let refused = await thrown { [key] in try await loads.value(of: key) { 1 } }
    #expect(refused as? LoadFailure == .tooManyWaiters(key: "user:1", most: 2))
    for task in tasks {
      let late = await thrown { try await task.value }
      #expect(late as? LoadFailure == .timedOut(key: "user:1"))
    }
    #expect(loads.count == 0)
  }
}

@Suite struct BreakerTests {
  private let second: Int64 = 1_000_000_000

  @Test func staysAwayForAPauseThatDoublesThenLetsOneTry() {
    var breaker = Breaker(pauseMin: .seconds(1), pauseMax: .seconds(4))
    let atFirst = [breaker.admits(at: 0), breaker.admits(at: 0)]
    #expect(atFirst == [true, true])
    breaker.failed(at: 0)
    breaker.failed(at: 0)
    #expect(breaker.isOpen)
    var now: Int64 = 0
    for pause in [1, 2, 4, 4] as [Int64] {
      let answer1 = breaker.admits(at: now + pause * second - 1)
      #expect(!answer1)
      now += pause * second
      let answer2 = breaker.admits(at: now)
      #expect(answer2)
      let answer3 = breaker.admits(at: now)
      #expect(!answer3)
      breaker.failed(at: now)
    }
    let answer4 = breaker.admits(at: now + 4 * second)
    #expect(answer4)
    breaker.succeeded()
    #expect(!breaker.isOpen)
    let answer5 = breaker.admits(at: now)
    #expect(answer5)
    breaker.failed(at: now)
    let answer6 = breaker.admits(at: now + second)
    #expect(answer6)
  }

  @Test func oneWhoNeverReportsBackDoesNotShutItForEver() {
    var breaker = Breaker(pauseMin: .seconds(1), pauseMax: .seconds(4))
    breaker.failed(at: 0)
    let answer7 = breaker.admits(at: second)
    #expect(answer7)
    let answer8 = breaker.admits(at: 2 * second)
    #expect(answer8)
    breaker.abandoned()
    #expect(breaker.isOpen)
    let answer9 = breaker.admits(at: 2 * second)
    #expect(answer9)
  }
}

@Suite struct EarlyRefreshTests {
  @Test func isLikelierTheCloserTheEndAndTheSlowerTheLoad() {
    let refresh = EarlyRefresh(eagerness: 1)
    func share(timeLeft: Duration, loadTime: Duration) -> Double {
      let due = (1...1000).count {
        refresh.isDue(timeLeft: timeLeft, loadTime: loadTime, draw: Double($0) / 1000)
      }
      return Double(due) / 1000
    }
    // The share is e^(-left/load).
    #expect(abs(share(timeLeft: .seconds(1), loadTime: .seconds(1)) - 0.367) < 0.002)
    #expect(abs(share(timeLeft: .seconds(2), loadTime: .seconds(1)) - 0.135) < 0.002)
    #expect(share(timeLeft: .zero, loadTime: .seconds(1)) == 1)
    #expect(share(timeLeft: .seconds(300), loadTime: .milliseconds(10)) == 0)
  }
}
