import Synchronization

/// Lets a few tests at a time have servers of their own.
///
/// The tests run all at once. On two cores dozens of servers that start together take so long that bounds which are
/// generous for one are missed.
public final class ServerSlots: Sendable {
  /// The slots of this process.
  public static let shared = ServerSlots(count: 4)

  private struct State {
    var free: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(free: count))
  }

  /// Runs `body` with a slot; callers are served in the order of their arrival. Not to be nested.
  public func withSlot<R>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> R
  ) async rethrows -> R {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.free == 0 {
          state.waiting.append(continuation)
          return false
        }
        state.free -= 1
        return true
      }
      if isFree { continuation.resume() }
    }
    defer { release() }
    return try await body()
  }

  private func release() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.waiting.isEmpty {
        state.free += 1
        return nil
      }
      return state.waiting.removeFirst()
    }
    next?.resume()
  }
}
