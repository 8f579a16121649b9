import Postgres
import Primitives
import TestSupport
import Testing

@testable import Indexes

@Suite(.timeLimit(.minutes(3))) struct BloatRuleTests {
  private static let megabyte: Int64 = 1 << 20

  /// A btree on one integer with a million entries, which takes 21.4 MB built anew.
  private func draft(
    _ megabytes: Int64, rows: Int64? = 1_000_000, _ change: (inout Index) -> Void = { _ in }
  ) -> Draft {
    var draft = Draft()
    draft.table { $0.rows = rows }
    draft.index("i", "a") {
      $0.sizeBytes = megabytes * Self.megabyte
      $0.tuples = 1_000_000
      $0.usage.scans = 1
      $0.layout = BtreeLayout(
        attributes: [
          BtreeLayout.Attribute(
            length: 4, alignment: 4, statistics: ColumnStatistics(distinct: -1, width: 4, nullShare: 0))
        ], keyCount: 1, isEqualImage: true)
      change(&$0)
    }
    return draft
  }

  private func findings(
    _ megabytes: Int64, rows: Int64? = 1_000_000, _ change: (inout Index) -> Void = { _ in }
  ) -> [String] {
    draft(megabytes, rows: rows, change).findings(.bloated)
  }

  @Test func twiceTheSizeAndTenMegabytesAreBloat() {
    #expect(findings(22) == [])
    #expect(findings(42) == [])
    #expect(findings(44) == ["rebuild i: bloat_estimated"])
    // The ratio alone is not enough.
    #expect(findings(8) { $0.tuples = 1000 } == [])
    #expect(findings(11) { $0.tuples = 1000 } == ["rebuild i: bloat_estimated"])
    #expect(findings(44) { $0.isValid = false } == [])
    #expect(findings(44) { $0.isPartitioned = true } == [])
  }

  @Test func aLowFillFactorIsNoBloat() {
    #expect(findings(44) { $0.storage = ["fillfactor=45"] } == ["keep i: fill_factor"])
    #expect(findings(120) { $0.storage = ["fillfactor=45"] } == ["rebuild i: bloat_estimated"])
    // Nonsense is not read as a number.
    #expect(findings(44) { $0.storage = ["fillfactor=nan"] } == ["rebuild i: bloat_estimated"])
  }

  @Test func saysWhatItDoesNotKnow() {
    #expect(findings(44, rows: nil) == ["keep i: bloat_unknown"])
    #expect(findings(44) { $0.tuples = nil } == ["keep i: bloat_unknown"])
    #expect(findings(44) { $0.layout = nil } == ["keep i: bloat_unknown"])
    #expect(findings(44) { $0.method = "gin" } == ["keep i: bloat_unknown"])
    #expect(findings(44) { $0.layout?.attributes[0].statistics = nil } == ["keep i: bloat_unknown"])
    // Of a unique one the values of a fixed width need no statistics.
    let unique = findings(44) {
      $0.isUnique = true
      $0.layout?.attributes[0].statistics = nil
    }
    #expect(unique == ["rebuild i: bloat_estimated"])
    let wide = findings(44) {
      $0.layout?.attributes[0].length = -1
      $0.layout?.attributes[0].statistics = nil
    }
    #expect(wide == ["keep i: bloat_unknown"])
  }

  /// ANALYZE takes a number of values for too small: what is bloat by its guess only is for a person.
  @Test func aDoubtAboutTheNumberOfValuesIsAReview() {
    func repeated(_ megabytes: Int64, values: Double) -> [String] {
      findings(megabytes) { $0.layout?.attributes[0].statistics?.distinct = values }
    }
    #expect(repeated(15, values: 100) == [])
    #expect(repeated(30, values: 100) == ["rebuild i: bloat_estimated"])
    #expect(repeated(30, values: 60_000) == ["review i: bloat_uncertain"])
    #expect(repeated(45, values: 60_000) == ["rebuild i: bloat_estimated"])
    let finding = draft(30) { $0.layout?.attributes[0].statistics?.distinct = 60_000 }.report.findings
      .first { $0.kind == .bloated }
    #expect(finding?.ddl == "REINDEX INDEX CONCURRENTLY public.i;")
    #expect(finding?.undoDDL == nil)
  }

  /// Rows that came after the last ANALYZE have entries, too.
  @Test func entriesThatWereNotCountedYetAreNoBloat() {
    var grown = draft(44)
    grown.tables[0].counters.liveRows = 2_000_000
    #expect(grown.findings(.bloated) == ["review i: bloat_uncertain"])
    grown.tables[0].counters.liveRows = 900_000
    #expect(grown.findings(.bloated) == ["rebuild i: bloat_estimated"])
  }

  @Test func theOwnHistoryProvesBloatOfAnyMethod() {
    let gin = findings(44) {
      $0.method = "gin"
      $0.layout = nil
      $0.bestBytesPerTuple = 20
    }
    #expect(gin == ["rebuild i: bloat_by_history"])
    // One that was never smaller says nothing; the estimate goes on.
    #expect(findings(44) { $0.bestBytesPerTuple = 46 } == ["rebuild i: bloat_estimated"])
    #expect(findings(30) { $0.bestBytesPerTuple = 10 } == ["rebuild i: bloat_by_history"])
    #expect(findings(30) { $0.bestBytesPerTuple = .nan } == [])
  }

  @Test func leavesThatWereReadDecide() {
    func measured(_ density: Double) -> [String] {
      let draft = draft(44)
      let leaves = LeafDensity(sizeBytes: 44 << 20, leafPages: 5600, internalPages: 20, density: density)
      return Audit(draft.catalog, measured: [1000: leaves]).report().findings.filter { $0.kind == .bloated }
        .map { "\($0.verdict) \($0.reasons.map(\.code))" }
    }
    #expect(measured(0.9) == ["keep [\"dense\"]"])
    #expect(measured(0.68) == ["keep [\"dense\"]"])
    #expect(measured(0.3) == ["rebuild [\"bloat_measured\"]"])
    #expect(measured(0) == ["rebuild [\"bloat_measured\"]"])
    #expect(measured(.nan) == ["rebuild [\"bloat_measured\"]"])
  }

  /// PostgreSQL does not rebuild an exclusion constraint's index concurrently.
  @Test func anExclusionConstraintIsForAPerson() throws {
    var draft = draft(44)
    draft.indexes[0].constraint = IndexConstraint(name: "c", kind: .exclusion)
    let finding = try #require(draft.report.findings.first { $0.kind == .bloated })
    #expect(finding.verdict == .review)
    #expect(finding.ddl == "REINDEX INDEX public.i;")
  }

  /// Laws of the estimate, over layouts made by chance: the low bound is never above the high one, more entries never take less
  /// room, a lower fill factor never takes less, merging never takes more.
  @Test(arguments: seeds(fresh: 3)) func theEstimateObeysItsLaws(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let attributes = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let length: Int16 = [1, 2, 4, 8, 16, -1, -2].randomElement(using: &random) ?? 4
        return BtreeLayout.Attribute(
          length: length, alignment: [1, 2, 4, 8].randomElement(using: &random) ?? 1,
          statistics: ColumnStatistics(
            distinct: Bool.random(using: &random)
              ? .random(in: -1...0, using: &random) : .random(in: 1...1e6, using: &random),
            width: .random(in: 1...300, using: &random), nullShare: .random(in: 0...1, using: &random)))
      }
      let layout = BtreeLayout(
        attributes: attributes, keyCount: Int.random(in: 1...attributes.count, using: &random),
        isEqualImage: true)
      var estimate = BtreeEstimate(
        layout: layout, entries: .random(in: 0...1e8, using: &random), rows: 1e8,
        fillFactor: .random(in: 10...100, using: &random), deduplicates: .random(using: &random),
        isPartial: .random(using: &random))
      guard let bounds = estimate.bytes() else {
        Issue.record("nothing known of \(estimate)")
        continue
      }
      #expect(bounds.low >= 8192 && bounds.low <= bounds.high, "\(estimate)")
      var lower = estimate
      lower.fillFactor = max(10, estimate.fillFactor - 20)
      #expect((lower.bytes()?.low ?? 0) >= bounds.low, "\(estimate)")
      var single = estimate
      single.deduplicates = false
      #expect((single.bytes()?.high ?? 0) * 1.1 + 65_536 >= bounds.high, "\(estimate)")
      estimate.entries *= 1.5
      #expect((estimate.bytes()?.low ?? 0) >= bounds.low, "\(estimate)")
    }
  }
}

