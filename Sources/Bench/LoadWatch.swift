internal import Primitives

/// Looks on while a load runs: what it costs between the begin of the measurement and its end.
public struct LoadWatch: Sendable {
  /// What was seen.
  public struct Findings: Sendable {
    /// What the generator took of the machine.
    public var generator = GeneratorUse()
  }

  private let run: LoadRun

  /// How often it looks.
  private static let pause: Duration = .milliseconds(100)

  public init(_ run: LoadRun) {
    self.run = run
  }

  /// Looks on until the task is cancelled, which is how the end of the load is told.
  public func observe() async -> Findings {
    var before = GeneratorUse.now()
    var isMeasuring = false
    while !Task.isCancelled {
      if !isMeasuring, monotonicNanoseconds() >= run.schedule.measuredFrom {
        isMeasuring = true
        before = GeneratorUse.now()
      }
      await rest()
    }
    return Findings(generator: GeneratorUse.now().since(before))
  }

  /// Sleeps until it looks again: at the begin of the measurement, then from time to time.
  private func rest() async {
    let left = Duration.nanoseconds(run.schedule.measuredFrom - monotonicNanoseconds())
    do {
      try await Task.sleep(for: left > .zero ? min(left, Self.pause) : Self.pause)
    } catch {
      // Cancelled: the load has ended, which the caller sees for itself.
      return
    }
  }
}
