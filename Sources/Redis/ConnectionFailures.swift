extension RedisError {
  /// What came of an attempt to connect.
  static func unreachable(_ endpoint: Endpoint, _ failure: Socket.Failure) -> RedisError {
    switch failure {
    case .timedOut: .unreachable(endpoint: endpoint.description, reason: "no answer in time")
    case .broken(let reason): .unreachable(endpoint: endpoint.description, reason: reason)
    }
  }
}

extension Wire.Failure {
  /// The error for the caller.
  func described(_ endpoint: Endpoint, mayHaveRun: Bool) -> any Error {
    let name = endpoint.description
    switch cause {
    case .timedOut: return RedisError.timedOut(endpoint: name, mayHaveRun: mayHaveRun)
    case .broken(let reason):
      return RedisError.connectionLost(endpoint: name, reason: reason, mayHaveRun: mayHaveRun)
    case .malformed(let reason): return RedisError.protocolViolation(reason)
    case .interrupted: return CancellationError()
    }
  }
}
