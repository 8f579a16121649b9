internal import Histogram
internal import Primitives
internal import Synchronization

/// Latencies in nanoseconds, three significant digits; grows with the largest.
typealias LatencyHistogram = Histogram<UInt64>

extension LatencyHistogram {
  /// Longer latencies count as this: an hour.
  static let nanosecondsMax: UInt64 = 3_600_000_000_000

  static var empty: Self { Self(numberOfSignificantValueDigits: .three) }

  /// In milliseconds; 0 where nothing was recorded.
  func milliseconds(at percentile: Double) -> Double {
    totalCount > 0 ? Double(valueAtPercentile(percentile)) / 1e6 : 0
  }

  /// The longest, in milliseconds.
  var maxMilliseconds: Double { totalCount > 0 ? Double(max) / 1e6 : 0 }

  mutating func record(latency: Int64) {
    _ = record(Swift.min(UInt64(Swift.max(0, latency)), Self.nanosecondsMax))
  }
}

/// Collects what becomes of requests, from any thread.
public final class LoadRecorder: Sendable {
  private let schedule: LoadSchedule
  private let keepsHistograms: Bool
  private let state: Mutex<State>

  private struct State {
    var sample: LoadSample
    /// The second that is being filled, counted from the begin of the measurement.
    var second = 0
    var current = LoadInterval.Counts()
    var latencies = LatencyHistogram.empty
    /// Finished seconds whose histograms nobody has taken.
    var finished: [(second: Int, latencies: LatencyHistogram)] = []

    mutating func count(_ latency: Int64, _ failure: String?) {
      current.requests += 1
      if failure != nil { current.errors += 1 }
      latencies.record(latency: latency)
    }
  }

  /// - Parameter keepsHistograms: whether somebody takes those of finished seconds.
  init(_ schedule: LoadSchedule, keepsHistograms: Bool) {
    self.schedule = schedule
    self.keepsHistograms = keepsHistograms
    state = Mutex(State(sample: LoadSample(stages: schedule.plan.stages.count)))
  }

  /// Counts a request that has ended. One of the warm-up is not counted.
  ///
  /// - Parameters:
  ///   - sent: when it was sent, and `ended`: when its answer was there; nanoseconds of the monotonic clock.
  ///   - failure: nil, or the stable code of the error that it ended with.
  public func record(_ turn: LoadTurn, sent: Int64, ended: Int64, failure: String?) {
    guard turn.isMeasured else { return }
    state.withLock { state in
      advance(&state, to: ended)
      state.sample.record(turn, sent: sent, ended: ended, failure: failure)
      state.sample.lastEnd = max(state.sample.lastEnd, ended - schedule.measuredFrom)
      state.count(ended - turn.due, failure)
    }
  }

  /// Counts requests that were due and that no connection has had time for.
  func recordMissed(at now: Int64) {
    guard schedule.plan.isOpen else { return }
    let latest = min(schedule.end, now - LoadSchedule.patience.wholeNanoseconds)
    while let turn = schedule.nextDue(by: latest, at: now) {
      guard turn.isMeasured else { continue }
      state.withLock { state in
        advance(&state, to: now)
        state.sample.recordMissed(turn, at: now)
        state.count(now - turn.due, LoadSample.notSent)
      }
    }
  }

  /// The histograms of seconds that are over, each once.
  func takeFinished() -> [(second: Int, latencies: LatencyHistogram)] {
    state.withLock { state in
      defer { state.finished = [] }
      return state.finished
    }
  }

  /// Everything, with the last second closed.
  func finish() -> LoadSample {
    state.withLock { state in
      if state.current.requests > 0 { close(&state) }
      return state.sample
    }
  }

  /// Closes the seconds before the one that `time` lies in. Threads finish in any order, so a request may be counted a moment
  /// after it ended.
  private func advance(_ state: inout State, to time: Int64) {
    let second = Int((time - schedule.measuredFrom) / 1_000_000_000)
    while state.second < second { close(&state) }
  }

  private func close(_ state: inout State) {
    state.sample.intervals.append(LoadInterval(state.current, state.latencies))
    if keepsHistograms { state.finished.append((state.second, state.latencies)) }
    if state.current.requests > 0 { state.latencies.reset() }
    state.current = LoadInterval.Counts()
    state.second += 1
  }
}
