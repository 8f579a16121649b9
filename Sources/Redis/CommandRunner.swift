public import Primitives

/// One server behind a runner, for what concerns a server and not a key: INFO, SCAN, WATCH … EXEC, and whether the
/// connection to it is still the one that it was.
public struct Node {
  /// The id of a cluster's node; empty where there is one server only.
  public let id: String
  /// The conversation with it.
  public let session: Session
}

/// Whatever runs commands in blocking calls of one thread: one server's session, or a cluster's.
public protocol CommandRunner: AnyObject {
  /// Runs one command and returns its reply; see ``Session/execute(_:isIdempotent:deadline:)``.
  @discardableResult
  func execute(_ command: Command, isIdempotent: Bool, deadline: Deadline?) throws -> Reply

  /// Runs commands in constant memory; see ``Session/pipeline(_:isIdempotent:deadline:onReply:)``.
  func pipeline(
    _ commands: some Sequence<Command>, isIdempotent: Bool, deadline: Deadline?,
    onReply: (Int, Reply) throws -> Void
  ) throws

  /// The server that a key is on, as far as is known now.
  ///
  /// - Throws: `RedisError`, where that has to be asked for and cannot be.
  func node(of key: String) throws -> Node

  /// Every server that keys are on, as far as is known now.
  ///
  /// - Throws: `RedisError`, where they have to be asked for and cannot be.
  func nodes() throws -> [Node]

  /// The slot of a key: only keys of one slot may stand in one command. Nil without a cluster, where any may.
  func slot(of key: String) -> Int?

  /// Connects now rather than with the first command; a cluster learns its nodes.
  ///
  /// - Parameter deadline: for the whole of it; the connect time-out applies as well.
  /// - Throws: `RedisError`, `CancellationError`.
  func connect(deadline: Deadline) throws

  /// Ends all connections; commands after that throw `RedisError.closed`.
  func close()
}

extension CommandRunner {
  /// Runs a command that must not be executed twice, within the command time-out.
  @discardableResult
  public func execute(_ command: Command, isIdempotent: Bool = false) throws -> Reply {
    try execute(command, isIdempotent: isIdempotent, deadline: nil)
  }

  /// Runs one command given by its words, which must not be executed twice.
  @discardableResult
  public func execute(_ name: String, _ arguments: Argument...) throws -> Reply {
    try execute(Command([.text(name)] + arguments), isIdempotent: false, deadline: nil)
  }

  /// Runs commands; without a deadline for all of it the command time-out applies from reply to reply.
  public func pipeline(
    _ commands: some Sequence<Command>, isIdempotent: Bool = false, onReply: (Int, Reply) throws -> Void
  ) throws {
    try pipeline(commands, isIdempotent: isIdempotent, deadline: nil, onReply: onReply)
  }

  /// Runs commands and returns all replies, error replies as values; for a number that is known to be moderate.
  public func pipeline(
    _ commands: [Command], isIdempotent: Bool = false, deadline: Deadline? = nil
  ) throws -> [Reply] {
    var replies: [Reply] = []
    replies.reserveCapacity(commands.count)
    try pipeline(commands, isIdempotent: isIdempotent, deadline: deadline) { _, reply in replies.append(reply)
    }
    return replies
  }
}

extension Session: CommandRunner {
  /// The one server.
  public func node(of key: String) -> Node { Node(id: "", session: self) }
  /// The one server.
  public func nodes() -> [Node] { [Node(id: "", session: self)] }
  /// Nil: there are no slots.
  public func slot(of key: String) -> Int? { nil }
}
