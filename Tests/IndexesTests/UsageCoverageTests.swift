import Primitives
import Testing

@testable import Indexes

/// For which time usage is known, and what an audit makes of it.
@Suite struct UsageCoverageTests {
  private static let day = ServerModel.day

  private func coverage(_ ledger: UsageLedger, _ model: ServerModel) -> UsageCoverage {
    UsageCoverage(ledger.servers.values, until: ServerModel.time(model.now))
  }

  /// Days before the end.
  private func days(_ coverage: UsageCoverage) -> Double {
    Double(coverage.length.components.seconds) / Double(Self.day)
  }

  @Test func shortGapsAreBorneAndLongOnesBeginAnew() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.reset()
    model.snapshot(&ledger)
    model.wait(40 * Self.day)
    model.snapshot(&ledger)
    model.wait(3600)
    model.crash()
    model.snapshot(&ledger)
    let short = coverage(ledger, model)
    #expect(days(short) > 40)
    #expect(short.lost == .seconds(3600))
    #expect(short.gaps.map(\.gap.cause) == [.crash])
    // Nobody took a snapshot for a week.
    model.wait(7 * Self.day)
    model.crash()
    model.wait(60)
    model.snapshot(&ledger)
    let long = coverage(ledger, model)
    #expect(long.length == .seconds(60))
    #expect(long.lost == .zero)
    // In time the week is a small part of the whole again.
    model.wait(100 * Self.day)
    model.snapshot(&ledger)
    let late = coverage(ledger, model)
    #expect(days(late) > 140)
    #expect(late.lost == .seconds(7 * Self.day + 3600))
  }

  @Test func aNewReplicaBeginsWithItsOwnCounters() {
    var (model, ledger) = (ServerModel(servers: 2), UsageLedger())
    model.wait(40 * Self.day)
    model.snapshot(&ledger, of: [0])
    model.wait(Self.day)
    model.reset(1)
    model.wait(Self.day)
    model.snapshot(&ledger)
    #expect(coverage(ledger, model).length == .seconds(Self.day))
  }

  @Test func overlappingGapsCountOnce() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.snapshot(&ledger)
    let start = model.now
    func gap(_ from: Int64, _ to: Int64) -> UsageGap {
      UsageGap(from: ServerModel.time(start + from), to: ServerModel.time(start + to), cause: .reset)
    }
    let id = ledger.servers.keys.first ?? 0
    ledger.servers[id]?.gaps = [gap(10, 30), gap(20, 40), gap(25, 28), gap(50, 60)]
    let lost = ledger.servers[id]?.lost(from: ServerModel.time(start), to: ServerModel.time(start + 55))
    #expect(lost == .seconds(35))
  }

  // MARK: Audits

  private struct Shop {
    var draft = Draft()
    var model = ServerModel(servers: 2)
    var ledger = UsageLedger()

    init() {
      draft.table()
      draft.index("idle", "a") { $0.madeAt = nil }
      model.oids = draft.indexes.map(\.oid)
      model.now = Draft.now.microseconds / 1_000_000 - 60 * ServerModel.day
      for place in model.servers.indices {
        model.servers[place].sharedResetAt = model.now - 1000 - Int64(place)
      }
    }

    mutating func snapshot(_ heard: [Int]? = nil) {
      let identities = draft.catalog.identities
      _ = ledger.advance((heard ?? [0, 1]).map(model.observe), identities: identities)
    }

    /// As it would be now.
    mutating func audit(_ answers: ((ServerModel) -> [Cluster.Answer])? = nil) -> IndexAuditReport {
      model.now = Draft.now.microseconds / 1_000_000
      let replicas = answers?(model) ?? [.observation(model.observe(1))]
      let cluster = Cluster(primary: model.observe(0), replicas: replicas)
      let usage = ClusterUsage(cluster: cluster, ledger: ledger, catalog: draft.catalog)
      return Audit(draft.catalog, usage: usage).report()
    }

    static func lines(_ report: IndexAuditReport) -> [String] {
      report.findings.map { "\($0.verdict) \($0.reasons.map(\.code).joined(separator: " "))" }
    }
  }

  @Test func whatNoServerHasReadForLongGoesAlsoAfterAReset() {
    var shop = Shop()
    shop.snapshot()
    let unbroken = Shop.lines(shop.audit())
    #expect(unbroken == ["drop never_read"])
    shop = Shop()
    shop.snapshot()
    shop.model.wait(58 * ServerModel.day)
    shop.snapshot()
    shop.model.wait(1800)
    shop.model.reset(0)
    let report = shop.audit()
    #expect(Shop.lines(report) == ["drop never_read usage_lost"])
    let sentences = report.findings.flatMap { $0.reasons.map(\.sentence) }
    #expect(sentences.first?.hasPrefix("no query has read it on any of 2 servers since ") == true)
    #expect(
      sentences.last?.hasPrefix("at most 31 minutes of that are not known: db0 (reset) before ") == true)
    #expect(report.trust.isTrusted)
  }

  /// When an index was last read before anybody remembered it is not known, unless the server says so.
  @Test func nobodyKnowsWhenAnUnrememberedIndexWasLastRead() throws {
    var shop = Shop()
    shop.model.scan()
    let cluster = Cluster(primary: shop.model.observe(0), replicas: [.observation(shop.model.observe(1))])
    let fresh = ClusterUsage(cluster: cluster, ledger: nil, catalog: shop.draft.catalog)
    let history = try #require(fresh.histories[shop.model.oids[0]])
    #expect(history.scans > 0 && history.lastUsed == nil)
    #expect(history.servers.map(\.lastUsed) == [nil])
    shop.model.tellsLastScan = true
    let telling = Cluster(primary: shop.model.observe(0), replicas: [.observation(shop.model.observe(1))])
    let told = ClusterUsage(cluster: telling, ledger: nil, catalog: shop.draft.catalog)
    let scanned = ServerModel.time(shop.model.now)
    #expect(told.histories[shop.model.oids[0]]?.lastUsed == scanned)
    #expect(told.histories[shop.model.oids[0]]?.servers.map(\.lastUsed) == [scanned])
    // The ledger's own moment counts once it knows the index.
    shop.snapshot()
    let known = ClusterUsage(cluster: cluster, ledger: shop.ledger, catalog: shop.draft.catalog)
    #expect(known.histories[shop.model.oids[0]]?.lastUsed != nil)
    #expect(known.histories[shop.model.oids[0]]?.servers.map { $0.lastUsed != nil } == [true])
  }

  @Test func whatAStandbyReadsStays() {
    var shop = Shop()
    shop.snapshot()
    shop.model.wait(59 * ServerModel.day)
    shop.model.scan(on: 1)
    #expect(Shop.lines(shop.audit()) == [])
    let evidence = shop.audit().usage?.histories.values.flatMap(\.servers)
    #expect(evidence?.map(\.name) == ["db1"])
  }

  @Test func aStandbyThatIsNotHeardMakesItAReview() {
    var shop = Shop()
    shop.snapshot()
    let away = shop.audit { _ in [.failure(name: "db1", reason: "away")] }
    #expect(Shop.lines(away) == ["review never_read replica_unheard"])
    #expect(away.trust.unheard.map(\.name) == ["db1"])
  }

  @Test func whatWasReadLongAgoIsReviewed() {
    var shop = Shop()
    shop.snapshot()
    shop.model.wait(3600)
    shop.model.scan(times: 1_000_000)
    shop.snapshot()
    shop.model.wait(3600)
    // The count is gone; that it was read is known.
    shop.model.reset(0)
    shop.snapshot()
    #expect(Shop.lines(shop.audit()) == ["review read_long_ago"])
  }

  @Test func whatIsNewOrUnknownIsReviewed() {
    var shop = Shop()
    // No snapshot has seen it.
    #expect(Shop.lines(shop.audit()) == ["review never_read index_age_unknown"])
    shop.model.now = Draft.now.microseconds / 1_000_000 - 20 * ServerModel.day
    shop.snapshot()
    #expect(Shop.lines(shop.audit()) == ["review never_read index_young"])
    shop = Shop()
    shop.snapshot()
    shop.model.wait(3 * ServerModel.day)
    shop.draft.indexes[0] = renumbered(shop.draft.indexes[0])
    shop.model.oids = shop.draft.indexes.map(\.oid)
    shop.snapshot()
    // Three of sixty days: as much as is borne, and no more.
    #expect(Shop.lines(shop.audit()) == ["review never_read index_history_lost"])
  }

  /// As REINDEX CONCURRENTLY leaves it.
  private func renumbered(_ index: Index) -> Index {
    var other = Index(oid: index.oid + 500, table: index.table, name: index.name, keys: index.keys)
    other.definition = index.definition
    return other
  }
}
