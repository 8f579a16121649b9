internal import Histogram

/// What a load run measured, judged by the targets of the configuration.
public struct LoadReport: Sendable {
  /// Latencies in milliseconds.
  public struct Latency: Sendable, Hashable {
    public let p50: Double
    public let p90: Double
    public let p95: Double
    public let p99: Double
    public let p99_9: Double
    public let max: Double

    init(_ latencies: LatencyHistogram) {
      p50 = latencies.milliseconds(at: 50)
      p90 = latencies.milliseconds(at: 90)
      p95 = latencies.milliseconds(at: 95)
      p99 = latencies.milliseconds(at: 99)
      p99_9 = latencies.milliseconds(at: 99.9)
      max = latencies.maxMilliseconds
    }
  }

  /// One target and what was measured.
  public struct Judgement: Sendable, Hashable {
    /// The key under `[targets]`.
    public let name: String
    public let target: Double
    public let value: Double
    public let isOK: Bool
  }

  /// What one stage of an open loop measured.
  public struct Stage: Sendable, Hashable {
    public let stage: LoadStage
    /// Those that were due.
    public let requests: Int
    public let errors: Int
    /// Of the errors, how many were never sent.
    public let unsent: Int
    public let latency: Latency
  }

  /// A point of the latency distribution: so many of a hundred requests took no longer.
  public struct Point: Sendable, Hashable {
    /// 0 to 100.
    public let percentile: Double
    public let milliseconds: Double
  }

  /// What was asked for.
  public let plan: LoadPlan
  /// Requests that were due: sent, and not.
  public let requests: Int
  /// Of these, how many were never sent, because no connection had time for them. They count as errors (`not_sent`).
  public let unsent: Int
  public let errorsByCode: [String: Int]
  /// From the begin of the measurement to the last answer.
  public let duration: Duration
  public let latency: Latency
  /// Stages, where there are several.
  public let stages: [Stage]
  /// Second by second.
  public let timeline: [LoadInterval]
  /// The latency distribution, denser towards its end, as HdrHistogram's plots have it.
  public let distribution: [Point]
  /// What the generator took of the machine during the measurement.
  public let generator: GeneratorUse
  /// Nil, or why the figures say more of the generator, or of the number of connections, than of the server.
  public let generatorWarning: String?
  public private(set) var targets: [Judgement] = []

  public var errors: Int { errorsByCode.values.reduce(0, +) }
  /// Requests that were answered as they should be: a server that is away has no throughput.
  public var requestsPerSecond: Double {
    duration > .zero ? Double(requests - errors) / seconds(duration) : 0
  }
  public var errorRate: Double { requests > 0 ? Double(errors) / Double(requests) : 0 }
  /// The share of requests that were answered as they should be.
  public var availability: Double { requests > 0 ? 1 - errorRate : 0 }
  /// Whether every target was met; no, where nothing was measured.
  public var isOK: Bool { targets.allSatisfy(\.isOK) }

  /// - Parameter generator: what the generator used from the begin of the measurement to its end.
  public init(_ sample: LoadSample, plan: LoadPlan, generator: GeneratorUse, targets: LoadTargets) {
    self.plan = plan
    requests = sample.requests
    unsent = sample.unsent
    errorsByCode = sample.errors
    duration = .nanoseconds(sample.lastEnd)
    latency = Latency(sample.latencies)
    stages =
      plan.stages.count < 2
      ? []
      : zip(plan.stages, sample.stages).map { stage, measured in
        Stage(
          stage: stage, requests: measured.requests, errors: measured.errors, unsent: measured.unsent,
          latency: Latency(measured.latencies))
      }
    timeline = sample.intervals
    distribution =
      sample.requests == 0
      ? []
      : sample.latencies.percentiles(ticksPerHalfDistance: 5).map {
        Point(percentile: $0.percentileLevelIteratedTo, milliseconds: Double($0.value) / 1e6)
      }
    self.generator = generator
    generatorWarning = GeneratorDoubt(sample, plan, generator)?.sentence
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
