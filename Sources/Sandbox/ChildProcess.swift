public import Primitives
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A program that runs beside this one, with its input given and its output kept.
///
/// It has a thread of its own that feeds it, reads what it prints, and reaps it. It inherits nothing but the three
/// standard streams: no descriptor, no signal that is blocked or ignored here.
///
/// The library that was planned for this ends the process when a child goes away before it has read its input
/// (swift-subprocess 1.0.2, `IODescriptor.deinit`), and a child that changes its user can hang in it for ever.
public final class ChildProcess: Sendable {
  /// What to run, and where.
  public struct Command: Sendable {
    /// Absolute path.
    public var path: String
    /// Without the program's own name.
    public var arguments: [String]
    /// The whole environment, as `NAME=value`.
    public var environment: [String]
    /// The directory in which it starts; nil is the current one.
    public var directory: String?
    /// The whole standard input.
    public var input: [UInt8]
    /// Output beyond this many bytes a stream is read and dropped.
    public var outputLimit: Int

    public init(
      path: String, arguments: [String], environment: [String], directory: String? = nil, input: [UInt8] = [],
      outputLimit: Int = 1 << 20
    ) {
      self.path = path
      self.arguments = arguments
      self.environment = environment
      self.directory = directory
      self.input = input
      self.outputLimit = outputLimit
    }
  }

  /// How it ended, and what it printed.
  public struct Outcome: Sendable {
    /// The exit code, or 128 and the signal's number, as a shell reports it.
    public let exitCode: Int32
    public let stdout: [UInt8]
    public let stderr: [UInt8]
    /// Whether output was dropped because it passed the limit.
    public let isTruncated: Bool
    /// Whether it was killed because its time was over.
    public let isTimedOut: Bool
  }

  private struct State {
    /// It has ended, and its number will be somebody else's.
    var isEnding = false
    var outcome: Outcome?
    var waiting: [CheckedContinuation<Outcome, Never>] = []
  }

  public let processID: Int32
  private let state = Mutex(State())

  /// Starts the program. At the deadline it is killed.
  ///
  /// - Throws: `cannot_start_program` when there is no such program, or the system has no room for it.
  public init(_ command: Command, deadline: Deadline = .distantFuture) throws {
    let streams = try ChildStreams(command)
    processID = try streams.spawn(command)
    try startThread { [self] in
      let outcome = streams.supervise(processID, deadline) {
        state.withLock { $0.isEnding = true }
      }
      let waiting = state.withLock { state in
        state.outcome = outcome
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume(returning: outcome) }
    }
  }

  /// Sends a signal, unless the process has ended.
  public func signal(_ number: Int32) {
    // Under the lock that is taken before the process is reaped: its number is still its own.
    state.withLock { state in
      if !state.isEnding { _ = kill(processID, number) }
    }
  }

  /// Waits for the end.
  public func outcome() async -> Outcome {
    await withCheckedContinuation { continuation in
      let known = state.withLock { state -> Outcome? in
        if state.outcome == nil { state.waiting.append(continuation) }
        return state.outcome
      }
      if let known { continuation.resume(returning: known) }
    }
  }
}

/// Runs `body` on a new thread with a small stack.
///
/// - Throws: `cannot_start_program` when the system has no thread to give.
private func startThread(_ body: @escaping @Sendable () -> Void) throws {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(body))
  let status = pthread_create(
    &thread, &attributes,
    { context in
      guard let context else { return nil }
      Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
      return nil
    }, box.toOpaque())
  guard status == 0 else {
    box.release()
    throw cannotStart("a thread", status)
  }
}

func cannotStart(_ what: String, _ code: Int32) -> SimpleFailure {
  SimpleFailure(
    .unexpected, code: "cannot_start_program",
    message: "cannot start \(what): \(String(cString: strerror(code)))")
}
