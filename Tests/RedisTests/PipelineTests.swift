import Primitives
import Redis
import Testing

@Suite(.timeLimit(.minutes(1))) struct PipelineTests {
  @Test func oneErrorDoesNotHideTheOtherReplies() throws {
    let server = try RedisServer()
    let session = try server.session()
    let replies = try session.pipeline([
      Command("SET", "k", "v"), Command("LPUSH", "k", "x"), Command("GET", "k"), Command("NOSUCH"),
    ])
    #expect(replies.count == 4)
    #expect(replies[0] == .status("OK"))
    #expect(throws: RedisError.self) { try replies[1].get() }
    #expect(try replies[2].text() == "v")
    #expect(throws: RedisError.self) { try replies[3].get() }
    #expect(try session.pipeline([]) == [])
  }

  @Test func aHundredThousandCommandsInOrder() throws {
    let server = try RedisServer()
    let session = try server.session()
    var next = 0
    var wrong = 0
    let commands = (0..<100_000).lazy.map { number in Command("ECHO", .integer(number)) }
    try session.pipeline(commands) { index, reply in
      if try index != next || reply.text() != String(index) { wrong += 1 }
      next += 1
    }
    #expect(next == 100_000)
    #expect(wrong == 0)
    #expect(session.epoch == 1)
  }

  @Test func largeRequestsAndLargeRepliesDoNotBlockEachOther() throws {
    let server = try RedisServer()
    let session = try server.session()
    let value = [UInt8](repeating: 7, count: 300_000)
    let replies = try session.pipeline((0..<100).map { _ in Command("ECHO", .bytes(value)) })
    #expect(replies.count == 100)
    #expect(replies.allSatisfy { $0 == .string(value) })
  }

  @Test func whatWasAnsweredBeforeACutIsDelivered() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "cut") { client, number in
      // The handshake and ten replies of five bytes, and a half one.
      Peer.forward(client, to: path, limit: number == 0 ? Peer.handshakeLength + 10 * 5 + 2 : .max)
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    let commands = (0..<100).map { Command("SET", .text("k\($0)"), "v") }
    var answered: [Int] = []
    let error = try #require(throws: RedisError.self) {
      try session.pipeline(commands) { index, reply in
        #expect(reply == .status("OK"))
        answered.append(index)
      }
    }
    guard case .connectionLost(_, _, mayHaveRun: true) = error else { throw error }
    #expect(answered == Array(0..<10))
  }

  @Test func anIdempotentPipelineGoesOnAfterACut() throws {
    let server = try RedisServer()
    let path = server.socketPath
    let peer = try Peer(beside: server, name: "cut") { client, number in
      Peer.forward(client, to: path, limit: number < 2 ? Peer.handshakeLength + 10 * 5 + 2 : .max)
    }
    defer { peer.stop() }
    let session = try Session(connecting: peer.endpoint())
    let replies = try session.pipeline(
      (0..<100).map { Command("SET", .text("k\($0)"), .integer($0)) }, isIdempotent: true)
    #expect(replies == Array(repeating: .status("OK"), count: 100))
    #expect(session.epoch == 3)
    #expect(try server.session().execute("DBSIZE").integer() == 100)
  }

  @Test func aDeadlineCoversTheWholePipeline() throws {
    let server = try RedisServer()
    let session = try server.session()
    let slow = (0..<20).map { Command("BLPOP", .text("none\($0)"), "0.1") }
    var answered = 0
    let error = try #require(throws: RedisError.self) {
      try session.pipeline(slow, deadline: .after(.milliseconds(350))) { _, _ in answered += 1 }
    }
    #expect(error.code == "redis_timeout")
    #expect((1..<10).contains(answered))
  }

  @Test func whatTheReceiverThrowsEndsThePipelineInStep() throws {
    struct Enough: Error {}
    let server = try RedisServer()
    let session = try server.session()
    #expect(throws: Enough.self) {
      try session.pipeline((0..<50).map { Command("ECHO", .integer($0)) }) { index, _ in
        if index == 20 { throw Enough() }
      }
    }
    #expect(try session.execute("ECHO", "next").text() == "next")
    #expect(session.epoch == 1)
  }
}
