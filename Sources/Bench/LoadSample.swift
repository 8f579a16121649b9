internal import Histogram
internal import Primitives

/// What a load run has measured, before it is judged.
public struct LoadSample: Sendable {
  /// Requests of one stage.
  struct Stage: Sendable {
    var latencies = LatencyHistogram.empty
    var requests = 0
    var errors = 0
    var unsent = 0
  }

  /// The code of requests that were due and that no connection had time for.
  static let notSent = "not_sent"

  var latencies = LatencyHistogram.empty
  /// Of an open loop.
  var stages: [Stage]
  /// Those that were due: sent, and not.
  var requests = 0
  /// Of these, how many were never sent.
  var unsent = 0
  var errors: [String: Int] = [:]
  /// Second by second, by the time of the answer.
  var intervals: [LoadInterval] = []
  /// The last answer, in nanoseconds from the begin of the measurement.
  var lastEnd: Int64 = 0
  /// Requests that were sent, from being sent to their answers, in nanoseconds together.
  var serviceNanoseconds = 0.0
  /// How late requests were sent that waited for a free connection.
  var waits = LatencyHistogram.empty
  /// How late requests were sent for which a connection was free: it slept, and did not wake in time.
  var lateWakes = LatencyHistogram.empty

  init(stages: Int) {
    self.stages = Array(repeating: Stage(), count: stages)
  }

  mutating func record(_ turn: LoadTurn, sent: Int64, ended: Int64, failure: String?) {
    count(turn, latency: ended - turn.due, failure)
    serviceNanoseconds += Double(ended - sent)
    // A closed loop has no schedule to be late for.
    guard !stages.isEmpty else { return }
    if turn.isOverdue {
      waits.record(latency: sent - turn.due)
    } else {
      lateWakes.record(latency: sent - turn.due)
    }
  }

  mutating func recordMissed(_ turn: LoadTurn, at now: Int64) {
    // It has waited for so long already; nobody knows for how long it would have.
    count(turn, latency: now - turn.due, Self.notSent)
    unsent += 1
    if stages.indices.contains(turn.stage) { stages[turn.stage].unsent += 1 }
    waits.record(latency: now - turn.due)
  }

  private mutating func count(_ turn: LoadTurn, latency: Int64, _ failure: String?) {
    requests += 1
    latencies.record(latency: latency)
    if let failure { errors[failure, default: 0] += 1 }
    guard stages.indices.contains(turn.stage) else { return }
    stages[turn.stage].requests += 1
    stages[turn.stage].latencies.record(latency: latency)
    if failure != nil { stages[turn.stage].errors += 1 }
  }
}

/// One second of a run.
public struct LoadInterval: Sendable, Hashable {
  /// Requests that ended in it.
  public let requests: Int
  /// Of these with an error.
  public let errors: Int
  /// Latencies in milliseconds; 0 where no request ended.
  public let p50: Double
  public let p99: Double
  public let max: Double

  struct Counts: Sendable {
    var requests = 0
    var errors = 0
  }

  init(_ counts: Counts, _ latencies: LatencyHistogram) {
    requests = counts.requests
    errors = counts.errors
    p50 = counts.requests > 0 ? latencies.milliseconds(at: 50) : 0
    p99 = counts.requests > 0 ? latencies.milliseconds(at: 99) : 0
    max = counts.requests > 0 ? latencies.maxMilliseconds : 0
  }
}
