internal import Postgres
internal import Primitives
internal import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The advisory lock that makes this process the owner of its run: the server gives it back the moment that the
/// process is gone, so a dead owner is recognised with certainty.
///
/// It is held by a connection of its own. Behind a pooler in transaction mode a session's lock would be left on
/// somebody else's connection; there it is a transaction's lock, in a transaction that is kept open and holds nothing
/// else (no snapshot, so it does not hold back vacuum).
///
/// Only one process at a time works by it, but no row depends on it: chunks have locks of their own.
final class RunLock: Sendable {
  private enum State {
    case trying
    case held
    /// Another process has it.
    case refused
    case lost(any Error & Sendable)
  }

  private let key: Int64
  private let keeper: ConnectionKeeper
  private let state = Mutex(State.trying)
  private let isReleased = Mutex(false)
  private let holder = Mutex<Task<Void, Never>?>(nil)

  /// How often the connection is asked whether it lives, and how often this looks whether it shall let go.
  private static let pingInterval = Duration.seconds(1)
  private static let pause = Duration.milliseconds(20)

  init(key: Int64, connect: @escaping @Sendable () async throws -> Connection) {
    self.key = key
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
    let isFree: Bool
    if session.isPooled {
      _ = try session.pipeline(session.beginning() + [JobStatements.localIdleTimeout("0")])
      isFree = try session.query(JobStatements.tryTransactionLock(key))[0].decode(0)
    } else {
      isFree = try session.query(JobStatements.tryLock(key))[0].decode(0)
    }
    guard isFree else { return state.withLock { $0 = .refused } }
    state.withLock { $0 = .held }
    var next = Deadline.after(Self.pingInterval)
    while !isReleased.withLock({ $0 }) {
      usleep(20_000)
      guard next.hasPassed else { continue }
      try session.query(JobStatements.backendPID())
      next = .after(Self.pingInterval)
    }
    // The session is closed next, which gives the lock back.
  }
}

/// Sleeps without blocking a thread. A cancelled task sleeps no longer, and finds out by itself.
func nap(for duration: Duration) async {
  do { try await Task.sleep(for: duration) } catch { return }
}
