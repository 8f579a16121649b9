import Glibc
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

/// Slots that move while commands run. On the shared cluster: whoever follows redirections is not harmed.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ReshardingTests {
  private static let both = Script(
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) return ARGV[1]")

  /// A slot on its way from one master to another.
  private struct Move {
    let servers: RedisCluster
    let slot: Int
    let (source, target): (Session, Session)
    let (sourceID, targetID): (String, String)
    let targetPort: UInt16

    init(of key: String) throws {
      servers = try RedisCluster.shared()
      slot = try servers.cluster().slot(of: key) ?? 0
      guard let from = try servers.owner(of: slot) else { throw TestFailure("slot \(slot) has no owner") }
      let to = (from + 1) % 3
      (source, target) = (try servers.session(from), try servers.session(to))
      (sourceID, targetID) = (try servers.id(from), try servers.id(to))
      guard case .tcp(_, let port) = try servers.endpoint(to).address else { throw TestFailure("no port") }
      targetPort = port
      try target.execute("CLUSTER", "SETSLOT", .integer(slot), "IMPORTING", .text(sourceID))
      try source.execute("CLUSTER", "SETSLOT", .integer(slot), "MIGRATING", .text(targetID))
    }

    func carry(_ key: String) throws {
      try source.execute("MIGRATE", "127.0.0.1", .integer(Int(targetPort)), .text(key), 0, 10_000)
    }

    /// Carries the rest, which other tests have put into the slot, and hands the slot over.
    func end() throws {
      while let keys = try source.execute("CLUSTER", "GETKEYSINSLOT", .integer(slot), 100).array(),
        !keys.isEmpty
      {
        for key in keys { try carry(try key.text() ?? "") }
      }
      try target.execute("CLUSTER", "SETSLOT", .integer(slot), "NODE", .text(targetID))
      try source.execute("CLUSTER", "SETSLOT", .integer(slot), "NODE", .text(targetID))
    }
  }

  @Test func aKeyThatHasMovedAheadIsAskedFor() throws {
    let cluster = try RedisCluster.shared().cluster()
    for key in ["{ask}a", "{ask}b"] { try cluster.execute("SET", .text(key), .text(key)) }
    let before = try cluster.node(of: "{ask}a").id
    let move = try Move(of: "ask")
    try move.carry("{ask}a")
    let commands: [Command] = [
      ["GET", "{ask}a"], ["GET", "{ask}b"], ["SET", "{ask}c", "new"], ["GET", "{ask}c"],
    ]
    let replies = try cluster.pipeline(commands)
    #expect(try replies[0].text() == "{ask}a")
    #expect(try replies[1].text() == "{ask}b")
    #expect(try replies[3].text() == "new")
    // Not yet its master.
    #expect(try cluster.node(of: "{ask}a").id == before)
    try move.carry("{ask}b")
    try move.end()
    #expect(try cluster.pipeline(commands).map { try $0.text() } == ["{ask}a", "{ask}b", "OK", "new"])
    #expect(try cluster.node(of: "{ask}a").id == move.targetID)
  }

  @Test func afterAReshardingMovedIsFollowedOnce() throws {
    let cluster = try RedisCluster.shared().cluster()
    let commands = (0..<500).map { Command("INCR", .text("{moved}\($0)")) }
    try cluster.pipeline(commands) { _, reply in #expect(reply == .integer(1)) }
    let move = try Move(of: "moved")
    for number in 0..<500 { try move.carry("{moved}\(number)") }
    try move.end()
    // Not idempotent: what is redirected has not been carried out.
    try cluster.pipeline(commands) { _, reply in #expect(reply == .integer(2)) }
    #expect(try cluster.node(of: "{moved}1").id == move.targetID)
  }

  /// The source has one of two keys and the target the other: neither can run the script.
  @Test func whatMustBeTriedAgainIsTriedUntilItCan() async throws {
    let cluster = try RedisCluster.shared().cluster()
    let (key, side) = ("{again}a", "{again}b")
    for key in [key, side] { try cluster.execute("SET", .text(key), "old") }
    let move = try Move(of: "again")
    try move.carry(side)
    let script = Command(Self.both, keys: [.text(key), .text(side)], arguments: ["new"])
    // A time-out is no loop without end, and the refusal is the reply.
    let hasty = try RedisCluster.shared().cluster(commandTimeout: .milliseconds(300))
    let elapsed = try ContinuousClock().measure {
      let error = try #require(throws: RedisError.self) { try hasty.execute(script) }
      #expect(error.kind == .unreachable && error.isRetryable)
    }
    #expect(elapsed >= .milliseconds(300) && elapsed < .seconds(5))
    let patient = try Connection(
      RedisCluster.shared().endpoint(0), isCluster: true, commandTimeout: .seconds(60))
    let reply = Task { try await patient.execute(script).text() }
    try await Task.sleep(for: .milliseconds(200))
    try move.carry(key)
    try move.end()
    #expect(try await reply.value == "new")
    #expect(try cluster.execute("GET", .text(side)).text() == "new")
  }

  /// A slot is carried over key by key under a pipeline that writes all of its keys over and over.
  @Test func aPipelineUnderAMoveLosesNothing() async throws {
    let servers = try RedisCluster.shared()
    let connection = try Connection(servers.endpoint(2), isCluster: true, commandTimeout: .seconds(60))
    let isMoving = Mutex(true)
    let increments = (0..<200).map { Command("INCR", .text("{live}\($0)")) }
    let writer = Task {
      defer { isMoving.withLock { $0 = false } }
      var rounds = 0
      while isMoving.withLock({ $0 }) || rounds < 3 {
        rounds += 1
        let counts = try await connection.withSession { try $0.pipeline(increments) }
        #expect(counts == Array(repeating: .integer(Int64(rounds)), count: 200))
      }
      return rounds
    }
    try await Task.sleep(for: .milliseconds(20))
    let move = try Move(of: "live")
    for number in 0..<200 { try move.carry("{live}\(number)") }
    try move.end()
    isMoving.withLock { $0 = false }
    let rounds = try await writer.value
    let replies = try servers.cluster().pipeline((0..<200).map { Command("GET", .text("{live}\($0)")) })
    #expect(try replies.allSatisfy { try $0.text() == String(rounds) })
  }
}
