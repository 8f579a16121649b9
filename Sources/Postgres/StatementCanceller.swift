internal import CLibpq
internal import Synchronization

/// Cancels the statement that a session is running, from any thread.
///
/// A cancel request names the backend and not the statement, so one that comes late would hit the next
/// statement. The lock ties it to the running one: the session cannot go on to another before the request
/// has been delivered.
public final class StatementCanceller: Sendable {
  private struct State: @unchecked Sendable {
    var token: OpaquePointer?
    var isRunning = false
    var wasCancelled = false
  }
  private let state: Mutex<State>

  init(connection: OpaquePointer) {
    state = Mutex(State(token: PQgetCancel(connection)))
  }

  deinit { retire() }

  /// Asks the server to cancel the running statement. Does nothing when none runs. Answers in milliseconds on
  /// a server that lives; the statement then ends with `PostgresError.cancelled`.
  public func cancel() {
    state.withLock { state in
      guard state.isRunning, let token = state.token else { return }
      state.wasCancelled = true
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        // A failed request changes nothing: the statement ends by itself or at its deadline.
        _ = PQcancel(token, buffer.baseAddress, 256)
      }
    }
  }

  /// Marks that a statement runs from now on.
  func begin() {
    state.withLock { state in
      state.isRunning = true
      state.wasCancelled = false
    }
  }

  /// Marks the end of the statement.
  func end() {
    state.withLock { $0.isRunning = false }
  }

  /// Whether `cancel` was called for the statement that runs or ran last.
  var wasCancelled: Bool {
    state.withLock { $0.wasCancelled }
  }

  /// The connection is gone; cancelling does nothing from now on.
  func retire() {
    state.withLock { state in
      if let token = state.token { PQfreeCancel(token) }
      state.token = nil
      state.isRunning = false
    }
  }
}
