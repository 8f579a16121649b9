internal import Histogram
internal import Primitives

/// What one worker, or all together, measured.
struct LoadSample: Sendable {
  /// Latencies in microseconds, three significant digits.
  var latencies = Histogram<UInt64>(
    highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)
  var requests = 0
  var errors: [String: Int] = [:]
  /// How far behind its schedule a request of an open loop was sent, at worst.
  var worstDelay: Duration = .zero

  mutating func add(_ other: LoadSample) {
    latencies.add(other.latencies)
    requests += other.requests
    errors.merge(other.errors, uniquingKeysWith: +)
    worstDelay = max(worstDelay, other.worstDelay)
  }
}

/// One connection's worth of load. A value, so that it can go on with another connection where one is lost.
struct LoadWorker: Sendable {
  private let measuredFrom: ContinuousClock.Instant
  private let end: ContinuousClock.Instant
  private var schedule: Schedule
  private let clock = ContinuousClock()
  private(set) var sample = LoadSample()
  /// Whether the plan's time is over.
  private(set) var isDone = false

  /// - Parameters:
  ///   - index: this worker's place among the plan's connections, which staggers an open loop.
  ///   - start: when the warm-up begins, the same for all workers.
  init(_ plan: LoadPlan, index: Int, start: ContinuousClock.Instant) {
    measuredFrom = start + plan.warmup
    end = measuredFrom + plan.duration
    schedule = Schedule(plan, index: index, start: start)
  }

  /// Sends requests, blocking the thread, until the plan's time is over or `goesOn` says no.
  ///
  /// - Parameter send: sends one request and returns nil, or the code of the error that it ended with.
  mutating func run(while goesOn: () -> Bool, send: () throws -> String?) rethrows {
    while goesOn(), !isDone {
      let intended = schedule.next(after: clock.now)
      guard intended < end else {
        isDone = true
        return
      }
      let delay = wait(until: intended)
      record(failure: try send(), intended: intended, delay: delay)
    }
  }

  /// Counts a request that could not even be sent, and lets time pass before the next.
  mutating func recordUnsendable(_ code: String) {
    record(failure: code, intended: clock.now, delay: .zero)
    isDone = isDone || clock.now >= end
  }

  private mutating func record(failure: String?, intended: ContinuousClock.Instant, delay: Duration) {
    guard intended >= measuredFrom else { return }
    // Measured from when the request should have been sent: a slow answer must not hide that the next request
    // was late (coordinated omission).
    sample.latencies.record(UInt64(max(0, microseconds(clock.now - intended))))
    sample.requests += 1
    if let failure { sample.errors[failure, default: 0] += 1 }
    sample.worstDelay = max(sample.worstDelay, delay)
  }

  /// Sleeps until `instant`; returns how late it is already.
  private func wait(until instant: ContinuousClock.Instant) -> Duration {
    let left = instant - clock.now
    if left <= .zero { return .zero - left }
    sleepBlocking(left)
    return .zero
  }
}

/// When a worker sends its requests.
private struct Schedule {
  private let interval: Duration?
  private var upcoming: ContinuousClock.Instant

  init(_ plan: LoadPlan, index: Int, start: ContinuousClock.Instant) {
    if let rate = plan.rate, rate > 0 {
      let interval = Duration.seconds(Double(plan.connections) / rate)
      self.interval = interval
      upcoming = start + interval * (Double(index) / Double(plan.connections))
    } else {
      interval = nil
      upcoming = start
    }
  }

  /// The next sending time: of a closed loop, now.
  mutating func next(after now: ContinuousClock.Instant) -> ContinuousClock.Instant {
    guard let interval else { return now }
    defer { upcoming += interval }
    return upcoming
  }
}
