import Glibc
import Primitives
import Redis
import Testing

@Suite(.timeLimit(.minutes(1))) struct SessionTests {
  @Test func repliesOfEveryType() throws {
    let server = try RedisServer()
    let session = try server.session()
    #expect(try session.execute("SET", "k", "v") == .status("OK"))
    #expect(try session.execute("GET", "k").text() == "v")
    #expect(try session.execute("GET", "missing") == .null)
    #expect(try session.execute("INCRBY", "n", .integer(.max)).integer() == .max)
    #expect(
      try session.execute("EVAL", "return {1,{2,{3,'x',false}},{}}", 0)
        == .array([
          .integer(1), .array([.integer(2), .array([.integer(3), .string(Array("x".utf8)), .null])]),
          .array([]),
        ]))
    #expect(throws: RedisError.unexpectedReply(expected: "an integer", got: "a string")) {
      try session.execute("GET", "k").integer()
    }
  }

  @Test func anyBytesAndHugeValuesComeBackAsTheyWere() throws {
    let server = try RedisServer()
    let session = try server.session()
    let all = (0...255).map { UInt8($0) } + Array("\r\n$-1\r\n\0".utf8)
    try session.execute("SET", .bytes(all), .bytes(all))
    #expect(try session.execute("GET", .bytes(all)).bytes() == all)
    try session.execute("SET", "empty", "")
    #expect(try session.execute("GET", "empty").bytes() == [])
    let huge = [UInt8](repeating: 0xA5, count: 64 << 20)
    try session.execute("SET", "huge", .bytes(huge))
    #expect(try session.execute("GET", "huge").bytes() == huge)
    #expect(throws: RedisError.self) { try session.execute("GET", "huge").text() }
  }

  @Test func arraysAsDeepAsHiredisGoesAndTooDeepOnesAreAnError() throws {
    let server = try RedisServer()
    let session = try server.session()
    func nested(_ depth: Int) -> String {
      "return " + String(repeating: "{", count: depth) + "1" + String(repeating: "}", count: depth)
    }
    var expected = Reply.integer(1)
    for _ in 0..<7 { expected = .array([expected]) }
    #expect(try session.execute("EVAL", .text(nested(7)), 0) == expected)
    let error = try #require(throws: RedisError.self) { try session.execute("EVAL", .text(nested(9)), 0) }
    #expect(error.code == "redis_protocol")
    #expect(try session.execute("PING") == .status("PONG"))
  }

  @Test func errorRepliesKeepTheConnection() throws {
    let server = try RedisServer()
    let session = try server.session()
    try session.execute("SET", "k", "v")
    let error = try #require(throws: RedisError.self) { try session.execute("LPUSH", "k", "x") }
    #expect(error.code == "redis_wrongtype")
    #expect(throws: RedisError.self) { try session.execute("NOSUCHCOMMAND") }
    #expect(try session.execute("GET", "k").text() == "v")
    #expect(session.epoch == 1)
  }

  @Test func aFullServerSaysOOM() throws {
    let server = try RedisServer(["--maxmemory", "1", "--maxmemory-policy", "noeviction"])
    let error = try #require(throws: RedisError.self) { try server.session().execute("SET", "k", "v") }
    #expect(error.code == "redis_oom")
    #expect(error.hint?.contains("maxmemory") == true)
  }

  @Test func aReplicaSaysREADONLY() throws {
    let server = try RedisServer(["--replicaof", "127.0.0.1", "1"])
    let error = try #require(throws: RedisError.self) { try server.session().execute("SET", "k", "v") }
    #expect(error.code == "redis_readonly")
    #expect(error.kind == .configuration)
  }

  @Test func speaksTCP() throws {
    let server = try RedisServer(tcp: true)
    let session = try Session(connecting: server.tcpEndpoint())
    #expect(try session.execute("PING") == .status("PONG"))
  }

  @Test func selectsTheDatabaseAlsoAfterAReconnect() throws {
    let server = try RedisServer()
    let session = try Session(connecting: server.endpoint(database: 3))
    try session.execute("SET", "k", "v")
    try server.session().execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    #expect(try session.execute("GET", "k").text() == "v")
    #expect(session.epoch == 2)
    let error = try #require(throws: RedisError.self) {
      try Session(connecting: server.endpoint(database: 99))
    }
    #expect(error.code == "redis_err")
  }

  @Test func passwordsAndUsers() throws {
    let server = try RedisServer(["--requirepass", "hunter2", "--user", "app", "on", ">pa:ss", "~*", "+@all"])
    let noLogin = try #require(throws: RedisError.self) { try server.session() }
    #expect(noLogin.code == "redis_noauth" && noLogin.kind == .configuration)
    let wrong = try #require(throws: RedisError.self) {
      try Session(connecting: server.endpoint(password: "hunter3"))
    }
    #expect(wrong.code == "redis_login" && wrong.kind == .configuration)
    #expect(!"\(wrong)".contains("hunter3"))
    let session = try Session(connecting: server.endpoint(password: "hunter2"))
    #expect(try session.execute("PING") == .status("PONG"))
    let app = try Session(connecting: Endpoint(url: "unix://app:pa%3Ass@\(server.socketPath)"))
    #expect(try app.execute("ACL", "WHOAMI").text() == "app")
  }

  @Test func aUserWithoutTheRightToNameItselfCanStillWork() throws {
    let server = try RedisServer(["--user", "app", "on", ">secret", "~*", "+get"])
    let session = try Session(connecting: server.endpoint(user: "app", password: "secret"))
    #expect(try session.execute("GET", "k") == .null)
    let error = try #require(throws: RedisError.self) { try session.execute("SET", "k", "v") }
    #expect(error.kind == .privilege)
  }

  @Test func aServerThatTakesNoMoreClientsSaysSo() throws {
    let server = try RedisServer(["--maxclients", "2"])
    var sessions: [Session] = []
    let error = try #require(throws: RedisError.self) {
      for _ in 0..<5 { sessions.append(try server.session()) }
    }
    #expect(error.message.contains("max number of clients"))
  }

  @Test func nobodyThere() throws {
    let clock = ContinuousClock()
    let elapsed = try clock.measure {
      let error = try #require(throws: RedisError.self) {
        try Session(connecting: Endpoint(url: "unix:///nonexistent/redis.sock"))
      }
      #expect(error.code == "redis_unreachable" && error.kind == .unreachable && error.isRetryable)
      #expect(error.message.contains("/nonexistent/redis.sock"))
      #expect(throws: RedisError.self) { try Session(connecting: Endpoint(url: "redis://127.0.0.1:1")) }
    }
    #expect(elapsed < .seconds(3))
  }

  @Test func aClosedSessionStaysClosed() throws {
    let server = try RedisServer()
    let session = try server.session()
    session.close()
    #expect(throws: RedisError.closed) { try session.execute("PING") }
  }

  @Test func childrenDoNotInheritTheSocket() throws {
    let server = try RedisServer()
    let session = try server.session()
    #expect(session.isConnected)
    var checked = 0
    for descriptor in Int32(3)..<1024 {
      var address = sockaddr_un()
      var length = socklen_t(MemoryLayout<sockaddr_un>.size)
      let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
      }
      let path = withUnsafeBytes(of: address.sun_path) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard status == 0, path == server.socketPath else { continue }
      #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
      checked += 1
    }
    #expect(checked == 1)
  }
}
