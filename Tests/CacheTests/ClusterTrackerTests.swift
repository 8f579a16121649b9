import Glibc
import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

/// L1 over a Redis Cluster.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ClusterTrackerTests {
  @Test func changesOnEveryMasterAreHeard() async throws {
    let servers = try RedisCluster.shared()
    // Others count the users of the shared cluster.
    let followed = try Followed(servers.endpoint(4), isCluster: true, prefixes: ["tracked:"])
    let cluster = try servers.cluster()
    let keys = (0..<30).map { "tracked:\($0)" }
    #expect(try Set(keys.map { try cluster.node(of: $0).id }).count == 3)
    for key in keys { try await followed.hold(key) }
    for key in keys {
      try cluster.execute("SET", .text(key), "new")
      try await followed.waitUntilGone(key, within: KeyTracker.boundMax)
    }
  }

  @Test func aMasterThatDiesStopsServingUntilItsReplicaIsFollowed() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(1)) { servers in
      let followed = try Followed(servers.endpoint(0), isCluster: true)
      let cluster = try servers.cluster(commandTimeout: .seconds(60))
      let victim = try #require(try servers.owner(of: cluster.slot(of: "user:1") ?? 0))
      try await followed.hold("user:1")
      servers.kill(victim)
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
      try await followed.hold("user:1")
      #expect(followed.tracker.trouble == nil)
      try cluster.execute(Command("SET", "user:1", "new"), isIdempotent: true)
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
      #expect(
        try cluster.node(of: "user:1").session.endpoint == servers.endpoint(servers.partner(of: victim)))
    }
  }

  @Test func aMasterThatGivesWayIsFollowedNoLonger() async throws {
    try await withRedisCluster(nodeTimeout: .seconds(2)) { servers in
      let followed = try Followed(servers.endpoint(0), isCluster: true)
      let cluster = try servers.cluster()
      let slot = try #require(cluster.slot(of: "user:1"))
      let master = try #require(try servers.owner(of: slot))
      try await followed.hold("user:1")
      try servers.session(servers.partner(of: master)).execute("CLUSTER", "FAILOVER")
      try servers.wait("the switch") {
        try servers.owner(of: slot, witness: master) == servers.partner(of: master)
      }
      try await followed.waitUntilGone("user:1")
      try await followed.hold("user:1")
      // The old master learns of this as a replica; killed, it can tell nobody.
      servers.kill(master)
      try cluster.execute(Command("SET", "user:1", "new"), isIdempotent: true)
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
    }
  }
}
