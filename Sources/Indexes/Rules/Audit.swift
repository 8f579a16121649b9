internal import Primitives

/// All rules over one catalog.
public struct Audit {
  private let context: RuleContext
  private let measured: [UInt32: LeafDensity]

  /// - Parameters:
  ///   - usage: what all servers of the cluster say; nil where only one was asked.
  ///   - measured: what `LeafReader` has read, by OID.
  public init(
    _ catalog: Catalog, thresholds: Thresholds = Thresholds(), usage: ClusterUsage? = nil,
    measured: [UInt32: LeafDensity] = [:]
  ) {
    self.measured = measured
    context = RuleContext(usage.map { catalog.with($0) } ?? catalog, thresholds, usage)
  }

  /// What the audit found, in the order in which one wants to read it.
  public func report() -> IndexAuditReport {
    let redundant = RedundantRule(context: context).apply()
    var findings = redundant.findings
    findings += UnusedRule(context: context, survivors: redundant.survivors).apply()
    findings += InvalidRule(context: context).apply()
    findings += BloatRule(context: context, measured: measured).apply()
    findings += ForeignKeyRule(context: context).apply()
    findings += SelectivityRule(context: context).apply()
    findings += SequentialScanRule(context: context).apply()
    findings += StaleStatisticsRule(context: context).apply()
    findings += WriteCostRule(context: context).apply()
    let trust = StatisticsTrust(
      context.catalog.facts, context.usage, ageMin: context.thresholds.statisticsAge)
    return IndexAuditReport(
      facts: context.catalog.facts, usage: context.usage, trust: trust,
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
  /// What all servers of the cluster say; nil where only one was asked.
  public let usage: ClusterUsage?
  public let trust: StatisticsTrust
  /// Those to keep too.
  public var findings: [Finding]
}
