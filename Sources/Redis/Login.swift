import Primitives

extension Wire {
  /// AUTH and SELECT where needed, a name that `CLIENT LIST` shows, and PING, whose reply proves that the server
  /// answers and lets us in: one that has too many clients sends a single error, whatever it was asked.
  func logIn(to endpoint: Endpoint, _ deadline: Deadline) throws {
    var commands: [Command] = []
    if let secret = endpoint.secret {
      commands.append(
        Command([.text("AUTH")] + (endpoint.user.map { [.text($0)] } ?? []) + [.text(secret.text)]))
    }
    if endpoint.database != 0 { commands.append(Command("SELECT", .integer(endpoint.database))) }
    let required = commands.count
    commands.append(Command("CLIENT", "SETNAME", "ironforge"))
    commands.append(Command("PING"))
    var bytes: [UInt8] = []
    for command in commands { command.encode(digest: nil, into: &bytes) }
    var replies: [Reply] = []
    do {
      try exchange(bytes[...], count: commands.count, patience: .until(deadline), replies: &replies)
    } catch {
      // Too many clients: the server says so and closes.
      if case .error(let refusal) = replies.first { throw RedisError.server(refusal) }
      switch error.cause {
      case .timedOut: throw Socket.Failure.timedOut
      case .broken(let reason): throw Socket.Failure.broken(reason)
      case .malformed(let reason): throw RedisError.protocolViolation(reason)
      case .interrupted: throw CancellationError()
      }
    }
    for (index, reply) in replies.enumerated() {
      guard case .error(let refusal) = reply else { continue }
      let isLogin = index == 0 && endpoint.secret != nil
      if isLogin || refusal.code == "NOAUTH" {
        throw isLogin && refusal.code != "LOADING"
          ? RedisError.loginRefused(endpoint: endpoint.description, refusal) : RedisError.server(refusal)
      }
      // A user may lack the right to these two, and proxies may not know them; neither matters.
      if index >= required { continue }
      throw RedisError.server(refusal)
    }
  }
}
