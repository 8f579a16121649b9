internal import Postgres
internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension Migrator {
  private static let pollInterval: Duration = .milliseconds(100)

  /// Runs `body` while this session holds the lock of migrations.
  ///
  /// - Throws: `MigrationError.locked` when `lockWait` is over, `.pooled`, and what `body` throws.
  func locked<T>(_ body: () throws -> T) throws -> T {
    try requireDirectConnection()
    try acquire()
    let result: T
    do {
      result = try body()
    } catch {
      release()
      throw error
    }
    release()
    return result
  }

  /// Behind a pooler each transaction may run on another backend, and a lock would stay with one of them.
  private func requireDirectConnection() throws {
    // A pooler that hides itself still makes up the process id that it gives to its clients.
    let backend: Int32 = try session.query(MigrationStatements.backendPID())[0].decode(0)
    if session.isPooled || backend != session.backendPID { throw MigrationError.pooled }
  }

  private func acquire() throws {
    let deadline = Deadline.after(options.lockWait)
    var isFirst = true
    while true {
      if try session.query(MigrationStatements.tryLock())[0].decode(0) { return }
      let holder: String? = try session.query(MigrationStatements.lockHolder()).first?.decode(0)
      if deadline.hasPassed { throw MigrationError.locked(holder: holder) }
      if isFirst { onEvent(.waitingForLock(holder: holder)) }
      isFirst = false
      try sleep(for: min(Self.pollInterval, deadline.remaining))
    }
  }

  /// Gives the lock back. A session that is lost has given it back already; one that cannot do it now is
  /// closed, which does it.
  private func release() {
    guard session.isOpen else { return }
    session.rollback()
    do throws(PostgresError) { try session.query(MigrationStatements.unlock()) } catch { session.close() }
  }

  /// Blocks this thread. A signal may wake it or another thread, hence the short naps.
  ///
  /// - Throws: `CancellationError` when the work shall stop.
  func sleep(for duration: Duration) throws {
    let deadline = Deadline.after(duration)
    repeat {
      try checkStop()
      let (seconds, attoseconds) = min(Self.pollInterval, deadline.remaining).components
      var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
      nanosleep(&time, nil)
    } while !deadline.hasPassed
    try checkStop()
  }
}
