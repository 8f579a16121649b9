internal import CLibpq
internal import Primitives
internal import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Cancels the statement that a session is running, from any thread.
///
/// A cancel request names the backend and not the statement, so one that comes late would hit the next
/// statement. Each request is therefore tied to the running one: the session goes on to another only after the
/// request has been delivered, and is closed when that takes longer than a bound. `PQcancel` itself waits
/// without one, which is why it has a thread of its own.
public final class StatementCanceller: Sendable {
  private struct State {
    var token: CancelToken?
    var isRunning = false
    var wasCancelled = false
    var isDelivering = false
  }
  private let state: Mutex<State>

  init(connection: OpaquePointer) {
    state = Mutex(State(token: CancelToken(connection)))
  }

  /// Asks the server to cancel the running statement, and returns at once. Does nothing when none runs. A server
  /// that lives answers in milliseconds; the statement then ends with `PostgresError.cancelled`.
  public func cancel() {
    request(again: false)
  }

  /// A request that reached the server before the statement did was ignored there: asks once more.
  func repeatIfCancelled() {
    request(again: true)
  }

  private func request(again: Bool) {
    let token: CancelToken? = state.withLock { state in
      guard state.isRunning, !state.isDelivering, state.wasCancelled || !again else { return nil }
      state.wasCancelled = true
      state.isDelivering = state.token != nil
      return state.token
    }
    guard let token else { return }
    let delivery = Unmanaged.passRetained(Delivery(token: token, canceller: self))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Delivery>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, delivery.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      delivery.release()
      delivered()
    }
  }

  fileprivate func delivered() {
    state.withLock { $0.isDelivering = false }
  }

  /// Marks that a statement runs from now on.
  func begin() {
    state.withLock { state in
      state.isRunning = true
      state.wasCancelled = false
    }
  }

  /// Marks the end of the statement, and waits for a request that is under way.
  /// - Returns: false when it still was at the deadline; it may hit whatever the connection does next.
  func end(by deadline: Deadline) -> Bool {
    while true {
      let isDelivering = state.withLock { state in
        state.isRunning = false
        return state.isDelivering && state.token != nil
      }
      if !isDelivering { return true }
      if deadline.hasPassed { return false }
      usleep(200)
    }
  }

  /// Whether `cancel` was called for the statement that runs or ran last.
  var wasCancelled: Bool {
    state.withLock { $0.wasCancelled }
  }

  /// The connection is gone; cancelling does nothing from now on.
  func retire() {
    state.withLock { state in
      state.token = nil
      state.isRunning = false
    }
  }
}

/// What libpq needs to cancel. Nothing changes it after it was made, so threads may share it.
private final class CancelToken: @unchecked Sendable {
  private let token: OpaquePointer?

  init(_ connection: OpaquePointer) {
    token = PQgetCancel(connection)
  }

  deinit { PQfreeCancel(token) }

  func send() {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      // A failed request changes nothing: the statement ends by itself or at its deadline.
      _ = PQcancel(token, buffer.baseAddress, 256)
    }
  }
}

/// One request on its way.
private final class Delivery {
  private let token: CancelToken
  private let canceller: StatementCanceller

  init(token: CancelToken, canceller: StatementCanceller) {
    self.token = token
    self.canceller = canceller
  }

  func run() {
    token.send()
    canceller.delivered()
  }
}
