internal import Primitives
internal import Synchronization

/// A request's turn. Times are nanoseconds of the monotonic clock (`monotonicNanoseconds`).
public struct LoadTurn: Sendable, Hashable {
  /// When the request is to be sent. Latency counts from here, however late it is sent: a slow answer must not hide that
  /// the next request was late (coordinated omission).
  public let due: Int64
  /// The stage of an open loop, from 0.
  public let stage: Int
  /// False during the warm-up.
  public let isMeasured: Bool
  /// Whether it was due already when somebody had time for it: every connection was busy.
  public var isOverdue: Bool
}

/// When requests are sent. All connections take their turns from one schedule, so that a connection that waits for a slow
/// answer holds up no request but its own as long as others are free.
public final class LoadSchedule: Sendable {
  /// What is due.
  public let plan: LoadPlan
  /// When the warm-up begins, in nanoseconds of the monotonic clock.
  public let start: Int64
  /// When the measurement begins.
  public let measuredFrom: Int64
  /// When the last request is due at the latest.
  public let end: Int64

  /// The stages, the warm-up before them.
  private let spans: [Span]
  private let turns: Int
  private let taken = Atomic<Int>(0)

  /// How long after the end requests are still sent that were due before it. What cannot be sent by then is counted as not
  /// sent.
  public static let patience: Duration = .seconds(1)

  /// Turns at even distances.
  private struct Span {
    let firstTurn: Int
    let turns: Int
    let start: Int64
    /// Nanoseconds from turn to turn.
    let interval: Double
    let stage: Int
    let isMeasured: Bool
  }

  /// - Parameter start: when the warm-up begins, in nanoseconds of the monotonic clock.
  public init(_ plan: LoadPlan, start: Int64) {
    self.plan = plan
    self.start = start
    measuredFrom = start + plan.warmup.wholeNanoseconds
    end = measuredFrom + plan.duration.wholeNanoseconds
    var spans: [Span] = []
    var turns = 0
    var from = start
    func append(_ stage: Int, _ duration: Duration, rate: Double, isMeasured: Bool) {
      // As many as are due before the end: the first at once, the next an interval later.
      let count = Int((Double(duration.wholeNanoseconds) * rate / 1e9 - 1e-9).rounded(.up))
      spans.append(
        Span(
          firstTurn: turns, turns: count, start: from, interval: 1e9 / rate, stage: stage,
          isMeasured: isMeasured))
      turns += count
      from += duration.wholeNanoseconds
    }
    if let first = plan.stages.first, plan.warmup > .zero {
      append(0, plan.warmup, rate: first.rate, isMeasured: false)
    }
    for (index, stage) in plan.stages.enumerated() {
      append(index, stage.duration, rate: stage.rate, isMeasured: true)
    }
    self.spans = spans
    self.turns = turns
  }

  /// The next turn, which the caller has to take: it waits until the turn is due, unless it is overdue, and sends. Nil when
  /// the plan's time is over.
  ///
  /// - Parameter now: the time, in nanoseconds of the monotonic clock.
  public func next(at now: Int64) -> LoadTurn? {
    guard plan.isOpen else {
      guard now < end else { return nil }
      return LoadTurn(due: now, stage: 0, isMeasured: now >= measuredFrom, isOverdue: false)
    }
    guard now < end + Self.patience.wholeNanoseconds else { return nil }
    return turn(taken.add(1, ordering: .relaxed).oldValue, at: now)
  }

  /// Whether there is nothing more to send.
  public func isOver(at now: Int64) -> Bool {
    guard plan.isOpen else { return now >= end }
    return now >= end + Self.patience.wholeNanoseconds || taken.load(ordering: .relaxed) >= turns
  }

  /// Takes a turn that is due, and leaves those of the future. Nil where there is none.
  ///
  /// - Parameter latest: the moment by which it must have been due.
  func nextDue(by latest: Int64, at now: Int64) -> LoadTurn? {
    guard plan.isOpen else { return next(at: now) }
    while true {
      let index = taken.load(ordering: .relaxed)
      guard let turn = turn(index, at: now), turn.due <= latest else { return nil }
      if taken.compareExchange(expected: index, desired: index + 1, ordering: .relaxed).exchanged {
        return turn
      }
    }
  }

  private func turn(_ index: Int, at now: Int64) -> LoadTurn? {
    guard let span = spans.last(where: { $0.firstTurn <= index }), index < span.firstTurn + span.turns else {
      return nil
    }
    let due = span.start + Int64(Double(index - span.firstTurn) * span.interval)
    return LoadTurn(due: due, stage: span.stage, isMeasured: span.isMeasured, isOverdue: due < now)
  }
}
