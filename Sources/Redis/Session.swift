public import Primitives

/// A conversation with one Redis server, in blocking calls of one thread.
///
/// ```swift
/// let session = try Session(connecting: Endpoint(url: "unix:///run/redis.sock?db=1"))
/// try session.execute("SET", .text(key), .bytes(value), "EX", 60)
/// let value = try session.execute("GET", .text(key)).bytes()
/// ```
///
/// A one-shot command uses a session as it is; concurrent code uses a `Connection`, which lends its session to
/// a closure on a thread of its own. A session is not `Sendable`.
///
/// **Time.** Connecting is bounded by the connect time-out, a command by the command time-out or by the deadline
/// given with it, also when the server accepts and never answers.
///
/// **Lost connections.** When the connection is found broken before a command is sent, the session connects again
/// (a few attempts with a growing pause, within the connect time-out) and the caller notices nothing. When it
/// breaks after bytes of a command were sent, the server may or may not have executed it: the error
/// `connectionLost` says so, and the command is sent again only if the caller called it idempotent. State that
/// lives in the connection (WATCH, CLIENT TRACKING) does not survive; see `pinned` and `epoch`.
///
/// **Signals.** SIGPIPE is never raised by a session, whatever the process does with it.
public final class Session {
  /// Where the session connects to.
  public let endpoint: Endpoint
  /// Rises by one with each connection made, so that a caller can tell that state in the server is gone.
  public private(set) var epoch = 0

  private let connectTimeout: Duration
  let commandTimeout: Duration
  private let interruption: Interruption?
  private var wire: Wire?
  private var isPinned = false
  private var isClosed = false

  /// A few quick attempts bridge a restart of the server; an outage is for the caller to know soon.
  private static let connectAttempts = 3
  /// Sends of one command that may safely be sent again.
  private static let sendAttempts = 3

  /// Connects, logs in and selects the database.
  ///
  /// - Throws: `RedisError.unreachable`, `.loginRefused`, `.server` (an unknown database, a server that loads
  ///   its data).
  public convenience init(
    connecting endpoint: Endpoint, connectTimeout: Duration = .seconds(5),
    commandTimeout: Duration = .seconds(5)
  ) throws {
    self.init(
      endpoint, connectTimeout: connectTimeout, commandTimeout: commandTimeout, interruption: nil)
    try connect(deadline: .distantFuture)
  }

  /// Connects with the first command.
  init(
    _ endpoint: Endpoint, connectTimeout: Duration, commandTimeout: Duration, interruption: Interruption?
  ) {
    self.endpoint = endpoint
    self.connectTimeout = connectTimeout
    self.commandTimeout = commandTimeout
    self.interruption = interruption
  }

  /// Connects, logs in and selects the database, unless that was done and the connection stands.
  public func connect(deadline: Deadline) throws {
    _ = try liveWire(deadline: deadline)
  }

  /// Whether a connection is there that has not been found broken.
  public var isConnected: Bool { wire?.isInStep ?? false }

