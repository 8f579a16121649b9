internal import Histogram

/// What a load run measured, judged by the targets of the configuration.
public struct LoadReport: Sendable {
  /// Latencies in milliseconds.
  public struct Latency: Sendable {
    public let p50: Double
    public let p90: Double
    public let p95: Double
    public let p99: Double
    public let p99_9: Double
    public let max: Double
  }

  /// One target and what was measured.
  public struct Judgement: Sendable {
    /// The key under `[targets]`.
    public let name: String
    public let target: Double
    public let value: Double
    public let isOK: Bool
  }

  public let requests: Int
  public let errorsByCode: [String: Int]
  public let duration: Duration
  public let latency: Latency
  public private(set) var targets: [Judgement]
  /// Nil, or why the figures say more of the generator than of the server.
  public let generatorWarning: String?

  public var errors: Int { errorsByCode.values.reduce(0, +) }
  public var requestsPerSecond: Double {
    Bench.seconds(duration) > 0 ? Double(requests) / seconds(duration) : 0
  }
  public var errorRate: Double { requests > 0 ? Double(errors) / Double(requests) : 0 }
  /// The share of requests that were answered as they should be.
  public var availability: Double { requests > 0 ? 1 - errorRate : 0 }
  /// Whether every target was met.
  public var isOK: Bool { targets.allSatisfy(\.isOK) }

  init(_ sample: LoadSample, plan: LoadPlan, duration: Duration, targets: LoadTargets) {
    requests = sample.requests
    errorsByCode = sample.errors
    self.duration = duration
    func milliseconds(_ percentile: Double) -> Double {
      Double(sample.latencies.valueAtPercentile(percentile)) / 1000
    }
    latency = Latency(
      p50: milliseconds(50), p90: milliseconds(90), p95: milliseconds(95), p99: milliseconds(99),
      p99_9: milliseconds(99.9), max: sample.requests > 0 ? Double(sample.latencies.max) / 1000 : 0)
    let isLate = plan.rate != nil && sample.worstDelay > .seconds(1)
    generatorWarning =
      isLate
      ? "requests were sent up to \(microseconds(sample.worstDelay) / 1000) ms late: "
        + "the connections cannot carry this rate" : nil
    self.targets = []
    self.targets = judgements(targets)
  }

  private func judgements(_ targets: LoadTargets) -> [Judgement] {
    func atMost(_ name: String, _ target: Double, _ value: Double) -> Judgement {
      Judgement(name: name, target: target, value: value, isOK: requests > 0 && value <= target)
    }
    func atLeast(_ name: String, _ target: Double, _ value: Double) -> Judgement {
      Judgement(name: name, target: target, value: value, isOK: requests > 0 && value >= target)
    }
    return [
      atMost("p50_ms", targets.p50Milliseconds, latency.p50),
      atMost("p95_ms", targets.p95Milliseconds, latency.p95),
      atMost("p99_ms", targets.p99Milliseconds, latency.p99),
      atLeast("requests_per_second", targets.requestsPerSecond, requestsPerSecond),
      atMost("error_rate", targets.errorRate, errorRate),
      atLeast("availability", targets.availability, availability),
    ]
  }
}

/// The targets that a load run is judged by, with the units of their keys under `[targets]`.
public struct LoadTargets: Sendable {
  public var p50Milliseconds: Double
  public var p95Milliseconds: Double
  public var p99Milliseconds: Double
  public var requestsPerSecond: Double
  /// A share from 0 to 1.
  public var errorRate: Double
  /// A share from 0 to 1.
  public var availability: Double

  public init(
    p50Milliseconds: Double, p95Milliseconds: Double, p99Milliseconds: Double, requestsPerSecond: Double,
    errorRate: Double, availability: Double
  ) {
    self.p50Milliseconds = p50Milliseconds
    self.p95Milliseconds = p95Milliseconds
    self.p99Milliseconds = p99Milliseconds
    self.requestsPerSecond = requestsPerSecond
    self.errorRate = errorRate
    self.availability = availability
  }
}
