import Glibc
import Primitives
import Synchronization

/// SIGINT and SIGTERM: the first asks the work to stop at the next safe place, the second ends the process at once.
///
/// Until the first ``onStop(_:)`` the signals keep their default action, so that a command without anything to save
/// ends as any other program does.
package final class Signals: Sendable {
  /// The signals of this process.
  static let shared = Signals()

  private let state = Mutex(State())

  private struct State {
    var isInstalled = false
    var cancellations: [Int: @Sendable () -> Void] = [:]
    var nextToken = 0
  }

  private init() {}

  /// The signal that asked to stop; nil while none has come.
  var received: Int32? {
    let number = firstSignal.load(ordering: .acquiring)
    return number == 0 ? nil : number
  }

  /// Runs `cancel` on a thread of its own when the first signal comes, at once if it has come already. `cancel` makes
  /// waits end: `PQcancel`, or the cancellation of a task. Keep the result to take it back.
  package func onStop(_ cancel: @escaping @Sendable () -> Void) throws -> Registration {
    let token = try state.withLock { state in
      if !state.isInstalled {
        try install()
        state.isInstalled = true
      }
      state.nextToken += 1
      state.cancellations[state.nextToken] = cancel
      return state.nextToken
    }
    if received != nil { cancel() }
    return Registration(signals: self, token: token)
  }

  /// Refuses to go on after a signal; to be asked at every safe place.
  ///
  /// - Throws: a failure of kind `interrupted` or `terminated`.
  func check() throws(SimpleFailure) {
    if let signal = received { throw Self.failure(for: signal) }
  }

  static func failure(for signal: Int32) -> SimpleFailure {
    signal == SIGTERM
      ? SimpleFailure(.terminated, code: "terminated", message: "stopped by SIGTERM", isRetryable: true)
      : SimpleFailure(.interrupted, code: "interrupted", message: "stopped by SIGINT", isRetryable: true)
  }

  /// Keeps a cancellation registered as long as it is referenced.
  package final class Registration: Sendable {
    private let signals: Signals
    private let token: Int

    fileprivate init(signals: Signals, token: Int) {
      self.signals = signals
      self.token = token
    }

    deinit { signals.state.withLock { _ = $0.cancellations.removeValue(forKey: token) } }
  }

  private func install() throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Self.cannotInstall(errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    wakeDescriptor.store(ends[1], ordering: .releasing)
    let reader = ends[0]
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let argument = UnsafeMutableRawPointer(bitPattern: Int(reader))
    let status = pthread_create(&thread, &attributes, { waitForSignal(descriptor: $0) }, argument)
    guard status == 0 else { throw Self.cannotInstall(status) }
    for signal in [SIGINT, SIGTERM] { Self.handle(signal) }
  }

  private static func handle(_ signal: Int32) {
    var previous = sigaction()
    sigaction(signal, nil, &previous)
    // `nohup` and background jobs of a shell ignore SIGINT on purpose.
    if previous.__sigaction_handler.sa_handler == nil { /* SIG_DFL */  } else { return }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handleStopSignal
    // Restarting keeps a plain read from failing; whoever must stop is told through the registered closure.
    action.sa_flags = SA_RESTART
    sigaction(signal, &action, nil)
  }

  private static func cannotInstall(_ code: Int32) -> SimpleFailure {
    SimpleFailure(
      .unexpected, code: "signals_unavailable",
      message: "cannot watch for signals: \(String(cString: strerror(code)))")
  }

  fileprivate func runCancellations() {
    for cancel in state.withLock({ Array($0.cancellations.values) }) { cancel() }
  }
}

// The handler may only touch what is safe in a signal handler: lock-free atomics, write(2) and _exit(2).
private let firstSignal = Atomic<Int32>(0)
private let wakeDescriptor = Atomic<Int32>(-1)

private func handleStopSignal(_ signal: Int32) {
  let (isFirst, _) = firstSignal.compareExchange(
    expected: 0, desired: signal, ordering: .acquiringAndReleasing)
  guard isFirst else { _exit(128 + signal) }
  let saved = errno
  var byte: UInt8 = 1
  _ = write(wakeDescriptor.load(ordering: .acquiring), &byte, 1)
  errno = saved
}

private func waitForSignal(descriptor: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let descriptor = Int32(truncatingIfNeeded: Int(bitPattern: descriptor))
  var byte: UInt8 = 0
  while read(descriptor, &byte, 1) < 0, errno == EINTR {}
  Signals.shared.runCancellations()
  return nil
}
