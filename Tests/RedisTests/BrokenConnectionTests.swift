import Glibc
import Primitives
import Redis
import Testing

@Suite(.timeLimit(.minutes(1))) struct BrokenConnectionTests {
  @Test func aRestartBetweenTwoCommandsIsNotNoticed() throws {
    let server = try RedisServer()
    let session = try server.session()
    try session.execute("SET", "k", "v")
    try server.restart()
    #expect(try session.execute("INCR", "n").integer() == 1)
    #expect(session.epoch == 2)
  }

  @Test func whileTheServerIsDownCommandsFailFastAndLaterWork() throws {
    let server = try RedisServer()
    let session = try server.session()
    server.kill()
    let elapsed = try ContinuousClock().measure {
      let error = try #require(throws: RedisError.self) { try session.execute("PING") }
      #expect(error.code == "redis_unreachable" && error.isRetryable)
    }
    #expect(elapsed < .seconds(2))
    try server.start()
    #expect(try session.execute("PING") == .status("PONG"))
  }

  @Test func aServerThatStopsIsGivenUpInTime() throws {
    let server = try RedisServer()
    let session = try server.session(commandTimeout: .milliseconds(200))
    server.signal(SIGSTOP)
    let elapsed = try ContinuousClock().measure {
      let error = try #require(throws: RedisError.self) { try session.execute("INCR", "n") }
      guard case .timedOut(_, mayHaveRun: true) = error else { throw error }
      #expect(!error.isRetryable && error.kind == .unreachable)
    }
    #expect(elapsed >= .milliseconds(200) && elapsed < .seconds(2))
    server.signal(SIGCONT)
    // The late reply of INCR must not be taken for that of PING.
    #expect(try session.execute("PING") == .status("PONG"))
    #expect(session.epoch == 2)
  }

  @Test func aServerThatAcceptsAndNeverAnswersIsGivenUpInTime() throws {
    let server = try RedisServer()
    let peer = try Peer(beside: server, name: "silent") { client, _ in
      var byte: UInt8 = 0
      while read(client, &byte, 1) > 0 {}
    }
    defer { peer.stop() }
    let elapsed = try ContinuousClock().measure {
      let error = try #require(throws: RedisError.self) {
        try Session(connecting: peer.endpoint(), connectTimeout: .milliseconds(200))
      }
      #expect(error.code == "redis_unreachable")
    }
    #expect(elapsed >= .milliseconds(200) && elapsed < .seconds(2))
  }

  @Test func aStoppedServerWithAFullBacklogIsGivenUpInTime() throws {
    let server = try RedisServer(["--tcp-backlog", "1"])
    server.signal(SIGSTOP)
    defer { server.signal(SIGCONT) }
    for _ in 0..<5 {
      #expect(throws: RedisError.self) {
        try Session(connecting: server.endpoint(), connectTimeout: .milliseconds(100))
      }
    }
  }

  @Test func aReplyInDripsDoesNotStretchTheDeadline() throws {
    let server = try RedisServer()
    let peer = try Peer(beside: server, name: "drip") { client, _ in
      _ = Peer.sendAll(client, Array("+OK\r\n+PONG\r\n$1000000\r\n".utf8)[...])
      while Peer.sendAll(client, [0x78]) { usleep(10_000) }
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint(), commandTimeout: .milliseconds(300))
    let elapsed = try ContinuousClock().measure {
      let error = try #require(throws: RedisError.self) { try session.execute("GET", "k") }
      // The drip may come before the command, in which case the session connects again and drips again.
      #expect(error.code == "redis_timeout")
    }
    #expect(elapsed < .seconds(3))
  }

  @Test func whatIsNoRedisIsAnError() throws {
    let server = try RedisServer()
    let peer = try Peer(beside: server, name: "http") { client, _ in
      _ = Peer.sendAll(client, Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)[...])
      usleep(200_000)
    }
    defer { peer.stop() }
    let error = try #require(throws: RedisError.self) { try Session(connecting: peer.endpoint()) }
    #expect(error.code == "redis_protocol")
  }

  @Test func aCommandWhoseReplyIsLostIsNotSentTwice() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "cut") { client, number in
      Peer.forward(client, to: path, cuttingAfterRequest: number == 0 ? "INCR" : nil)
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    let error = try #require(throws: RedisError.self) { try session.execute("INCR", "n") }
    guard case .connectionLost(_, _, mayHaveRun: true) = error else { throw error }
    #expect(!error.isRetryable)
    #expect(try session.execute("GET", "n").text() == "1")
  }

  @Test func anIdempotentCommandIsSentAgain() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "cut") { client, number in
      Peer.forward(client, to: path, cuttingAfterRequest: number < 2 ? "APPEND" : nil)
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    // APPEND shows how often it ran.
    #expect(try session.execute(Command("APPEND", "k", "x"), isIdempotent: true).integer() == 3)
    #expect(peer.accepted == 3)
  }

  @Test func sendingAgainIsBounded() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "cut") { client, _ in
      Peer.forward(client, to: path, cuttingAfterRequest: "APPEND")
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    let error = try #require(throws: RedisError.self) {
      try session.execute(Command("APPEND", "k", "x"), isIdempotent: true)
    }
    #expect(error.code == "redis_connection_lost")
    #expect(try server.session().execute("STRLEN", "k").integer() == 3)
  }

  @Test func aPinnedSessionIsNotReconnectedBehindItsBack() throws {
    let server = try RedisServer()
    let session = try server.session()
    let other = try server.session()
    let error = try #require(throws: RedisError.self) {
      try session.pinned {
        try session.execute("WATCH", "k")
        try other.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try session.execute("MULTI")
      }
    }
    guard case .connectionLost(_, _, mayHaveRun: false) = error else { throw error }
    #expect(try session.execute("PING") == .status("PONG"))
  }

  @Test func cutsAtEveryByteOfAReplyAreNoticed() throws {
    let server = try RedisServer()
    try server.session().execute("SET", "k", "0123456789")
    let path = server.socketPath
    let whole = "$10\r\n0123456789\r\n".utf8.count
    let peer = try Peer(beside: server, name: "cut") { client, number in
      Peer.forward(client, to: path, limit: Peer.handshakeLength + 1 + number)
    }
    defer { peer.stop() }
    for length in 1...whole {
      let session = try Session(connecting: peer.endpoint())
      if length == whole {
        #expect(try session.execute("GET", "k").text() == "0123456789")
      } else {
        let error = try #require(throws: RedisError.self) { try session.execute("GET", "k") }
        #expect(error.code == "redis_connection_lost")
      }
    }
  }

  @Test func aLargeRequestToADyingServerRaisesNoSignal() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "deaf") { client, _ in
      // Answers the handshake, reads a little of the next command and goes away: EPIPE for who still sends.
      Peer.forward(client, to: path, limit: Peer.handshakeLength)
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    #expect(throws: RedisError.self) {
      try session.execute("SET", "k", .bytes([UInt8](repeating: 1, count: 32 << 20)))
    }
  }
}
