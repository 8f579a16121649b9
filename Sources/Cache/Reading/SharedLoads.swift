public import Primitives
import Synchronization

/// Why a load had to be given up.
public enum LoadFailure: Failure, Equatable {
  /// Another task loads the key and has not come back in time.
  case timedOut(key: String)
  /// So many tasks wait for the key already.
  case tooManyWaiters(key: String, most: Int)

  public var code: String {
    switch self {
    case .timedOut: "cache_load_timeout"
    case .tooManyWaiters: "cache_load_queue_full"
    }
  }

  public var message: String {
    switch self {
    case .timedOut(let key): "\(key) is being loaded, and has not come in time"
    case .tooManyWaiters(let key, let most): "\(most) tasks wait for \(key) already"
    }
  }

  public var isRetryable: Bool { true }
  public var kind: FailureKind { .busy }
}

/// One load at a time for each key of this process, shared by those who asked before it began.
///
/// Whoever asks while a load runs waits for the next one, which begins when that one ends and serves all who came
/// meanwhile: the running one may have read before a write that the newcomer knows of. So a key has one load running
/// and one waiting, however many ask.
///
/// Loads run in tasks of their own, so that nobody's cancellation ends one for the others: a caller that is cancelled leaves
/// alone, and a load that nobody waits for any more is cancelled. When a load fails, those that shared it get its error,
/// and nobody else. Every wait has a bound.
final class SharedLoads<Value: Sendable>: Sendable {
  typealias Load = @Sendable () async throws -> Value
  private typealias Waiters = [UInt64: CheckedContinuation<Value, any Error>]

  private struct Line {
    /// The load that runs; nobody joins it.
    var number: UInt64
    var task: Task<Void, Never>
    var served: Waiters
    /// Those that the next one will serve, and what it is.
    var next: Waiters = [:]
    var nextLoad: Load?
  }

  private struct State {
    var lines: [CacheKey: Line] = [:]
    var lastNumber: UInt64 = 0

    mutating func number() -> UInt64 {
      lastNumber += 1
      return lastNumber
    }
  }

  private let state = Mutex(State())
  private let waitersMax: Int
  private let patience: Duration

  /// - Parameters:
  ///   - waitersMax: tasks that may wait for one key.
  ///   - patience: how long each of them does.
  init(waitersMax: Int = 10_000, patience: Duration) {
    self.waitersMax = waitersMax
    self.patience = patience
  }

  /// Keys that are being loaded.
  var count: Int { state.withLock { $0.lines.count } }

  /// Tasks that wait for a key, those of the running load included.
  func waiting(for key: CacheKey) -> Int {
    state.withLock { state in state.lines[key].map { $0.served.count + $0.next.count } ?? 0 }
  }

  /// The outcome of a load of `key` that begins after this call.
  ///
  /// - Throws: what the load throws; `LoadFailure`; `CancellationError` when the calling task is cancelled.
  func value(of key: CacheKey, load: @escaping Load) async throws -> Value {
    try Task.checkCancellation()
    let ticket = state.withLock { $0.number() }
    let timer = Task { [patience] in
      do {
        try await Task.sleep(for: patience)
      } catch {
        return  // Cancelled, because the value has come.
      }
      leave(key, ticket, LoadFailure.timedOut(key: key.text))
    }
    defer { timer.cancel() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        join(key, ticket, continuation, load)
        // The handler below may have run before there was anybody to leave.
        if Task.isCancelled { leave(key, ticket, CancellationError()) }
      }
    } onCancel: {
      leave(key, ticket, CancellationError())
    }
  }

  private func join(
    _ key: CacheKey, _ ticket: UInt64, _ continuation: CheckedContinuation<Value, any Error>,
    _ load: @escaping Load
  ) {
    let isRefused = state.withLock { state in
      guard let line = state.lines[key] else {
        start(load, for: [ticket: continuation], key, &state)
        return false
      }
      guard line.next.count < waitersMax else { return true }
      state.lines[key]?.next[ticket] = continuation
      state.lines[key]?.nextLoad = load
      return false
    }
    if isRefused {
      continuation.resume(throwing: LoadFailure.tooManyWaiters(key: key.text, most: waitersMax))
    }
  }

  private func start(_ load: @escaping Load, for waiters: Waiters, _ key: CacheKey, _ state: inout State) {
    let number = state.number()
    let task = Task.detached { [self] in
      let outcome: Result<Value, any Error>
      do { outcome = .success(try await load()) } catch { outcome = .failure(error) }
      land(key, number, outcome)
    }
    state.lines[key] = Line(number: number, task: task, served: waiters)
  }

  /// Ends the load that runs and begins the next one, if somebody waits for it.
  private func advance(_ key: CacheKey, _ state: inout State) {
    guard let line = state.lines.removeValue(forKey: key) else { return }
    if !line.next.isEmpty, let load = line.nextLoad { start(load, for: line.next, key, &state) }
  }

  private func land(_ key: CacheKey, _ number: UInt64, _ outcome: Result<Value, any Error>) {
    let served = state.withLock { state -> Waiters in
      // Everybody may have left it, and another have taken its place.
      guard let line = state.lines[key], line.number == number else { return [:] }
      advance(key, &state)
      return line.served
    }
    for waiter in served.values { waiter.resume(with: outcome) }
  }

  private func leave(_ key: CacheKey, _ ticket: UInt64, _ reason: any Error) {
    typealias Departure = (waiter: CheckedContinuation<Value, any Error>?, abandoned: Task<Void, Never>?)
    let departure = state.withLock { state -> Departure in
      if let waiter = state.lines[key]?.next.removeValue(forKey: ticket) { return (waiter, nil) }
      guard let waiter = state.lines[key]?.served.removeValue(forKey: ticket) else { return (nil, nil) }
      guard let line = state.lines[key], line.served.isEmpty else { return (waiter, nil) }
      advance(key, &state)
      return (waiter, line.task)
    }
    // Not under the lock: cancelling runs the handlers of whatever the load itself waits for.
    departure.abandoned?.cancel()
    departure.waiter?.resume(throwing: reason)
  }
}
