public import Primitives

/// Whether the usage counters prove that something is not used.
public struct StatisticsTrust: Sendable {
  /// Since when usage is known on every server that was heard; nil where nobody knows.
  public let since: Timestamp?
  /// For how long.
  public let age: Duration?
  /// Why they prove nothing; empty when they do.
  public let doubts: [Reason]
  /// Servers that may use an index, and were not heard.
  public let unheard: [Cluster.Unheard]

  public var isTrusted: Bool { doubts.isEmpty }

  init(_ facts: StatisticsFacts, _ usage: ClusterUsage?, ageMin: Duration) {
    since = usage == nil ? facts.since : usage?.coverage?.since
    age = since.map { facts.now - $0 }
    unheard =
      usage?.cluster.unheard
      ?? facts.standbys.map {
        Cluster.Unheard(name: $0, reason: "it was not asked", isConfigured: false, isForeign: false)
      }
    doubts = Self.doubts(facts, age, ageMin, unheard.map(\.name))
  }

  private static func doubts(
    _ facts: StatisticsFacts, _ age: Duration?, _ ageMin: Duration, _ unheard: [String]
  ) -> [Reason] {
    var doubts: [Reason] = []
    if !facts.isCounting {
      doubts.append(Reason("statistics_off", "track_counts is off: nothing is counted"))
    }
    if let age {
      if age < ageMin {
        let (days, daysMin) = (age.components.seconds / 86_400, ageMin.components.seconds / 86_400)
        doubts.append(
          Reason("statistics_young", "usage is known for \(counted(days, "day")), less than \(daysMin)"))
      }
    } else {
      doubts.append(Reason("statistics_unknown", "since when usage is counted is not known"))
    }
    if facts.isStandby {
      doubts.append(
        Reason(
          "statistics_of_standby",
          "this server is a standby; what the primary reads is not known here"))
    }
    if !unheard.isEmpty {
      doubts.append(
        Reason(
          "replica_unheard", listed(unheard, "was not heard and may use it", "were not heard and may use it"))
      )
    }
    if !facts.seesAllStatistics {
      doubts.append(
        Reason("standbys_unknown", "standbys cannot be seen without pg_read_all_stats, which pg_monitor has"))
    }
    return doubts
  }
}
