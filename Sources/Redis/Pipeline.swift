public import Primitives

/// Pipelines: many commands for one round trip.
extension Session {
  /// Runs commands without waiting for each reply, in constant memory.
  ///
  /// The sequence is consumed in chunks. `onReply` is called once for each command, in their order, with
  /// error replies as values. It is no transaction: other clients' commands may come between. A script that the
  /// server does not know is loaded and runs after the other commands of its chunk.
  ///
  /// - Parameters:
  ///   - isIdempotent: whether every command may be executed twice; if so, those without a reply are sent again
  ///     when the connection breaks.
  ///   - deadline: for all of it; without one, the command time-out applies from reply to reply.
  ///   - onReply: the index of the command, and its reply.
  /// - Throws: `RedisError` when the connection fails, after `onReply` has been called for each command that was
  ///   answered in order; the others may have been executed. What `onReply` throws. `CancellationError`.
  public func pipeline(
    _ commands: some Sequence<Command>, isIdempotent: Bool = false, deadline: Deadline? = nil,
    onReply: (Int, Reply) throws -> Void
  ) throws {
    try inChunks(commands, onReply) { chunk, replies in
      try run(chunk, isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
    }
  }

  /// Runs one chunk, and again those scripts that the server did not know.
  ///
  /// - Parameter replies: empty; receives the replies. When this throws, those that are final, in order.
  func run(
    _ commands: [Command], isIdempotent: Bool, deadline: Deadline?, replies: inout [Reply]
  ) throws {
    let begun = try begin(commands, deadline: deadline)
    try finish(begun, isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
  }

  /// Connects where needed and sends what the kernel takes at once. Nothing but `finish` may follow.
  func begin(_ commands: [Command], deadline: Deadline?) throws -> BegunPipeline {
    try load(commands.compactMap(\.script).filter { $0.digest == nil }, deadline: deadline)
    let encoded = EncodedCommands(commands)
    return BegunPipeline(
      commands: commands, encoded: encoded, bytesSent: try sendAhead(encoded, deadline: deadline))
  }

  /// Sends the rest and receives the replies; parameters as for `run`.
  func finish(
    _ begun: BegunPipeline, isIdempotent: Bool, deadline: Deadline?, replies: inout [Reply]
  ) throws {
    let commands = begun.commands
    try transmit(
      begun.encoded, sentAhead: begun.bytesSent, isIdempotent: isIdempotent, deadline: deadline,
      replies: &replies)
    let forgotten = commands.indices.filter { index in
      guard commands[index].script != nil, case .error(let error) = replies[index] else { return false }
      return error.code == "NOSCRIPT"
    }
    guard let first = forgotten.first else { return }
    var late: [Reply] = []
    do {
      let again = forgotten.map { commands[$0] }
      try load(again.compactMap(\.script), deadline: deadline)
      try send(again, isIdempotent: isIdempotent, deadline: deadline, replies: &late)
    } catch {
      for (index, reply) in zip(forgotten, late) { replies[index] = reply }
      let firstUnknown = forgotten.dropFirst(late.count).first ?? first
      replies.removeSubrange(firstUnknown...)
      throw error
    }
    for (index, reply) in zip(forgotten, late) { replies[index] = reply }
  }

  /// Sends commands of which none is a script that the server may not know.
  private func send(
    _ commands: [Command], isIdempotent: Bool, deadline: Deadline?, replies: inout [Reply]
  ) throws {
    let encoded = EncodedCommands(commands)
    try transmit(encoded, isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
  }

  /// Loads each script once and remembers its SHA-1. Loading twice does no harm.
  private func load(_ scripts: [Script], deadline: Deadline?) throws {
    let distinct = Array(Set(scripts))
    guard !distinct.isEmpty else { return }
    var replies: [Reply] = []
    try send(
      distinct.map { Command("SCRIPT", "LOAD", .text($0.source)) }, isIdempotent: true, deadline: deadline,
      replies: &replies)
    var digests: [Script: String] = [:]
    for (script, reply) in zip(distinct, replies) {
      digests[script] = try reply.text()
    }
    // Equal scripts may be different objects; each keeps its own copy.
    for script in scripts { script.digest = digests[script] }
  }
}

/// A chunk of which a part has left.
struct BegunPipeline {
  let commands: [Command]
  let encoded: EncodedCommands
  let bytesSent: Int
}

/// Commands as the server reads them.
struct EncodedCommands {
  private(set) var bytes: [UInt8] = []
  /// Where each command ends.
  private(set) var ends: [Int] = []

  init(bytes: [UInt8], ends: [Int]) {
    self.bytes = bytes
    self.ends = ends
  }

  init(_ commands: [Command]) {
    ends.reserveCapacity(commands.count)
    for command in commands {
      command.encode(digest: command.script?.digest, into: &bytes)
      ends.append(bytes.count)
    }
  }
}

/// Commands and bytes that are sent ahead of their replies. With a thousand commands a millisecond, the round
/// trip between two chunks costs little; memory stays bounded whatever the length of the sequence.
private let chunkCommands = 10_000
private let chunkBytes = 1 << 20

/// Runs a sequence in chunks, and hands out the replies in order, also those that came before an error.
func inChunks(
  _ commands: some Sequence<Command>, _ onReply: (Int, Reply) throws -> Void,
  run: ([Command], inout [Reply]) throws -> Void
) throws {
  var chunk: [Command] = []
  var size = 0
  var index = 0
  func flush() throws {
    var replies: [Reply] = []
    var failure: (any Error)?
    do { try run(chunk, &replies) } catch { failure = error }
    for reply in replies {
      try onReply(index, reply)
      index += 1
    }
    if let failure { throw failure }
    chunk.removeAll(keepingCapacity: true)
    size = 0
  }
  for command in commands {
    chunk.append(command)
    size += command.approximateSize
    if chunk.count >= chunkCommands || size >= chunkBytes { try flush() }
  }
  if !chunk.isEmpty { try flush() }
}

extension Command {
  /// Bytes on the wire, not less than a few short.
  fileprivate var approximateSize: Int {
    arguments.reduce(16) { sum, argument in
      switch argument {
      case .text(let text): sum + text.utf8.count + 16
      case .bytes(let bytes): sum + bytes.count + 16
      case .integer: sum + 24
      }
    }
  }
}
