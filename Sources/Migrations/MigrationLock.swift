internal import Postgres
internal import Primitives

extension Migrator {
  // 'ifmg' and 'rate' in ASCII.
  static let lock = AdvisoryLock(space: 1_768_320_359, number: 1_918_989_413)

  /// Runs `body` while this session holds the lock of migrations.
  ///
  /// - Throws: `MigrationError.locked` when `lockWait` is over, `.pooled`, and what `body` throws.
  func locked<T>(_ body: () throws -> T) throws -> T {
    // Behind a pooler only a transaction can hold a lock, and an index is built outside of any.
    if try session.isShared() { throw MigrationError.pooled }
    let acquisition = try Self.lock.acquire(on: session, wait: options.lockWait, check: checkStop) {
      onEvent(.waitingForLock(holder: $0))
    }
    switch acquisition {
    case .busy(let holder): throw MigrationError.locked(holder: holder)
    case .held(let lock):
      defer { lock.release() }
      return try body()
    }
  }

  /// Blocks this thread.
  ///
  /// - Throws: `CancellationError` when the work shall stop.
  func sleep(for duration: Duration) throws {
    try pause(for: duration, check: checkStop)
  }
}
