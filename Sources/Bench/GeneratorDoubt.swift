internal import Histogram

/// Why a run's figures say more of the generator, or of the number of its connections, than of the server.
enum GeneratorDoubt: Sendable, Hashable {
  /// A connection was free, but its thread did not wake when a request was due.
  case wokeLate(milliseconds: Double, cpuShare: Double)
  /// The generator's own work, and its waiting for a processor, make up most of the time that was measured.
  case ownTime(share: Double, cpuShare: Double)
  /// The threads that send for all connections had no time left.
  case busyLoops(share: Double, loops: Int)
  /// Every connection was waiting for an answer when requests were due.
  case tooFewConnections(milliseconds: Double, needed: Int, have: Int)

  /// Lateness of sending that may spoil a latency, in milliseconds.
  private static let latenessMax = 5.0
  /// The part of the 99th percentile that lateness of the generator itself may be.
  private static let latenessShareMax = 0.1
  /// The part of the measured time that the generator may take for itself.
  private static let ownShareMax = 0.5

  /// The part of its time that a thread which sends for many connections may be at work, or wait for a processor.
  private static let loopShareMax = 0.9

  /// Nil where nothing speaks against the figures. A generator without a processor explains busy connections too, so it is
  /// looked for first.
  init?(_ sample: LoadSample, _ plan: LoadPlan, _ use: GeneratorUse) {
    let sent = sample.requests - sample.unsent
    let elapsed = Double(sample.lastEnd) / 1e9
    guard sent > 0, elapsed > 0 else { return nil }
    let cpuShare = use.cpuSeconds / elapsed / Double(use.processors)
    let late = sample.lateWakes.milliseconds(at: 99)
    let measured = sample.serviceNanoseconds / 1e9
    let own = use.cpuSeconds + (use.waitSeconds ?? 0)
    if late > Self.latenessMax, late > Self.latenessShareMax * sample.latencies.milliseconds(at: 99) {
      self = .wokeLate(milliseconds: late, cpuShare: cpuShare)
    } else if let loops = use.loops, own > Self.loopShareMax * elapsed * Double(loops) {
      self = .busyLoops(share: min(1, own / elapsed / Double(loops)), loops: loops)
    } else if use.loops == nil, measured > 0, own / measured > Self.ownShareMax,
      plan.connections > 1 || cpuShare > 0.9
    {
      self = .ownTime(share: min(1, own / measured), cpuShare: cpuShare)
    } else if plan.isOpen, sample.waits.milliseconds(at: 99) > Self.latenessMax,
      sample.waits.totalCount * 100 > UInt64(sample.requests)
    {
      // Little's law: as many are busy as arrive in the time that one takes.
      let busiest = plan.stages.map(\.rate).max() ?? 0
      let needed = (busiest * measured / Double(sent)).rounded(.up)
      self = .tooFewConnections(
        milliseconds: sample.waits.maxMilliseconds, needed: Int(min(needed, 1e9)), have: plan.connections)
    } else {
      return nil
    }
  }

  /// For people.
  var sentence: String {
    switch self {
    case .wokeLate(let milliseconds, let cpuShare):
      "the generator was the bottleneck: connections were free, and one in a hundred requests was sent \(Int(milliseconds)) ms "
        + "late or later (its own processor use: \(percent(cpuShare)) of this machine); run it on another machine, or at a lower rate"
    case .ownTime(let share, let cpuShare):
      "the generator was the bottleneck: \(percent(share)) of the time that was measured is its own work and its waiting for a "
        + "processor (its own processor use: \(percent(cpuShare)) of this machine); run it on another machine"
    case .busyLoops(let share, let loops):
      "the generator was the bottleneck: its \(loops == 1 ? "thread was" : "\(loops) threads were") at work, or waited for a "
        + "processor, \(percent(share)) of the time; give it more --threads, or run it on another machine"
    case .tooFewConnections(let milliseconds, let needed, let have):
      "requests waited up to \(Int(milliseconds)) ms for a free connection: \(have) connections cannot carry this rate"
        + (needed > have ? "; at these answer times it takes \(needed) or more" : "")
    }
  }

  private func percent(_ share: Double) -> String { "\(Int((min(1, max(0, share)) * 100).rounded())) %" }
}
