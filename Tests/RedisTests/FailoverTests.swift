import Glibc
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

/// Each on a cluster of its own.
@Suite(.serialized, .timeLimit(.minutes(3))) struct FailoverTests {
  @Test func aPipelineOutlivesAMaster() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { servers in
      let connection = try Connection(servers.endpoint(1), isCluster: true, commandTimeout: .seconds(60))
      let key = "outlive:0"
      let victim = try #require(try servers.owner(of: servers.cluster().slot(of: key) ?? 0))
      let count = 60_000
      let answered = Mutex(0)
      let pipeline = Task {
        try await connection.withSession { cluster in
          let commands = (0..<count).lazy.map { Command("SET", .text("outlive:\($0)"), .integer($0)) }
          try cluster.pipeline(commands, isIdempotent: true) { index, reply in
            let isNext = try reply.text() == "OK" && index == answered.withLock { $0 }
            if isNext { answered.withLock { $0 += 1 } }
          }
        }
      }
      try servers.wait("the pipeline to be under way") { answered.withLock { $0 } > 0 }
      servers.kill(victim)
      try await pipeline.value
      #expect(answered.withLock { $0 } == count)
      try await connection.withSession { cluster in
        let node = try cluster.node(of: key)
        #expect(try node.session.endpoint != servers.endpoint(victim))
        // What was sent after the death stands; what the master took with it is the cluster's loss, not the client's.
        #expect(try cluster.execute("GET", .text("outlive:\(count - 1)")).text() == String(count - 1))
      }
    }
  }

  /// A master dies with commands that it has received and not answered.
  @Test func onlyWhatIsIdempotentIsSentTwice() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(2)) { servers in
      let key = "twice"
      let victim = try #require(try servers.owner(of: servers.cluster().slot(of: key) ?? 0))
      func connection() async throws -> Connection {
        let connection = try Connection(servers.endpoint(0), isCluster: true, commandTimeout: .seconds(60))
        try await connection.execute(Command("GET", .text(key)))
        return connection
      }
      let (careful, careless) = (try await connection(), try await connection())
      servers.signal(victim, SIGSTOP)
      let counted = Task { try await careful.execute(Command("INCR", "twice")) }
      let stored = Task { try await careless.execute(Command("SET", "twice", 7), isIdempotent: true) }
      try await Task.sleep(for: .milliseconds(300))
      servers.kill(victim)
      let error = await #expect(throws: RedisError.self) { try await counted.value }
      guard case .connectionLost(_, _, mayHaveRun: true)? = error else {
        throw TestFailure("not a loss: \(error.map(String.init(describing:)) ?? "nothing")")
      }
      #expect(try await stored.value == .status("OK"))
      #expect(try await careful.execute(Command("GET", "twice"), isIdempotent: true).text() == "7")
    }
  }

  @Test func aSwitchByHandIsFollowed() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(2)) { servers in
      let cluster = try servers.cluster()
      let slot = try #require(cluster.slot(of: "switch"))
      let master = try #require(try servers.owner(of: slot))
      for number in 1...100 { #expect(try cluster.execute("INCR", "switch").integer() == Int64(number)) }
      try servers.session(servers.partner(of: master)).execute("CLUSTER", "FAILOVER")
      var number: Int64 = 100
      try servers.wait("the switch") {
        number += 1
        #expect(try cluster.execute("INCR", "switch").integer() == number)
        return try servers.owner(of: slot, witness: master) == servers.partner(of: master)
      }
      #expect(try cluster.execute("INCR", "switch").integer() == number + 1)
      #expect(try cluster.node(of: "switch").id == servers.id(servers.partner(of: master)))
    }
  }

  @Test func aClusterThatIsGoneIsUnreachableInTime() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { servers in
      let cluster = try servers.cluster(commandTimeout: .seconds(2))
      try cluster.execute("SET", "gone", "v")
      for index in 0..<6 { servers.kill(index) }
      for isIdempotent in [true, false] {
        let elapsed = try ContinuousClock().measure {
          let error = try #require(throws: RedisError.self) {
            try cluster.execute(Command("SET", "gone", "w"), isIdempotent: isIdempotent)
          }
          #expect(error.kind == .unreachable)
        }
        #expect(elapsed < .seconds(10))
      }
      let error = try #require(throws: RedisError.self) {
        try ClusterSession(connecting: servers.endpoint(0), commandTimeout: .seconds(2))
      }
      #expect(error.code == "redis_unreachable")
      // All come back, without their keys: the cluster forgets nothing of itself.
      for index in 0..<6 { try servers.start(index) }
      let patient = try servers.cluster(commandTimeout: .seconds(60))
      try patient.execute(Command("SET", "gone", "x"), isIdempotent: true)
      #expect(try cluster.execute("GET", "gone").text() == "x")
    }
  }

  @Test func everyNodeGetsTheLogin() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(5)) { servers in
      let address = try servers.endpoint(0).address
      for index in 0..<6 {
        try servers.session(index).execute("CONFIG", "SET", "requirepass", "hunter2", "masterauth", "hunter2")
      }
      let cluster = try ClusterSession(connecting: Endpoint(address, user: "default", password: "hunter2"))
      let commands = (0..<50).map { Command("SET", .text("login:\($0)"), "v") }
      let replies = try cluster.pipeline(commands)
      #expect(replies == Array(repeating: .status("OK"), count: 50))
      #expect(try cluster.nodes().allSatisfy { $0.session.isConnected })
      for (password, code) in [("wrong", "redis_login"), (nil, "redis_noauth")] {
        let error = #expect(throws: RedisError.self) {
          try ClusterSession(connecting: Endpoint(address, password: password))
        }
        #expect(error?.code == code && error?.kind == .configuration)
      }
    }
  }

  @Test func silentMastersAreGivenUpInTime() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(30)) { servers in
      let cluster = try servers.cluster(commandTimeout: .seconds(1))
      let commands = (0..<30).map { Command("SET", .text("silent:\($0)"), "v") }
      try cluster.pipeline(commands) { _, reply in #expect(reply == .status("OK")) }
      for index in 0..<6 { servers.signal(index, SIGSTOP) }
      let elapsed = try ContinuousClock().measure {
        let error = try #require(throws: RedisError.self) {
          try cluster.pipeline(commands, isIdempotent: true) { _, _ in }
        }
        #expect(error.kind == .unreachable)
      }
      #expect(elapsed < .seconds(10))
      for index in 0..<6 { servers.signal(index, SIGCONT) }
      try cluster.pipeline(commands, isIdempotent: true, deadline: .after(.seconds(60))) { _, reply in
        #expect(reply == .status("OK"))
      }
    }
  }
}
