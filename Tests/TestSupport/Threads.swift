import Glibc

/// Threads outside the pool of Swift's concurrency, which blocking calls would starve.
enum Threads {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs `body` on a thread of its own.
  static func detach(_ body: @escaping @Sendable () -> Void) throws {
    let boxed = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, boxed.toOpaque())
    guard result == 0 else {
      boxed.release()
      throw TestFailure("Cannot start a thread: error \(result).")
    }
    pthread_detach(thread)
  }
}
