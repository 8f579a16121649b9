import Primitives
import Testing

@testable import Indexes

/// Which servers count, and who is missing.
@Suite struct HeardServersTests {
  private let model = ServerModel(servers: 3)

  private func cluster(_ answers: [Cluster.Answer], standbys: [StreamingStandby] = []) -> Cluster {
    var primary = model.observe(0)
    primary.standbys = standbys
    return Cluster(primary: primary, replicas: answers)
  }

  private func replica(
    _ place: Int = 1, _ change: (inout ServerObservation) -> Void = { _ in }
  ) -> Cluster.Answer {
    var server = model.observe(place)
    change(&server)
    return .observation(server)
  }

  @Test func eachServerCountsOnce() {
    let twice = cluster([
      replica(), replica { $0.name = "again" }, replica(2), replica(0) { $0.name = "self" },
    ])
    #expect(twice.heard.map(\.name) == ["db0", "db1", "db2"])
    #expect(twice.repeated.map(\.name) == ["again", "self"])
    #expect(twice.repeated.map(\.as) == ["db1", "db0"])
    #expect(twice.unheard == [])
  }

  @Test func whoIsNoReplicaIsNotHeard() {
    let foreign = cluster([
      replica { $0.systemIdentifier = 43 }, replica { $0.database = DatabaseIdentity(oid: 6, name: "other") },
      replica { $0.isStandby = false },
    ])
    #expect(foreign.heard.count == 1)
    #expect(foreign.unheard.count == 3)
    let (isForeign, isConfigured) = (
      foreign.unheard.allSatisfy(\.isForeign), foreign.unheard.allSatisfy(\.isConfigured)
    )
    #expect(isForeign && isConfigured)
    #expect(foreign.unheard.map { String($0.reason.prefix(25)) }.first == "it belongs to another clu")
  }

  @Test func aStandbyThatStreamsMustBeHeard() {
    let (a, b) = (StreamingStandby(name: "a", slot: nil), StreamingStandby(name: "b", slot: "b"))
    let walreceiver = StreamingStandby(name: "walreceiver", slot: nil)
    let both = cluster([replica { $0.receiver = a }, replica(2) { $0.receiver = b }], standbys: [a, b])
    #expect(both.unheard == [])
    let one = cluster([replica { $0.receiver = b }], standbys: [a, b])
    #expect(one.unheard.map(\.name) == ["a"])
    let sameName = cluster([replica { $0.receiver = walreceiver }], standbys: [walreceiver, walreceiver])
    #expect(sameName.unheard.map(\.name) == ["walreceiver"])
    // One that streams from a replica.
    let cascade = cluster(
      [
        replica {
          $0.receiver = a
          $0.standbys = [b]
        }
      ], standbys: [a])
    #expect(cascade.unheard.map(\.name) == ["b"])
    let known = cluster(
      [
        replica {
          $0.receiver = a
          $0.standbys = [b]
        }, replica(2) { $0.receiver = b },
      ], standbys: [a])
    #expect(known.unheard == [])
  }

  @Test func silenceHasAReason() {
    let away = cluster([.failure(name: "db1", reason: "no route to host")])
    #expect(
      away.unheard == [
        Cluster.Unheard(name: "db1", reason: "no route to host", isConfigured: true, isForeign: false)
      ])
  }

  /// As versions 15 to 18 print it; the last ones are not what they print.
  @Test(arguments: [
    (
      "user=a dbname=replication host=/x port=5432 fallback_application_name=walreceiver sslmode=prefer",
      "walreceiver"
    ),
    ("application_name=east fallback_application_name=walreceiver sslcertmode=allow", "east"),
    (
      "fallback_application_name=walreceiver application_name=my first standby sslmode=x ", "my first standby"
    ),
    ("application_name=last ", "last"), ("application_name= fallback_application_name=b", "b"),
    ("user=a password=******** host=b", nil), ("", nil), ("=", nil), ("application_name", nil),
    ("options=-c statement_timeout=5 application_name=a=b", "a=b"), ("application_name=ü  é x", "ü  é x"),
  ]) func aStandbyIsFoundByTheNameThatItGives(text: String, name: String?) {
    #expect(StreamingStandby.name(inReceiver: text) == name)
  }
}
