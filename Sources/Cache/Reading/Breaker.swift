import Primitives

/// Keeps a server that does not answer from costing its time-out again and again: after a failure it is left alone for a
/// pause, which doubles with each further failure up to a bound; then one caller tries, while the others stay away.
///
/// A value: the caller hands in the clock, in nanoseconds that never step back.
public struct Breaker: Sendable {
  private enum State {
    case closed
    case open(until: Int64, pause: Int64)
    /// One caller tries; should it never report back, another may after the pause.
    case trying(until: Int64, pause: Int64)
  }

  private var state = State.closed
  private let pauseMin: Int64
  private let pauseMax: Int64

  /// Closed.
  ///
  /// - Parameters:
  ///   - pauseMin: the first pause.
  ///   - pauseMax: the longest.
  public init(pauseMin: Duration = .seconds(1), pauseMax: Duration = .seconds(30)) {
    self.pauseMin = max(1, pauseMin.wholeNanoseconds)
    self.pauseMax = max(self.pauseMin, pauseMax.wholeNanoseconds)
  }

  /// Whether nobody may pass but, now and then, one who tries.
  public var isOpen: Bool {
    if case .closed = state { false } else { true }
  }

  /// Whether the caller may try the server now. Whoever may must report by ``succeeded()``, ``failed(at:)`` or ``abandoned()``.
  public mutating func admits(at now: Int64) -> Bool {
    switch state {
    case .closed: return true
    case .open(let until, let pause), .trying(let until, let pause):
      guard now >= until else { return false }
      state = .trying(until: later(now, pause), pause: pause)
      return true
    }
  }

  /// The server answered.
  public mutating func succeeded() {
    state = .closed
  }

  /// The caller was cancelled before it learnt anything; the next one may try at once.
  public mutating func abandoned() {
    if case .trying(_, let pause) = state { state = .open(until: .min, pause: pause) }
  }

  /// The server did not answer in time, or refused to work.
  public mutating func failed(at now: Int64) {
    let pause: Int64
    switch state {
    case .closed: pause = pauseMin
    // Calls that had begun before the breaker opened: one outage, counted once.
    case .open: return
    case .trying(_, let last): pause = last > pauseMax / 2 ? pauseMax : last * 2
    }
    state = .open(until: later(now, pause), pause: pause)
  }

  private func later(_ now: Int64, _ time: Int64) -> Int64 {
    let (sum, isTooLate) = now.addingReportingOverflow(time)
    return isTooLate ? .max : sum
  }
}
