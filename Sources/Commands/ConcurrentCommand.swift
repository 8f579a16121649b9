#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A command that does several things at a time.
///
/// Most commands need one thread and no more; starting Swift's threads would cost them start-up time for nothing. So
/// a command is synchronous, and one that is not says so by this protocol.
protocol ConcurrentCommand: IronforgeCommand, Sendable {
  /// Does the work, as `run(in:)` does.
  func runConcurrently(in context: CommandContext) async throws
}

extension ConcurrentCommand {
  func run(in context: CommandContext) throws { try runToItsEnd(in: context) }

  /// Blocks until `runConcurrently` is done.
  func runToItsEnd(in context: CommandContext) throws {
    let waiter = Waiter()
    Task.detached {
      do {
        try await runConcurrently(in: context)
        waiter.finish(.success(()))
      } catch {
        waiter.finish(.failure(error))
      }
    }
    try waiter.wait()
  }
}

/// Blocks the main thread until a task is done. `@unchecked Sendable`: the semaphore orders the two accesses.
private final class Waiter: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>
  private var result: Result<Void, any Error> = .success(())

  init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func finish(_ result: Result<Void, any Error>) {
    self.result = result
    sem_post(semaphore)
  }

  func wait() throws {
    while sem_wait(semaphore) != 0, errno == EINTR {}
    try result.get()
  }
}
