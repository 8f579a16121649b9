internal import Primitives

/// All rules over one catalog.
public struct Audit {
  private let context: RuleContext
  private let replicasConfigured: Int

  /// - Parameter replicasConfigured: servers of `database.replicas`, whose usage is not known here.
  public init(_ catalog: Catalog, thresholds: Thresholds = Thresholds(), replicasConfigured: Int = 0) {
    context = RuleContext(catalog, thresholds)
    self.replicasConfigured = replicasConfigured
  }

  /// What the audit found, in the order in which one wants to read it.
  public func report() -> IndexAuditReport {
    let redundant = RedundantRule(context: context).apply()
    var findings = redundant.findings
    findings += UnusedRule(context: context, survivors: redundant.survivors).apply()
    findings += InvalidRule(context: context).apply()
    findings += ForeignKeyRule(context: context).apply()
    findings += SelectivityRule(context: context).apply()
    findings += SequentialScanRule(context: context).apply()
    findings += StaleStatisticsRule(context: context).apply()
    findings += WriteCostRule(context: context).apply()
    let trust = StatisticsTrust(
      context.catalog.facts, ageMin: context.thresholds.statisticsAge, replicasConfigured: replicasConfigured)
    return IndexAuditReport(
      facts: context.catalog.facts, trust: trust,
      findings: findings.map { doubted($0, trust) }.sorted(by: isBefore))
  }

  /// Without statistics that can be trusted nothing is dropped (SPEC section 4.1).
  private func doubted(_ finding: Finding, _ trust: StatisticsTrust) -> Finding {
    guard finding.verdict == .drop, !trust.isTrusted else { return finding }
    var finding = finding
    finding.verdict = .review
    finding.reasons += trust.doubts
    return finding
  }

  /// By verdict, as urgent as they are listed; the largest first.
  private func isBefore(_ a: Finding, _ b: Finding) -> Bool {
    let order = Finding.Verdict.allCases
    let (rankA, rankB) = (order.firstIndex(of: a.verdict) ?? 0, order.firstIndex(of: b.verdict) ?? 0)
    if rankA != rankB { return rankA < rankB }
    if a.sizeBytes != b.sizeBytes { return a.sizeBytes > b.sizeBytes }
    return (a.table, a.kind.rawValue, a.id) < (b.table, b.kind.rawValue, b.id)
  }
}

/// What an audit found and how far it can be believed.
public struct IndexAuditReport: Sendable {
  public let facts: StatisticsFacts
  public let trust: StatisticsTrust
  /// Those to keep too.
  public var findings: [Finding]
}

/// Whether the usage counters prove that something is not used.
public struct StatisticsTrust: Sendable {
  /// For how long they have been counted; nil where nobody knows.
  public let age: Duration?
  /// Why they prove nothing; empty when they do.
  public let doubts: [Reason]
  /// Servers that may use an index, and were not asked.
  public let replicasUnheard: [String]

  public var isTrusted: Bool { doubts.isEmpty }

  init(_ facts: StatisticsFacts, ageMin: Duration, replicasConfigured: Int) {
    age = facts.since.map { facts.now - $0 }
    replicasUnheard =
      facts.standbys + (0..<replicasConfigured).map { "database.replicas[\($0)]" }
    var doubts: [Reason] = []
    if !facts.isCounting {
      doubts.append(Reason("statistics_off", "track_counts is off: nothing is counted"))
    }
    if let age {
      if age < ageMin {
        let (days, daysMin) = (age.components.seconds / 86_400, ageMin.components.seconds / 86_400)
        doubts.append(
          Reason("statistics_young", "usage has been counted for \(days) days, less than \(daysMin)"))
      }
    } else {
      doubts.append(
        Reason(
          "statistics_unknown",
          "since when usage is counted is not known: stats_reset is NULL, as after a crash"))
    }
    if facts.isStandby {
      doubts.append(
        Reason("statistics_of_standby", "this server is a standby, which counts its own queries only"))
    }
    if !replicasUnheard.isEmpty {
      doubts.append(
        Reason(
          "replica_unheard",
          "\(replicasUnheard.joined(separator: ", ")) may use it, and was not asked"))
    }
    if !facts.seesAllStatistics {
      doubts.append(
        Reason("standbys_unknown", "standbys cannot be seen without pg_read_all_stats, which pg_monitor has"))
    }
    self.doubts = doubts
  }
}
