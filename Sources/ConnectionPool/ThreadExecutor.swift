#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A serial executor with a thread of its own, for actors that make blocking calls.
///
/// libpq and hiredis block. On the shared pool of Swift threads, which has one thread a core, a few such calls
/// stop every other task of the process; on a thread of their own they stop nobody.
///
/// ```swift
/// public actor Connection {
///   private let executor = ThreadExecutor()
///   public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
/// }
/// ```
///
/// The thread starts with the first job, so an actor that is never called costs none. It ends when the executor
/// is released: `deinit` waits for it, except on the thread itself (where the last reference often goes), which
/// then ends on its own. Asynchronous signals are blocked on the thread, so that Ctrl-C and SIGTERM interrupt
/// the main thread and not a system call of a connection.
public final class ThreadExecutor: SerialExecutor {
  private let jobs: JobQueue

  /// Starts nothing yet.
  public init() {
    jobs = JobQueue()
  }

  deinit {
    jobs.stop()
  }

  /// Hands a job to the thread, which is started if this is the first one.
  public func enqueue(_ job: consuming ExecutorJob) {
    jobs.append(UnownedJob(job), of: asUnownedSerialExecutor())
  }

  /// The executor as an actor names it; does not keep it alive.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }
}

/// The jobs and the thread that runs them. The thread owns it too, so it outlives the executor where needed.
///
/// `@unchecked Sendable`: every stored variable is touched under `mutex` only. `Synchronization.Mutex` has no
/// condition to wait for, hence the pthread pair, which lives on the heap because its address must not change.
private final class JobQueue: @unchecked Sendable {
  private struct Entry {
    let job: UnownedJob
    let executor: UnownedSerialExecutor
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var pending: [Entry] = []
  private var isStopped = false
  private var isBorrowing = false
  private var thread: pthread_t?

  init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    // With default attributes neither can fail on Linux.
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func append(_ job: UnownedJob, of executor: UnownedSerialExecutor) {
    pthread_mutex_lock(mutex)
    pending.append(Entry(job: job, executor: executor))
    if thread == nil && !isBorrowing && !start() {
      runOnThisThread()
    }
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Ends the thread after the jobs that are queued, and waits for that unless called on it.
  func stop() {
    pthread_mutex_lock(mutex)
    isStopped = true
    let thread = thread
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
    guard let thread else { return }
    if pthread_equal(thread, pthread_self()) != 0 {
      pthread_detach(thread)
    } else {
      pthread_join(thread, nil)
    }
  }

  /// Under the lock: an actor cannot refuse a job, so when the system is out of threads the caller's is borrowed.
  /// Jobs that arrive meanwhile join the queue, so that they still run one after the other.
  private func runOnThisThread() {
    isBorrowing = true
    while !pending.isEmpty {
      let entry = pending.removeFirst()
      pthread_mutex_unlock(mutex)
      entry.job.runSynchronously(on: entry.executor)
      pthread_mutex_lock(mutex)
    }
    isBorrowing = false
  }

  /// Under the lock. False when the system has no thread to give (EAGAIN).
  private func start() -> Bool {
    var everything = sigset_t()
    var before = sigset_t()
    sigfillset(&everything)
    // These report a fault of the running instruction; blocking them would hide a crash.
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { sigdelset(&everything, fault) }
    pthread_sigmask(SIG_SETMASK, &everything, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var started = pthread_t()
    let context = Unmanaged.passRetained(self)
    let status = pthread_create(
      &started, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<JobQueue>.fromOpaque(context).takeRetainedValue().work()
        return nil
      }, context.toOpaque())
    guard status == 0 else {
      context.release()
      return false
    }
    thread = started
    return true
  }

  private func work() {
    while let entry = next() {
      entry.job.runSynchronously(on: entry.executor)
    }
  }

  /// Waits for a job; nil when the executor is gone and all jobs are done.
  private func next() -> Entry? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while pending.isEmpty {
      if isStopped { return nil }
      pthread_cond_wait(condition, mutex)
    }
    return pending.removeFirst()
  }
}
