internal import Cache
internal import Ledger
internal import Primitives
internal import Redis
internal import Synchronization

/// The one connection to Redis on which a process fences, opened when it is first needed. Threads take turns.
///
/// Who fences may hold row locks that others wait for. So each wait is bounded, and a Redis that has failed once is left
/// alone by everybody who holds locks; those who hold none try it again, after pauses.
final class FenceLine: Sendable {
  /// How the caller stands.
  enum Standing {
    /// It holds row locks. A connection is opened only where nothing is known that speaks against it.
    case underLocks(mayConnect: Bool)
    /// Nobody waits for it.
    case free
  }

  /// What became of commands.
  enum Answer {
    /// `connection` tells the connection from those before and after it; nil where it is a cluster's, which are several.
    case done(connection: Int?)
    /// Redis was not asked: it has failed, and may not be tried now.
    case leftAlone
    case failed(any Error)
  }

  private struct Line {
    var runner: (any CommandRunner)?
    /// Which connection it is, counted from 1, and the runner's own count then.
    var connection = 0
    var epoch = 0
    var breaker: Breaker
  }

  private let connect: @Sendable (Duration) throws -> any CommandRunner
  private let patience: Duration
  private let line: Mutex<Line>

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
    line = Mutex(Line(breaker: Breaker(pauseMin: pause, pauseMax: pause * 12)))
  }

  /// Runs what `commands` makes of the connection: commands that may be run twice, in parts of which each is only sent
  /// when those before it have arrived. An error reply is a failure of all.
  func run(
    _ standing: Standing, _ commands: @Sendable (any CommandRunner) throws -> [[Command]]
  ) -> Answer {
    line.withLock { line in
      switch standing {
      case .underLocks(let mayConnect):
        guard !line.breaker.isOpen, mayConnect || line.runner != nil else { return .leftAlone }
      case .free:
        guard line.breaker.admits(at: monotonicNanoseconds()) else { return .leftAlone }
      }
      do {
        let connection = try send(commands, &line)
        line.breaker.succeeded()
        return .done(connection: connection)
      } catch {
        line.runner = nil
        line.epoch = 0
        line.breaker.failed(at: monotonicNanoseconds())
        return .failed(error)
      }
    }
  }

  /// Whether the connection on which something was done is still the same. Then its server is the same process.
  func isUnbroken(_ connection: Int) -> Bool {
    line.withLock { line in
      guard let session = line.runner as? Session else { return false }
      return line.connection == connection && line.epoch == session.epoch && session.isConnected
    }
  }

  private func send(
    _ commands: @Sendable (any CommandRunner) throws -> [[Command]], _ line: inout Line
  ) throws -> Int? {
    var deadline = Deadline.after(patience)
    let open = try line.runner ?? connect(patience)
    line.runner = open
    var parts = try commands(open)
    // On one connection what is sent first arrives first; with several each part has to be waited for.
    if open.slot(of: "") == nil { parts = [parts.flatMap(\.self)] }
    for part in parts {
      for start in stride(from: 0, to: part.count, by: Self.groupSize) {
        let group = part[start..<min(start + Self.groupSize, part.count)]
        try open.pipeline(group, isIdempotent: true, deadline: deadline) { _, reply in
          FaultPoint.fenceSent.reach()
          _ = try reply.get()
        }
        deadline = .after(patience)
      }
    }
    guard let session = open as? Session else { return nil }
    if line.connection == 0 || line.epoch != session.epoch { line.connection += 1 }
    line.epoch = session.epoch
    return line.connection
  }
}