  /// Runs one command and returns its reply.
  ///
  /// - Parameters:
  ///   - isIdempotent: whether the command may be executed twice; if so it is sent again when the reply is lost.
  ///   - deadline: instead of the command time-out; needed for commands that block, such as BLPOP.
  /// - Throws: `RedisError`; an error reply is thrown as `RedisError.server`. `CancellationError` when the task
  ///   that borrowed the session from its `Connection` was cancelled.
  @discardableResult
  public func execute(
    _ command: Command, isIdempotent: Bool = false, deadline: Deadline? = nil
  ) throws -> Reply {
    var replies: [Reply] = []
    try run([command], isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
    guard let reply = replies.first else { throw RedisError.protocolViolation("no reply") }
    return try reply.get()
  }

  /// Runs `body` on one and the same connection: a lost one is reported as `connectionLost` instead of being
  /// replaced behind the back of the caller. For WATCH … EXEC and whatever else lives in the connection.
  public func pinned<Result>(_ body: () throws -> Result) throws -> Result {
    if isPinned { return try body() }
    _ = try liveWire(deadline: .distantFuture)
    isPinned = true
    defer { isPinned = false }
    return try body()
  }

  /// Ends the session. Commands after that throw `RedisError.closed`. Also done when the session is released.
  public func close() {
    isClosed = true
    wire = nil
  }

  /// Gives the connection up; the next command makes another.
  func disconnect() {
    wire = nil
  }

  // MARK: Sending

  /// Connects where needed, and sends what the kernel takes at once; returns how many bytes that were.
  func sendAhead(_ commands: EncodedCommands, deadline: Deadline?) throws -> Int {
    try liveWire(deadline: deadline ?? .distantFuture).sendAhead(commands.bytes)
  }

  /// Sends encoded commands until each has its reply or it would be unsafe or hopeless to go on.
  ///
  /// - Parameters:
  ///   - sentAhead: what `sendAhead` has just sent of them; nil where it was not called.
  ///   - replies: receives what arrives, also when this throws.
  func transmit(
    _ commands: EncodedCommands, sentAhead: Int? = nil, isIdempotent: Bool, deadline: Deadline?,
    replies: inout [Reply]
  ) throws {
    let (bytes, ends) = (commands.bytes, commands.ends)
    let first = replies.count
    // Replies may wait already on a wire that was sent to, so it must not be asked whether it is quiet.
    var begun = sentAhead == nil ? nil : wire
    var ahead = sentAhead ?? 0
    var reached = ahead
    var attempt = 1
    while true {
      let wire = try begun ?? liveWire(deadline: deadline ?? .distantFuture)
      let answered = replies.count - first
      let start = answered == 0 ? 0 : ends[answered - 1]
      do {
        let patience = deadline.map(Wire.Patience.until) ?? .perReply(commandTimeout)
        return try wire.exchange(
          bytes[start...], sentAhead: ahead, count: ends.count - answered, patience: patience,
          replies: &replies)
      } catch {
        self.wire = nil
        begun = nil
        ahead = 0
        let done = replies.count - first
        // Bytes beyond the last answered command have left, now or before: it may have been executed.
        reached = max(reached, start + error.bytesSent)
        let mayHaveRun = reached > (done == 0 ? 0 : ends[done - 1])
        guard case .broken = error.cause, isIdempotent || !mayHaveRun, attempt < Self.sendAttempts, !isPinned
        else { throw error.described(endpoint, mayHaveRun: mayHaveRun) }
        attempt += 1
      }
    }
  }

  // MARK: Connecting

  private func liveWire(deadline: Deadline) throws -> Wire {
    if isClosed { throw RedisError.closed }
    if let wire, wire.isInStep { return wire }
    if isPinned {
      throw RedisError.connectionLost(
        endpoint: endpoint.description, reason: "the server closed it", mayHaveRun: false)
    }
    return try newWire(deadline: deadline)
  }

  /// Connects in a few attempts, within the connect time-out and the deadline.
  private func newWire(deadline: Deadline) throws -> Wire {
    wire = nil
    let deadline = min(deadline, .after(connectTimeout))
    var pause = Duration.milliseconds(20)
    var attempt = 1
    while true {
      do {
        let wire = try Wire(to: endpoint.address, deadline: deadline, interruption: interruption)
        try wire.logIn(to: endpoint, deadline)
        self.wire = wire
        epoch += 1
        return wire
      } catch let error as any Failure {
        guard error.isRetryable, attempt < Self.connectAttempts, !deadline.hasPassed else { throw error }
      } catch let failure as Socket.Failure {
        let isFinal = attempt >= Self.connectAttempts || deadline.hasPassed
        if isFinal { throw RedisError.unreachable(endpoint, failure) }
      }
      try Socket.sleep(until: min(deadline, .after(pause)), interruption: interruption)
      pause *= 3
      attempt += 1
    }
  }
}
