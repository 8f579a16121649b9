import Primitives

/// A connection on which a server says which keys have changed: CLIENT TRACKING in broadcast mode, redirected to itself, as
/// RESP2 has it. Needs Redis 6.0.
///
/// What is done to the keys on this server comes in the order in which it was done, and the answer to a PING after what was
/// done before it. Keys that expire or are evicted count as changed.
final class TrackingConnection {
  enum Event: Equatable {
    case changed([String])
    /// All keys of the server, by FLUSHALL or FLUSHDB.
    case flushed
    case pong
  }

  let wire: Wire
  private let endpoint: Endpoint
  private static let channel = "__redis__:invalidate"

  /// Connects, and returns when every change from now on will be heard.
  ///
  /// - Parameter prefixes: what the keys begin with.
  /// - Throws: `RedisError`, `CancellationError`.
  init(to endpoint: Endpoint, prefixes: [String], deadline: Deadline, interruption: Interruption?) throws {
    self.endpoint = endpoint
    do {
      wire = try Wire(to: endpoint.address, deadline: deadline, interruption: interruption)
      try wire.logIn(to: endpoint, deadline)
    } catch let failure as Socket.Failure {
      throw RedisError.unreachable(endpoint, failure)
    }
    let id = try ask([Command("CLIENT", "ID")], deadline)[0].integer()
    let following = prefixes.flatMap { [Argument.text("PREFIX"), .text($0)] }
    let tracking = Command(["CLIENT", "TRACKING", "ON", "REDIRECT", .integer(Int(id)), "BCAST"] + following)
    for reply in try ask([tracking, Command("SUBSCRIBE", .text(Self.channel))], deadline) {
      _ = try reply.get()
    }
  }

  private func ask(_ commands: [Command], _ deadline: Deadline) throws -> [Reply] {
    var replies: [Reply] = []
    do {
      try wire.exchange(
        EncodedCommands(commands).bytes[...], count: commands.count, patience: .until(deadline),
        replies: &replies)
      return replies
    } catch {
      throw error.described(endpoint, mayHaveRun: true)
    }
  }

  /// Asks for a sign of life.
  ///
  /// - Throws: `RedisError.connectionLost`.
  func ping() throws {
    let bytes = EncodedCommands([Command("PING")]).bytes
    // So few bytes that a connection which does not take them at once has been stuck for long.
    guard wire.sendAhead(bytes) == bytes.count else { throw lost("it takes no bytes") }
  }

  /// What has arrived.
  ///
  /// - Throws: `RedisError`.
  func events() throws -> [Event] {
    do {
      return try wire.unsolicited().map(Self.event)
    } catch Socket.Failure.broken(let reason) {
      throw lost(reason)
    } catch let failure as ReplyReader.Malformed {
      throw RedisError.protocolViolation(failure.reason)
    }
  }

  func lost(_ reason: String) -> RedisError {
    .connectionLost(endpoint: endpoint.description, reason: reason, mayHaveRun: false)
  }

  /// `["message", channel, [keys] or nil]` and `["pong", ""]`.
  private static func event(_ reply: Reply) throws -> Event {
    let parts = try reply.array() ?? []
    switch try parts.first?.text() {
    case "pong": return .pong
    case "message" where parts.count == 3:
      guard let keys = try parts[2].array() else { return .flushed }
      // A key that is no UTF-8 is nobody's here.
      return .changed(
        try keys.compactMap { key in try key.bytes().flatMap { String(validating: $0, as: UTF8.self) } })
    default: throw RedisError.unexpectedReply(expected: "an invalidation", got: "another message")
    }
  }
}
