import ConnectionPool
import Glibc
import Primitives
import Redis
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
  @Test func theSessionIsLentToOneAtATime() async throws {
    let server = try RedisServer()
    let connection = try await Connection.connect(to: server.endpoint())
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<50 {
        group.addTask {
          try await connection.withSession { session in
            let before = try Int(session.execute("GET", "n").text() ?? "0") ?? 0
            try session.execute("SET", "n", .integer(before + 1))
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await connection.execute(Command("GET", "n")).text() == "50")
  }

  @Test func aWaitEndsWithItsTask() async throws {
    let server = try RedisServer()
    let connection = try await Connection.connect(to: server.endpoint())
    let clock = ContinuousClock()
    let work = Task {
      try await connection.execute(Command("BLPOP", "never", 0), deadline: .after(.seconds(30)))
    }
    try await Task.sleep(for: .milliseconds(50))
    let elapsed = try await clock.measure {
      work.cancel()
      await #expect(throws: CancellationError.self) { try await work.value }
      // The next caller is not affected.
      let reply = try await connection.execute(Command("PING"))
      #expect(reply == .status("PONG"))
    }
    #expect(elapsed < .seconds(15))
  }

  /// More connections block than Swift has threads, and what frees them needs one of those: were they shared,
  /// this would never end.
  @Test func blockedConnectionsDoNotStarveTheOthers() async throws {
    let server = try RedisServer()
    var connections: [Connection] = []
    for _ in 0..<32 { connections.append(try await Connection.connect(to: server.endpoint())) }
    let other = try await Connection.connect(to: server.endpoint())
    try await withThrowingTaskGroup(of: Void.self) { group in
      for connection in connections {
        group.addTask {
          let reply = try await connection.execute(
            Command("BLPOP", "list", 0), deadline: .after(.seconds(50)))
          #expect(reply == .array([.string(Array("list".utf8)), .string([0x78])]))
        }
      }
      while try await other.execute(Command("INFO", "clients")).text()?.contains("blocked_clients:32")
        == false
      {
        try await Task.sleep(for: .milliseconds(5))
      }
      for _ in connections { try await other.execute(Command("RPUSH", "list", "x")) }
      try await group.waitForAll()
    }
  }

  @Test func aPoolOfThemSurvivesARestart() async throws {
    let server = try RedisServer()
    let endpoint = try server.endpoint()
    let pool = ConnectionPool(configuration: try PoolConfiguration(maxConnections: 4, minConnections: 0)) {
      try await Connection.connect(to: endpoint, deadline: $0)
    }
    func countTo(_ total: Int) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<total {
          group.addTask {
            _ = try await pool.withConnection { try await $0.execute(Command("INCR", "n")) }
          }
        }
        try await group.waitForAll()
      }
      let reply = try await pool.withConnection { try await $0.execute(Command("GET", "n")) }
      #expect(try reply.text() == String(total))
    }
    try await countTo(100)
    #expect(pool.statistics.open <= 4)
    try server.restart()
    try await countTo(100)
    try await pool.drain(deadline: .after(.seconds(5)))
    #expect(pool.statistics.open == 0)
  }

  @Test func aWrongPasswordReachesThePoolsCallerAtOnce() async throws {
    let server = try RedisServer(["--requirepass", "hunter2"])
    let endpoint = try server.endpoint(password: "wrong")
    let pool = ConnectionPool(configuration: .default) {
      try await Connection.connect(to: endpoint, deadline: $0)
    }
    let error = await #expect(throws: RedisError.self) { try await pool.withConnection { _ in } }
    #expect(error?.code == "redis_login")
  }

  @Test func aClosedConnectionStaysClosed() async throws {
    let server = try RedisServer()
    let connection = try Connection(server.endpoint())
    try await connection.execute(Command("PING"))
    await connection.close()
    #expect(!connection.isUsable)
    await #expect(throws: RedisError.closed) { try await connection.execute(Command("PING")) }
  }
}
