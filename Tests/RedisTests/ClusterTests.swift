import Glibc
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

/// On a cluster that all of them share; each has keys of its own.
@Suite(.timeLimit(.minutes(2))) struct ClusterTests {
  private static let increment = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
  private static let both = Script(
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) return ARGV[1]")

  @Test func keysAreOnTheNodesThatTheClusterSays() throws {
    let servers = try RedisCluster.shared()
    let cluster = try servers.cluster()
    let nodes = try cluster.nodes()
    #expect(nodes.count == 3)
    for number in 0..<50 {
      let key = "routing:\(number)"
      try cluster.execute("SET", .text(key), .integer(number))
      #expect(try cluster.execute("GET", .text(key)).text() == String(number))
      let node = try cluster.node(of: key)
      // The node itself would say MOVED, were it not its own.
      #expect(try node.session.execute("GET", .text(key)).text() == String(number))
      let slot = try node.session.execute("CLUSTER", "KEYSLOT", .text(key)).integer()
      #expect(cluster.slot(of: key).map(Int64.init) == slot)
      #expect(try node.session.execute("CLUSTER", "MYID").text() == node.id)
    }
  }

  @Test func aPipelineIsSplitAndItsRepliesComeInOrder() throws {
    let cluster = try RedisCluster.shared().cluster()
    let count = 30_000
    var wrong = 0
    var next = 0
    try cluster.pipeline(
      (0..<count).lazy.map { Command("SET", .text("pipeline:\($0)"), .integer($0)) }
    ) { index, reply in
      if index != next || reply != .status("OK") { wrong += 1 }
      next += 1
    }
    try cluster.pipeline((0..<count).lazy.map { Command("GET", .text("pipeline:\($0)")) }) { index, reply in
      if try reply.text() != String(index) { wrong += 1 }
    }
    #expect(next == count && wrong == 0)
    // Three nodes were connected once each, however many commands there were.
    #expect(try cluster.nodes().allSatisfy { $0.session.epoch == 1 })
  }

  @Test func commandsOfOneKeyKeepTheirOrder() throws {
    let cluster = try RedisCluster.shared().cluster()
    let commands = (0..<3000).map { Command("APPEND", .text("order:\($0 % 10)"), .text("\($0 / 10),")) }
    let errors = try cluster.pipeline(commands).filter { if case .integer = $0 { false } else { true } }
    #expect(errors.isEmpty)
    let expected = (0..<300).map { "\($0)," }.joined()
    for key in 0..<10 { #expect(try cluster.execute("GET", .text("order:\(key)")).text() == expected) }
  }

  @Test func anErrorIsTheReplyOfItsCommandAlone() throws {
    let cluster = try RedisCluster.shared().cluster()
    let replies = try cluster.pipeline([
      Command("SET", "errors:a", "v"), Command("LPUSH", "errors:a", "x"), Command("SET", "errors:b", "w"),
      Command("GET", "errors:b"),
    ])
    #expect(replies[0] == .status("OK"))
    #expect(throws: RedisError.self) { try replies[1].get() }
    #expect(try replies[3].text() == "w")
  }

  @Test func aScriptRunsOnEveryNode() throws {
    let cluster = try RedisCluster.shared().cluster()
    for node in try cluster.nodes() { try node.session.execute("SCRIPT", "FLUSH") }
    let commands = (0..<60).map { number in
      Command(Self.increment, keys: [.text("script:\(number % 30)")], arguments: [.integer(number)])
    }
    let replies = try cluster.pipeline(commands).map { try $0.integer() }
    let expected = (0..<60).map { (number: Int64) in number < 30 ? number : 2 * number - 30 }
    #expect(replies == expected)
  }

  @Test func keysOfOneScriptMustShareASlot() throws {
    let cluster = try RedisCluster.shared().cluster()
    #expect(
      try cluster.execute(Command(Self.both, keys: ["both:7", "fence:{both:7}"], arguments: ["v"])).text()
        == "v")
    let error = try #require(throws: RedisError.self) {
      try cluster.execute(Command(Self.both, keys: ["both:7", "both:8"], arguments: ["v"]))
    }
    #expect(error.code == "redis_crossslot")
  }

  @Test func aCommandWithoutAKeyNeedsANode() throws {
    let cluster = try RedisCluster.shared().cluster()
    let error = try #require(throws: RedisError.self) {
      try cluster.pipeline([Command("SET", "unsent", "v"), Command("SCAN", 0)]) { _, _ in }
    }
    #expect(error.code == "redis_needs_node")
    #expect(try cluster.execute("EXISTS", "unsent").integer() == 0)
  }

  @Test func aConnectionLendsTheCluster() async throws {
    let connection = try await Connection.connect(to: RedisCluster.shared().endpoint(1), isCluster: true)
    for number in 0..<20 { try await connection.execute(Command("SET", .text("lent:\(number)"), "v")) }
    let found = try await connection.withSession { cluster in
      try (0..<20).count { try cluster.execute("GET", .text("lent:\($0)")).text() == "v" }
    }
    #expect(found == 20)
    let waiting = Task {
      try await connection.execute(Command("BLPOP", "lent:never", 0), deadline: .after(.seconds(30)))
    }
    try await Task.sleep(for: .milliseconds(50))
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    #expect(try await connection.execute(Command("GET", "lent:1")).text() == "v")
    await connection.close()
    await #expect(throws: RedisError.closed) { try await connection.execute(Command("GET", "lent:1")) }
  }

  // MARK: Configuration

  @Test func aServerThatIsNoClusterIsToldApart() throws {
    let server = try RedisServer()
    let error = try #require(throws: RedisError.self) { try ClusterSession(connecting: server.endpoint()) }
    #expect(error.code == "redis_not_cluster")
    #expect(error.kind == .configuration && error.hint?.contains("redis.cluster = false") == true)
  }

  @Test func aClusterThatIsTakenForAServerSaysSo() throws {
    let servers = try RedisCluster.shared()
    let error = try #require(throws: RedisError.self) {
      for number in 0..<20 { try servers.session(0).execute("SET", .text("single:\(number)"), "v") }
    }
    #expect(error.code == "redis_moved")
    #expect(error.kind == .configuration && error.hint?.contains("redis.cluster = true") == true)
  }

  @Test func onlyDatabaseZero() throws {
    let address = try RedisCluster.shared().endpoint(0).address
    let error = try #require(throws: RedisError.self) {
      try ClusterSession(connecting: Endpoint(address, database: 1))
    }
    #expect(error.code == "redis_url" && error.kind == .configuration)
  }

  @Test func anySeedWillDo() throws {
    let servers = try RedisCluster.shared()
    for index in 0..<6 {
      let cluster = try ClusterSession(connecting: servers.endpoint(index))
      try cluster.execute("SET", "seed", .integer(index))
      #expect(try cluster.nodes().count == 3)
    }
  }
}