/// The same on a server.
@Suite(.timeLimit(.minutes(3))) struct LeafReaderTests {
  private func fill(_ database: TestDatabase) async throws {
    try await database.sql(
      """
      create table t (id int, name text) with (autovacuum_enabled = off);
      insert into t select n, 'user ' || n from generate_series(1, 100000) n;
      create index t_dense on t (id);
      create index t_name on t (name);
      delete from t where id % 10 <> 0;
      """)
    try await database.sql("vacuum analyze t")
    try await database.sql("reindex index t_dense")
  }

  @Test func readsWhatLooksBloated() async throws {
    try await withDatabase { database in
      try await fill(database)
      try await database.sql(
        "create schema \"Exten sions\"; create extension pgstattuple schema \"Exten sions\"")
      let role = "reader_\(database.name)"
      try await database.sql(
        "create role \(role) login; grant pg_monitor to \(role); grant usage on schema \"Exten sions\" to \(role)"
      )
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      var thresholds = Thresholds()
      thresholds.bloatWasteBytes = 500_000
      let (chosen, limited) = (thresholds, thresholds)
      let connection = try await Connection.connect(to: ConnectionString(url))
      let result = try await connection.withSession { session in
        let catalog = try CatalogReader(session).read(bloatBytes: 100_000)
        let read = try LeafReader(session).read(
          catalog, thresholds: chosen, bytesMax: .max, timeout: .seconds(30))
        let none = try LeafReader(session).read(
          catalog, thresholds: limited, bytesMax: 1000, timeout: .seconds(30))
        let findings = Audit(catalog, thresholds: chosen, measured: read.found).report().findings
          .filter { $0.kind == .bloated }.map { "\($0.verdict) \($0.index ?? "") \($0.reasons.map(\.code))" }
        return (read.found.count, read.leftOut.count, none.leftOut.map(\.description), findings)
      }
      await connection.close()
      // This role may not see the columns' statistics, so that only reading tells; the dense one is too small to be read.
      #expect(result.0 == 1 && result.1 == 0, "\(result)")
      #expect(result.2 == ["public.t_name"])
      #expect(result.3 == ["rebuild t_name [\"bloat_measured\"]"])
      try await database.sql("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func saysThatTheExtensionIsMissing() async throws {
    try await withDatabase { database in
      let connection = try await Connection.connect(to: ConnectionString(database.url))
      let code = try await connection.withSession { session in
        do {
          _ = try LeafReader(session)
          return ""
        } catch let failure as SimpleFailure {
          return "\(failure.code) \(failure.kind)"
        }
      }
      await connection.close()
      #expect(code == "pgstattuple_missing configuration")
    }
  }
}
