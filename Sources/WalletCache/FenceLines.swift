internal import Cache
internal import Ledger
internal import Primitives
internal import Redis
internal import Synchronization

/// The connections to Redis on which a process fences: one for each thread that fences at the same time, opened when it is
/// first needed.
///
/// Who fences may hold row locks that others wait for. So each wait is bounded, nobody waits for another's turn, and a Redis
/// that has failed once is left alone by everybody who holds locks; those who hold none try it again, after pauses.
final class FenceLines: Sendable {
  /// How the caller stands.
  enum Standing {
    /// It holds row locks. A connection is opened only where nothing is known that speaks against it.
    case underLocks(mayConnect: Bool)
    /// Nobody waits for it.
    case free
  }

  /// What became of commands.
  enum Answer {
    /// `connection` tells the connection from all others, those before it on the same line too; nil where it is a
    /// cluster's, which are several.
    case done(connection: Int?)
    /// Redis was not asked: it has failed, and may not be tried now.
    case leftAlone
    case failed(any Error)
  }

  /// A conversation with Redis. `@unchecked Sendable`: whoever has taken it off the idle ones is the only one to touch it.
  private final class Line: @unchecked Sendable {
    let runner: any CommandRunner
    /// Which connection it is, counted over all lines, and the runner's own count then; 0 before the first.
    var connection = 0
    var epoch = 0

    init(_ runner: any CommandRunner) {
      self.runner = runner
    }
  }

  private struct State {
    /// The last used at the end.
    var idle: [Line] = []
    var connections = 0
    var breaker: Breaker
  }

  private let connect: @Sendable (Duration) throws -> any CommandRunner
  private let patience: Duration
  private let state: Mutex<State>

  /// Commands that have to be answered within the patience. With 250 keys each, Redis works on them for some 20 ms.
  private static let groupSize = 20

  /// - Parameters:
  ///   - patience: bound on connecting and the first group of commands together, and on each further group.
  ///   - pause: how long a Redis that has failed is left alone; twice as long each further time, up to twelve times.
  ///   - connect: opens a connection within a time.
  init(
    patience: Duration, pause: Duration, connect: @escaping @Sendable (Duration) throws -> any CommandRunner
  ) {
    self.patience = patience
    self.connect = connect
    state = Mutex(State(breaker: Breaker(pauseMin: pause, pauseMax: pause * 12)))
  }

  /// Runs what `commands` makes of the connection: commands that may be run twice, in parts of which each is only sent
  /// when those before it have arrived. An error reply is a failure of all.
  func run(
    _ standing: Standing, _ commands: @Sendable (any CommandRunner) throws -> [[Command]]
  ) -> Answer {
    let (isAdmitted, idle) = state.withLock { state -> (Bool, Line?) in
      switch standing {
      case .underLocks(let mayConnect):
        guard !state.breaker.isOpen, mayConnect || !state.idle.isEmpty else { return (false, nil) }
      case .free:
        guard state.breaker.admits(at: monotonicNanoseconds()) else { return (false, nil) }
      }
      return (true, state.idle.popLast())
    }
    guard isAdmitted else { return .leftAlone }
    do {
      let deadline = Deadline.after(patience)
      let line = try idle ?? Line(connect(patience))
      try send(commands(line.runner), on: line.runner, deadline)
      return .done(connection: giveBack(line))
    } catch {
      state.withLock { state in
        // The others lead to the same server, and would have to find it out one by one.
        state.idle = []
        state.breaker.failed(at: monotonicNanoseconds())
      }
      return .failed(error)
    }
  }

  /// Whether the connection on which something was done is still the same. Then its server is the same process. No, where
  /// somebody else uses it just now.
  func isUnbroken(_ connection: Int) -> Bool {
    state.withLock { state in
      guard let line = state.idle.first(where: { $0.connection == connection }),
        let session = line.runner as? Session
      else { return false }
      return line.epoch == session.epoch && session.isConnected
    }
  }

  private func send(_ parts: [[Command]], on runner: any CommandRunner, _ first: Deadline) throws {
    var deadline = first
    // On one connection what is sent first arrives first; with several each part has to be waited for.
    for part in runner.slot(of: "") == nil ? [parts.flatMap(\.self)] : parts {
      for start in stride(from: 0, to: part.count, by: Self.groupSize) {
        let group = part[start..<min(start + Self.groupSize, part.count)]
        try runner.pipeline(group, isIdempotent: true, deadline: deadline) { _, reply in
          FaultPoint.fenceSent.reach()
          _ = try reply.get()
        }
        deadline = .after(patience)
      }
    }
  }

  private func giveBack(_ line: Line) -> Int? {
    state.withLock { state in
      state.breaker.succeeded()
      state.idle.append(line)
      guard let session = line.runner as? Session else { return nil }
      if line.connection == 0 || line.epoch != session.epoch {
        state.connections += 1
        line.connection = state.connections
        line.epoch = session.epoch
      }
      return line.connection
    }
  }
}
