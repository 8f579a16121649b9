internal import Postgres
internal import Primitives
internal import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The advisory lock that makes this process the owner of its run: the server gives it back the moment that
/// the process is gone, so a dead owner is recognised with certainty.
///
/// A connection of its own holds it, and blocks its own thread meanwhile. Only one process at a time works by
/// it, but no row depends on it: chunks have locks of their own.
final class RunLock: Sendable {
  private enum State {
    case trying
    case held
    /// Another process has it.
    case refused
    case lost(any Error & Sendable)
  }

  private let lock: AdvisoryLock
  private let keeper: ConnectionKeeper
  private let state = Mutex(State.trying)
  private let isReleased = Mutex(false)
  private let holder = Mutex<Task<Void, Never>?>(nil)

  /// How often the connection is asked whether it lives, and how often this looks whether it shall let go.
  private static let pingInterval = Duration.seconds(1)
  private static let pause = Duration.milliseconds(20)

  init(key: Int64, connect: @escaping @Sendable () async throws -> Connection) {
    lock = AdvisoryLock(
      space: Int32(truncatingIfNeeded: key >> 32), number: Int32(truncatingIfNeeded: key))
    keeper = ConnectionKeeper(connect)
  }

  /// Whether the lock was held when the server was last asked.
  var isHeld: Bool { state.withLock { if case .held = $0 { true } else { false } } }

  /// Tries to take the lock, once.
  ///
  /// - Returns: whether it is held now; false where another process has it.
  /// - Throws: what connecting throws, and `PostgresError`.
  func acquire() async throws -> Bool {
    state.withLock { $0 = .trying }
    let task = Task { [keeper] in
      do {
        try await keeper.withSession { session in try self.hold(on: session) }
      } catch {
        self.state.withLock { $0 = .lost(error) }
      }
    }
    holder.withLock { $0 = task }
    // Bounded by the time-outs of connecting and of the statement.
    while true {
      switch state.withLock({ $0 }) {
      case .trying: await nap(for: Self.pause)
      case .held: return true
      case .refused: return false
      case .lost(let error): throw error
      }
    }
  }

  /// Lets go, and closes the connection.
  func release() async {
    isReleased.withLock { $0 = true }
    await holder.withLock { $0 }?.value
    await keeper.close()
  }

  /// Blocks the connection's thread for as long as the lock is held.
  private func hold(on session: Session) throws {
    guard case .held(let held) = try lock.acquire(on: session, wait: .zero) else {
      return state.withLock { $0 = .refused }
    }
    state.withLock { $0 = .held }
    var next = Deadline.after(Self.pingInterval)
    while !isReleased.withLock({ $0 }) {
      usleep(20_000)
      guard next.hasPassed else { continue }
      // Nothing at all, by the simple protocol: no snapshot is left behind in a transaction that holds the
      // lock.
      try session.simple("")
      next = .after(Self.pingInterval)
    }
    held.release()
  }
}

/// Sleeps without blocking a thread. A cancelled task sleeps no longer, and finds out by itself.
func nap(for duration: Duration) async {
  do { try await Task.sleep(for: duration) } catch { return }
}
