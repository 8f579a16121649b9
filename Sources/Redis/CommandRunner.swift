public import Primitives

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
}

extension CommandRunner {
  /// Runs a command that must not be executed twice, within the command time-out.
  @discardableResult
  public func execute(_ command: Command, isIdempotent: Bool = false) throws -> Reply {
    try execute(command, isIdempotent: isIdempotent, deadline: nil)
  }

  /// Runs commands; without a deadline for all of it the command time-out applies from reply to reply.
  public func pipeline(
    _ commands: some Sequence<Command>, isIdempotent: Bool = false, onReply: (Int, Reply) throws -> Void
  ) throws {
    try pipeline(commands, isIdempotent: isIdempotent, deadline: nil, onReply: onReply)
  }
}

extension Session: CommandRunner {}
