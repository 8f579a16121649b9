internal import ConnectionPool
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

/// One connection's worth of load, on a thread of its own: requests block.
actor LoadWorker {
  private let executor = ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Sends requests until the plan's time is over or `shouldStop` says so.
  ///
  /// - Parameters:
  ///   - index: this worker's place among the plan's connections, which staggers an open loop.
  ///   - start: when the warm-up begins, the same for all workers.
  ///   - makeRequest: called once on this thread; what it returns sends one request and returns nil, or the code
  ///     of the error that it ended with.
  func run(
    _ plan: LoadPlan, index: Int, start: ContinuousClock.Instant, shouldStop: @Sendable () -> Bool,
    makeRequest: @Sendable (Int) throws -> () throws -> String?
  ) throws -> LoadSample {
    let request = try makeRequest(index)
    let clock = ContinuousClock()
    let measuredFrom = start + plan.warmup
    let end = measuredFrom + plan.duration
    var sample = LoadSample()
    var schedule = Schedule(plan, index: index, start: max(start, clock.now))
    while !shouldStop() {
      let intended = schedule.next(after: clock.now)
      guard intended < end else { break }
      let delay = wait(until: intended, clock)
      let failure = try request()
      let finished = clock.now
      guard intended >= measuredFrom else { continue }
      // Measured from when the request should have been sent: a slow answer must not hide that the next
      // request was late (coordinated omission).
      sample.latencies.record(UInt64(max(0, microseconds(finished - intended))))
      sample.requests += 1
      if let failure { sample.errors[failure, default: 0] += 1 }
      sample.worstDelay = max(sample.worstDelay, delay)
    }
    return sample
  }

  /// Sleeps until `instant`; returns how late it is already.
  private func wait(until instant: ContinuousClock.Instant, _ clock: ContinuousClock) -> Duration {
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
