import CHiredis
import Primitives
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Wakes a session that waits for its socket, from another thread.
///
/// It is tied to one piece of work at a time, so that a late signal cannot stop the work that follows.
final class Interruption: Sendable {
  /// Readable (for `poll`) from a signal until the end of the work it was meant for.
  let descriptor: Int32
  private let current = Mutex<(work: UInt64, isSignalled: Bool)>((0, false))

  /// - Throws: `SimpleFailure` when the process is out of file descriptors.
  init() throws {
    descriptor = eventfd(0, IF_EVENT_FLAGS)
    guard descriptor >= 0 else {
      throw SimpleFailure(
        .unexpected, code: "redis_descriptors",
        message: "cannot make an event descriptor for a Redis connection: \(systemMessage(errno))",
        hint: "raise the limit of open files (ulimit -n)")
    }
  }

  deinit {
    close(descriptor)
  }

  /// The number of the work that begins.
  func begin() -> UInt64 {
    current.withLock { current in
      current.work += 1
      return current.work
    }
  }

  /// Stops the work if it is still going on.
  func signal(_ work: UInt64) {
    current.withLock { current in
      guard current.work == work, !current.isSignalled else { return }
      current.isSignalled = true
      var one: UInt64 = 1
      // Eight bytes into an empty event counter: cannot block and cannot be cut short.
      write(descriptor, &one, 8)
    }
  }

  /// The work is over; takes back a signal that nobody saw.
  func end() {
    current.withLock { current in
      current.work += 1
      guard current.isSignalled else { return }
      current.isSignalled = false
      var count: UInt64 = 0
      read(descriptor, &count, 8)
    }
  }
}

/// The text of an `errno`.
func systemMessage(_ number: Int32) -> String {
  String(cString: strerror(number))
}
