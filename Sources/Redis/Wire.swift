import Primitives

/// One connection from connect to close: the socket, the parser, and the exchange of bytes for replies.
///
/// Once an exchange has failed, the wire is out of step and must be thrown away.
final class Wire {
  /// How long to wait for replies.
  enum Patience {
    /// Until then for all of them.
    case until(Deadline)
    /// So long for each; the time begins anew whenever one arrives.
    case perReply(Duration)
  }

  /// Why an exchange ended early, and how many bytes had left by then.
  struct Failure: Error {
    enum Cause {
      case timedOut
      case broken(String)
      case malformed(String)
      case interrupted
    }

    let cause: Cause
    let bytesSent: Int
  }

  private let socket: Socket
  private let reader: ReplyReader
  private let interruption: Interruption?

  init(to address: Endpoint.Address, deadline: Deadline, interruption: Interruption?) throws {
    guard let reader = ReplyReader() else { throw Socket.Failure.broken("out of memory") }
    self.reader = reader
    self.interruption = interruption
    socket = try Socket.establish(to: address, deadline: deadline, interruption: interruption)
  }

  /// Whether the next command can be sent: the server is there and no reply is pending that nobody asked for.
  var isInStep: Bool { reader.isEmpty && socket.isQuiet }

  /// Sends what the kernel takes without waiting, so that a server works while the caller turns to another. A failure shows
  /// when the rest is exchanged, which reads first what the server may have said of it.
  func sendAhead(_ bytes: [UInt8]) -> Int {
    do {
      return try bytes.withUnsafeBytes { try socket.transmit($0) }
    } catch {
      return 0
    }
  }

  /// Sends the bytes of `count` commands, but for the first `sentAhead` that have left before, and appends their replies as they arrive.
  ///
  /// Reads while it writes: a server that cannot get rid of its replies stops reading commands.
  func exchange(
    _ bytes: ArraySlice<UInt8>, sentAhead: Int = 0, count: Int, patience: Patience, replies: inout [Reply]
  ) throws(Failure) {
    var sent = sentAhead
    do {
      try bytes.withUnsafeBytes { bytes in
        try exchange(bytes, &sent, until: replies.count + count, patience, &replies)
      }
    } catch let failure as Socket.Failure {
      switch failure {
      case .timedOut: throw Failure(cause: .timedOut, bytesSent: sent)
      case .broken(let reason): throw Failure(cause: .broken(reason), bytesSent: sent)
      }
    } catch let failure as ReplyReader.Malformed {
      throw Failure(cause: .malformed(failure.reason), bytesSent: sent)
    } catch {
      throw Failure(cause: .interrupted, bytesSent: sent)
    }
  }

  private func exchange(
    _ bytes: UnsafeRawBufferPointer, _ sent: inout Int, until total: Int, _ patience: Patience,
    _ replies: inout [Reply]
  ) throws {
    var deadline = Self.deadline(patience)
    while true {
      if sent < bytes.count {
        do {
          sent += try socket.transmit(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
        } catch {
          // The server may have said why before it closed: too many clients, a request that is too large.
          while try receive(until: total, &replies), replies.count < total {}
          throw error
        }
      }
      if try receive(until: total, &replies) { deadline = Self.deadline(patience) }
      if replies.count == total && sent == bytes.count { return }
      if deadline.hasPassed { throw Socket.Failure.timedOut }
      try socket.wait(forWriting: sent < bytes.count, deadline: deadline, interruption: interruption)
    }
  }

  /// What has arrived without being asked for, so far as it is complete. Waits for nothing.
  func unsolicited() throws -> [Reply] {
    var replies: [Reply] = []
    // Some may be left of an exchange, after its own.
    while let reply = try reader.next() { replies.append(reply) }
    _ = try receive(until: .max, &replies)
    return replies
  }

  /// Waits until one of the wires has something to read, or the deadline.
  ///
  /// - Throws: `CancellationError` on an interruption.
  static func wait(for wires: [Wire], deadline: Deadline, interruption: Interruption?) throws {
    try Socket.wait(for: wires.map { $0.socket.descriptor }, deadline: deadline, interruption: interruption)
  }

  /// True when at least one reply was completed.
  private func receive(until total: Int, _ replies: inout [Reply]) throws -> Bool {
    let before = replies.count
    try withUnsafeTemporaryAllocation(byteCount: 32 << 10, alignment: 1) { buffer in
      // Bounded, so that a flood of input delays neither our output nor the deadline.
      for _ in 0..<16 where replies.count < total {
        guard let count = try socket.receive(into: buffer) else { break }
        try reader.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        while replies.count < total, let reply = try reader.next() { replies.append(reply) }
        if count < buffer.count { break }
      }
    }
    return replies.count > before
  }

  private static func deadline(_ patience: Patience) -> Deadline {
    switch patience {
    case .until(let deadline): deadline
    case .perReply(let duration): .after(duration)
    }
  }
}
