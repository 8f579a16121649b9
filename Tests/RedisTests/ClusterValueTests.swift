import TestSupport
import Testing

@testable import Redis

/// What a cluster's nodes say, as values.
@Suite struct ClusterValueTests {
  @Test func slotsAreThoseOfTheSpecification() {
    #expect(HashSlot.crc16("123456789".utf8) == 0x31C3)
    #expect(HashSlot.of("".utf8) == 0)
    // CLUSTER KEYSLOT of Redis 7.0.
    #expect(HashSlot.of("user:42".utf8) == 15880)
    #expect(HashSlot.of("fence:{user:42}".utf8) == HashSlot.of("user:42".utf8))
  }

  @Test func onlyTheFirstNonEmptyTagCounts() {
    let tagged = HashSlot.of("user1000".utf8)
    #expect(HashSlot.of("{user1000}.following".utf8) == tagged)
    #expect(HashSlot.of("a{user1000}{other}".utf8) == tagged)
    #expect(HashSlot.of("{user1000".utf8) != tagged)
    #expect(HashSlot.of("foo{}{bar}".utf8) == Int(HashSlot.crc16("foo{}{bar}".utf8)) % 16384)
    #expect(HashSlot.of("foo{{bar}}zap".utf8) == HashSlot.of("{bar".utf8))
  }

  private static let asked = Endpoint.Address.tcp(host: "10.0.0.1", port: 7000)

  private func node(_ host: String?, _ port: Int64, _ id: String) -> Reply {
    .array([
      host.map { .string(Array($0.utf8)) } ?? .null, .integer(port), .string(Array(id.utf8)), .array([]),
    ])
  }

  @Test func theTopologyIsThatOfTheRanges() throws {
    let reply = Reply.array([
      .array([.integer(0), .integer(99), node("", 7000, "a"), node("10.0.0.4", 7003, "d")]),
      .array([.integer(100), .integer(199), node("10.0.0.2", 7001, "b")]),
      .array([.integer(300), .integer(16383), node(nil, 7000, "a"), node("10.0.0.4", 7003, "d")]),
      .array([.integer(200), .integer(250), node("?", 7009, "z")]),
    ])
    let topology = try Topology(slots: reply, from: Self.asked)
    #expect(topology.agrees(with: topology) && !topology.agrees(with: Topology()))
    let masters = topology.masters
    #expect(masters.map(\.id) == ["a", "b"])
    #expect(topology.replicas == [.tcp(host: "10.0.0.4", port: 7003)])
    #expect(topology.owner(of: 99) == Self.asked)
    #expect(topology.owner(of: 100) == .tcp(host: "10.0.0.2", port: 7001))
    #expect(topology.owner(of: 16383) == Self.asked)
    #expect(topology.owner(of: 200) == nil)
    #expect(topology.owner(of: 299) == nil)
  }

  @Test(arguments: [
    Reply.integer(1),
    .array([.array([.integer(0), .integer(1)])]),
    .array([.array([.integer(-1), .integer(1), .array([.string([49]), .integer(1), .string([97])])])]),
    .array([.array([.integer(0), .integer(16384), .array([.string([49]), .integer(1), .string([97])])])]),
    .array([.array([.integer(2), .integer(1), .array([.string([49]), .integer(1), .string([97])])])]),
    .array([.array([.integer(0), .integer(1), .array([.string([49]), .integer(0), .string([97])])])]),
    .array([.array([.integer(0), .integer(1), .array([.string([49]), .integer(65536), .string([97])])])]),
    .array([.array([.integer(0), .integer(1), .array([.string([49]), .integer(1)])])]),
  ])
  func whatIsNoTopologyIsRefused(reply: Reply) {
    #expect(throws: RedisError.self) { try Topology(slots: reply, from: Self.asked) }
  }

  /// Whatever a node says is refused or understood, and understood slots have masters.
  @Test(arguments: seeds(fresh: 1)) func noReplyIsTooStrange(seed: UInt64) {
    var source = SeededGenerator(seed: seed)
    var understood = 0
    for _ in 0..<500 {
      let ranges = (0..<Int.random(in: 0...3, using: &source)).map { _ in range(&source) }
      guard let topology = try? Topology(slots: .array(ranges), from: Self.asked) else { continue }
      understood += 1
      let owners = stride(from: 0, to: HashSlot.count, by: 97).compactMap { topology.owner(of: $0) }
      let areMasters = owners.allSatisfy { owner in topology.masters.contains { $0.address == owner } }
      #expect(areMasters)
    }
    #expect(understood > 50)
  }

  private func range(_ source: inout some RandomNumberGenerator) -> Reply {
    let odd: [Reply] = [
      .null, .integer(-1), .integer(.max), .array([]), .status(""), .string([0xFF]), .string([0]),
      .error(ServerError(reply: "ERR")),
    ]
    func part(_ usual: Reply) -> Reply {
      Int.random(in: 0..<30, using: &source) == 0 ? odd.randomElement(using: &source) ?? usual : usual
    }
    let (first, last) = (
      Int64.random(in: 0...16383, using: &source), Int64.random(in: 0...16400, using: &source)
    )
    let nodes = (0..<Int.random(in: 0...3, using: &source)).map { _ in
      let id = UInt8.random(in: 97...100, using: &source)
      return part(.array([part(.string(Array("10.0.0.2".utf8))), part(.integer(7000)), part(.string([id]))]))
    }
    return part(.array([part(.integer(first)), part(.integer(last))] + nodes))
  }

  @Test func redirectionsNameTheNextNode() {
    func redirection(_ text: String) -> Redirection? {
      Redirection(.error(ServerError(reply: text)), from: Self.asked)
    }
    #expect(redirection("MOVED 3999 127.0.0.1:6381") == .moved(to: .tcp(host: "127.0.0.1", port: 6381)))
    #expect(redirection("ASK 3999 ::1:6381") == .ask(.tcp(host: "::1", port: 6381)))
    #expect(redirection("MOVED 3999 :6381") == .moved(to: .tcp(host: "10.0.0.1", port: 6381)))
    #expect(redirection("CLUSTERDOWN Hash slot not served") == .later(isTopologyStale: true))
    #expect(
      redirection("TRYAGAIN Multiple keys request during rehashing of slot") == .later(isTopologyStale: false)
    )
    for text in ["MOVED", "MOVED 1", "MOVED 1 host", "MOVED 1 host:0", "MOVED 1 host:99999", "WRONGTYPE x"] {
      #expect(redirection(text) == nil)
    }
    #expect(Redirection(.status("OK"), from: Self.asked) == nil)
  }

  @Test func commandsKnowTheirKey() {
    let script = Script("return 1")
    #expect(Command("GET", "k").routingKey == "k")
    #expect(Command("set", "k", "v").routingKey == "k")
    #expect(Command(script, keys: ["a", "b"], arguments: ["c"]).routingKey == "a")
    #expect(Command(script, arguments: ["c"]).routingKey == nil)
    for command: Command in [["PING"], ["SCAN", 0], ["info", "server"], ["MULTI"], []] {
      #expect(command.routingKey == nil)
    }
  }
}
