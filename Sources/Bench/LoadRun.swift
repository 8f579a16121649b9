internal import Primitives

/// A load while it runs: what its connections take their turns from, and where they tell what became of them.
///
/// ```swift
/// run.work {
///   session.isOpen
/// } send: {
///   send(session)  // nil, or the code of the error
/// }
/// ```
///
/// A client on event loops has no thread to block: it takes turns from `schedule` and tells `recorder`.
public final class LoadRun: Sendable {
  /// When requests are sent.
  public let schedule: LoadSchedule
  /// What became of them.
  public let recorder: LoadRecorder
  private let stops: @Sendable () -> Bool

  /// How long a connection waits before it looks whether the run was stopped.
  private static let waitMax: Int64 = 100_000_000

  /// A run that begins now.
  ///
  /// - Parameter shouldStop: asked again and again; true ends the run before its time.
  public init(
    _ plan: LoadPlan, keepsHistograms: Bool = false, shouldStop: @escaping @Sendable () -> Bool = { false }
  ) {
    schedule = LoadSchedule(plan, start: monotonicNanoseconds())
    recorder = LoadRecorder(schedule, keepsHistograms: keepsHistograms)
    stops = shouldStop
  }

  /// What is to be sent.
  public var plan: LoadPlan { schedule.plan }

  /// Whether somebody has asked to stop.
  public var isStopped: Bool { stops() }

  /// Whether nothing is left to send.
  public var isOver: Bool { isStopped || schedule.isOver(at: monotonicNanoseconds()) }

  /// Sends requests one after the other, blocking the thread, until the run is over or `goesOn` says no.
  ///
  /// - Parameter send: sends one request and returns nil, or the code of the error that it ended with.
  public func work(while goesOn: () -> Bool = { true }, send: () throws -> String?) rethrows {
    while goesOn(), !isStopped, let turn = schedule.next(at: monotonicNanoseconds()) {
      while let wait = wait(for: turn) {
        sleepBlocking(nanoseconds: wait)
        if isStopped { return }
      }
      let sent = monotonicNanoseconds()
      let failure = try send()
      recorder.record(turn, sent: sent, ended: monotonicNanoseconds(), failure: failure)
    }
  }

  /// The same for what suspends instead of blocking. Others get their turn on the thread between two requests.
  public func work(
    isolation: isolated (any Actor)? = #isolation, while goesOn: () -> Bool = { true },
    send: (LoadTurn) async throws -> String?
  ) async throws {
    while goesOn(), !isStopped, let turn = schedule.next(at: monotonicNanoseconds()) {
      while let wait = wait(for: turn) {
        try await Task.sleep(for: .nanoseconds(wait))
        if isStopped { return }
      }
      let sent = monotonicNanoseconds()
      let failure = try await send(turn)
      recorder.record(turn, sent: sent, ended: monotonicNanoseconds(), failure: failure)
      await Task.yield()
    }
  }

  /// Counts a request that could not be sent, because its connection could not be opened.
  ///
  /// - Parameter code: the stable code of the error.
  /// - Returns: whether any was due.
  @discardableResult
  public func fail(_ code: String) -> Bool {
    let now = monotonicNanoseconds()
    guard !isStopped, let turn = schedule.nextDue(by: now, at: now) else { return false }
    recorder.record(turn, sent: now, ended: now, failure: code)
    return true
  }

  /// Ends the run, when all connections are done, and returns what they have measured.
  public func finish() -> LoadSample {
    recorder.recordMissed(at: monotonicNanoseconds())
    return recorder.finish()
  }

  /// Nil when it is due.
  private func wait(for turn: LoadTurn) -> Int64? {
    let left = turn.due - monotonicNanoseconds()
    return left > 0 ? min(left, Self.waitMax) : nil
  }
}
