import Primitives
import Testing

@testable import Indexes

/// The rules about broken and missing indexes, and about tables.
@Suite struct RuleTests {
  // MARK: Invalid

  private func invalid(_ name: String = "i", _ change: (inout Index) -> Void) -> [String] {
    var draft = Draft()
    draft.table()
    draft.index(name, "a") {
      $0.isValid = false
      change(&$0)
    }
    return draft.findings
  }

  @Test func tellsWhatLeftAnInvalidIndexBehind() {
    #expect(invalid { $0.isInWork = true } == ["keep i: in_work"])
    #expect(invalid("i_ccnew") { _ in } == ["drop i_ccnew: reindex_leftover"])
    #expect(invalid("i_ccold12") { _ in } == ["drop i_ccold12: reindex_leftover"])
    #expect(invalid("i_ccoldest") { _ in } == ["review i_ccoldest: build_or_drop_interrupted"])
    #expect(invalid { _ in } == ["review i: build_or_drop_interrupted"])
    #expect(invalid { $0.isReady = false } == ["rebuild i: build_failed"])
    let halfDropped = invalid {
      $0.isReady = false
      $0.isLive = false
    }
    #expect(halfDropped == ["drop i: half_dropped"])
  }

  @Test func anInvalidTwinGoesUnlessItAloneIsUnique() {
    var draft = Draft()
    draft.table()
    draft.index("whole", "a b") { $0.usage.scans = 1 }
    draft.index("broken", "a") { $0.isValid = false }
    #expect(draft.findings == ["drop broken: covered_by"])
    draft.indexes[1].isUnique = true
    #expect(draft.findings == ["review broken: build_or_drop_interrupted"])
  }

  @Test func aPartitionedIndexWaitsForItsPartitions() {
    var draft = Draft()
    let root = draft.table("root") { $0.isPartitioned = true }
    let one = draft.table("one") { $0.parent = root }
    draft.table("two") { $0.parent = root }
    let parent = draft.index("parent", "a", on: root) {
      $0.isPartitioned = true
      $0.isValid = false
    }
    draft.index("child", "a", on: one) {
      $0.parent = parent
      $0.isValid = false
    }
    #expect(Set(draft.findings) == ["keep parent: on_only_parent", "rebuild child: partition_child"])
    let sentence = draft.report.findings.first { $0.index == "parent" }?.reasons.first?.sentence
    #expect(sentence?.hasSuffix("still to come: public.two") == true)
    let ddl = draft.report.findings.first { $0.index == "child" }?.ddl
    #expect(ddl == "REINDEX INDEX CONCURRENTLY public.child;")
  }

  @Test func withoutPgMonitorABuildCannotBeExcluded() {
    var draft = Draft()
    draft.facts.seesAllStatistics = false
    draft.table()
    draft.index("i_ccnew", "a") { $0.isValid = false }
    #expect(draft.findings == ["review i_ccnew: build_unknown"])
  }

  // MARK: Foreign keys

  /// A big, busy table that refers by (a, b).
  private func referring(_ columns: String = "a b") -> Draft {
    var draft = Draft()
    let parent = draft.table("parent")
    draft.table {
      $0.sizeBytes = 10 << 20
      $0.counters.inserted = 2000
    }
    draft.foreignKey(columns, to: parent)
    return draft
  }

  @Test(arguments: [
    ("a b", true), ("b a", true), ("b a c", true), ("-a b", true), ("a c b", false), ("a", false),
    ("c a b", false),
    ("a lower(b)", false),
  ])
  func leadingKeysServeInAnyOrder(_ keys: String, _ serves: Bool) {
    var draft = referring()
    draft.index("i", keys) { $0.usage.scans = 1 }
    #expect(draft.findings(.missingForeignKeyIndex).isEmpty == serves)
  }

  @Test func whatServesIsWholeAndLeavesOutNothingButNulls() {
    let changes: [(serves: Bool, change: (inout Index) -> Void)] = [
      (true, { _ in }), (false, { $0.isValid = false }), (false, { $0.method = "brin" }),
      (true, { $0.method = "hash" }), (true, { $0.predicate = "(a IS NOT NULL)" }),
      (false, { $0.predicate = "(b IS NOT NULL)" }), (false, { $0.predicate = "(a > 5)" }),
      (false, { $0.keys[0].collation = 950 }), (true, { $0.isUnique = true }),
    ]
    for (number, (serves, change)) in changes.enumerated() {
      var draft = referring("a")
      draft.index("i", "a") {
        $0.usage.scans = 1
        change(&$0)
      }
      #expect(draft.findings(.missingForeignKeyIndex).isEmpty == serves, "case \(number)")
    }
  }

  @Test func whatIsUniqueInTheParentIsEnough() {
    var draft = referring("a b")
    draft.index("child", "b c") { $0.usage.scans = 1 }
    draft.index("key", "a b", on: 100) { $0.isUnique = true }
    #expect(draft.findings(.missingForeignKeyIndex).count == 1)
    draft.index("id", "b", on: 100) { $0.isUnique = true }
    #expect(draft.findings(.missingForeignKeyIndex).isEmpty)
    draft.indexes[2].predicate = "(c = 1)"
    #expect(draft.findings(.missingForeignKeyIndex).count == 1)
  }

  @Test func onlyABigTableThatSomebodyChangesWantsOne() {
    let finding = "t: foreign_key_unindexed"
    var draft = referring()
    #expect(draft.findings == ["create \(finding)"])
    #expect(
      draft.report.findings.first?.ddl == "CREATE INDEX CONCURRENTLY t_a_b_idx ON public.t (a, b);")
    #expect(draft.report.findings.first?.undoDDL == "DROP INDEX CONCURRENTLY public.t_a_b_idx;")
    draft.tables[1].counters.inserted = 10
    #expect(draft.findings == ["keep \(finding) table_quiet"])
    draft.tables[0].counters.deleted = 1
    #expect(draft.findings == ["create \(finding)"])
    draft.tables[0].counters.deleted = 0
    draft.tables[0].sizeBytes = 11 << 20
    #expect(draft.findings == ["create \(finding)"])
    draft.tables[1].sizeBytes = 9 << 20
    #expect(draft.findings == ["keep \(finding) table_small"])
  }

  @Test func twoKeysOnTheSameColumnsWantOneIndex() {
    var draft = referring("a b")
    draft.foreignKey("b a", to: 100)
    #expect(draft.findings.count == 1)
  }

  @Test func aPartitionedTableGetsOneForEachPartition() {
    var draft = Draft()
    let parent = draft.table("parent") { $0.counters.updated = 1 }
    let root = draft.table("root") { $0.isPartitioned = true }
    draft.table("one \"") {
      $0.parent = root
      $0.sizeBytes = 10 << 20
    }
    draft.foreignKey("a", to: parent, on: root)
    let ddl = draft.report.findings.first?.ddl?.split(separator: "\n").map(String.init)
    #expect(
      ddl == [
        "CREATE INDEX root_a_idx ON ONLY public.root (a);",
        "CREATE INDEX CONCURRENTLY \"one \"\"_a_idx\" ON public.one \" (a);",
        "ALTER INDEX public.root_a_idx ATTACH PARTITION public.\"one \"\"_a_idx\";",
      ])
  }

  // MARK: Tables

  @Test func fewValuesUnlessTheRareOnesAreRead() {
    var draft = Draft()
    draft.table {
      $0.rows = 10_000
      $0.columns[1]?.isBoolean = true
      $0.columns[2]?.distinctValues = 3
      $0.columns[3]?.distinctValues = 11
    }
    draft.index("flag", "a") { $0.usage = IndexUsage(scans: 10, tuplesRead: 50_000) }
    draft.index("rare", "b") { $0.usage = IndexUsage(scans: 10, tuplesRead: 5000) }
    draft.index("many", "c") { $0.usage = IndexUsage(scans: 10, tuplesRead: 50_000) }
    draft.index("pair", "a b") { $0.usage.scans = 1 }
    draft.index("partial", "a", where: "(b = 1)") { $0.usage.scans = 1 }
    #expect(
      draft.findings(.lowSelectivity) == [
        "review flag: few_values partial_instead", "keep rare: few_values reads_rare_values",
      ])
    draft.tables[0].rows = 9999
    #expect(draft.findings(.lowSelectivity) == [])
  }

  @Test func sequentialScansOfBigTables() {
    var draft = Draft()
    draft.table {
      $0.rows = 50_000
      $0.counters.sequentialScans = 100
      $0.counters.sequentialRowsRead = 5_000_000
    }
    draft.index("i", "a") { $0.usage.scans = 1899 }
    #expect(draft.findings == ["review t: sequential_scans"])
    draft.indexes[0].usage.scans = 1900
    #expect(draft.findings == [])
    draft.indexes[0].usage.scans = 1
    draft.tables[0].counters.sequentialScans = 99
    #expect(draft.findings == [])
    // LIMIT ends a scan early.
    draft.tables[0].counters.sequentialScans = 1000
    #expect(draft.findings == [])
  }

  @Test func statisticsThatAutovacuumWouldHaveRefreshed() {
    var draft = Draft()
    draft.table {
      $0.rows = 1000
      $0.counters.modifiedSinceAnalyze = 151
    }
    #expect(draft.findings == ["analyze t: rows_changed"])
    #expect(draft.report.findings.first?.ddl == "ANALYZE public.t;")
    draft.tables[0].counters.modifiedSinceAnalyze = 150
    #expect(draft.findings == [])
  }

  @Test func aPartitionedTableIsNeverAnalysedByItself() {
    var draft = Draft()
    let root = draft.table("root") {
      $0.isPartitioned = true
      $0.rows = nil
      $0.counters.lastAnalyze = nil
    }
    draft.table("one") {
      $0.parent = root
      $0.rows = 10_000
    }
    #expect(draft.findings == ["analyze root: parent_never_analyzed"])
    draft.tables[0].rows = 10_000
    #expect(draft.findings == [])
  }

  @Test func indexesThatCostWritesMoreThanTheyGive() {
    var draft = Draft()
    draft.table { $0.counters.inserted = 10_000 }
    for (number, keys) in ["a", "b", "c", "d", "b a"].enumerated() {
      draft.index("i\(number)", keys) { $0.usage.scans = 1999 }
    }
    #expect(draft.findings(.overIndexed) == ["review t: writes_outnumber_scans"])
    draft.tables[0].counters.inserted = 9995
    #expect(draft.findings(.overIndexed) == [])
  }

  @Test func updatesThatLostHOT() {
    var draft = Draft()
    draft.table {
      $0.counters.updated = 10_000
      $0.counters.hotUpdated = 2000
    }
    draft.index("i", "a") { $0.usage.scans = 20_000 }
    #expect(draft.findings == ["review t: hot_lost"])
    draft.tables[0].counters.newPageUpdated = 1999
    #expect(draft.findings == [])
    draft.tables[0].counters.newPageUpdated = 2000
    #expect(draft.findings == ["review t: hot_lost_to_full_pages"])
  }

  // MARK: Findings

  @Test func anIdIsMadeOfNamesOnly() {
    var draft = Draft()
    draft.table()
    draft.index("idle", "a")
    let id = draft.report.findings.map(\.id)
    draft.indexes[0].sizeBytes = 1
    draft.indexes[0].madeAt = nil
    draft.tables[0].counters.inserted = 7
    #expect(draft.report.findings.map(\.id) == id)
    var other = Draft()
    other.table("other")
    other.table()
    other.index("filler", "b") { $0.usage.scans = 1 }
    other.index("idle", "a")
    #expect(other.report.findings.map(\.id) == id)
    // printf 'unused\0public\0t\0idle' | sha256sum
    #expect(id == ["e127383be923255c"])
  }

  @Test func aStatementRestoresAllThatTheDefinitionForgets() {
    var draft = Draft()
    draft.table()
    draft.index("idle", "a") {
      $0.definition =
        "CREATE INDEX idle ON public.t USING btree (lower(a)) WITH (fillfactor='50') WHERE (b > 0)"
      $0.predicate = "(b > 0)"
      $0.tablespace = "\"Fast disk\""
      $0.statisticsTargets = [1: 500]
      $0.comment = "it's \\ mine"
    }
    let statements = draft.report.findings.first?.undoDDL?.split(separator: "\n").map(String.init)
    #expect(
      statements == [
        "CREATE INDEX CONCURRENTLY idle ON public.t USING btree (lower(a)) WITH (fillfactor='50')"
          + " TABLESPACE \"Fast disk\" WHERE (b > 0);",
        "ALTER INDEX public.idle ALTER COLUMN 1 SET STATISTICS 500;",
        "COMMENT ON INDEX public.idle IS  E'it''s \\\\ mine';",
      ])
  }

  @Test func sentencesCountAsPeopleDo() {
    func doubts(_ seconds: Int64, unheard: [String]) -> [String] {
      var facts = StatisticsFacts(now: Draft.now)
      facts.since = Timestamp(microseconds: Draft.now.microseconds - seconds * 1_000_000)
      facts.standbys = unheard
      return StatisticsTrust(facts, nil, ageMin: .seconds(30 * 86_400)).doubts.map(\.sentence)
    }
    let one = doubts(86_400, unheard: ["east"])
    #expect(one.first == "usage is known for 1 day, less than 30")
    #expect(one.last?.hasPrefix("east was not heard and may use it") == true, "\(one)")
    let two = doubts(2 * 86_400, unheard: ["east", "west"])
    #expect(two.first == "usage is known for 2 days, less than 30")
    #expect(two.last?.hasPrefix("east and west were not heard and may use it") == true, "\(two)")
  }

  @Test func quotesByScalars() {
    // A combining mark makes one character of itself and the quote, to Swift.
    #expect(IndexDDL.inQuotes("a\"\u{301}b") == "\"a\"\"\u{301}b\"")
    #expect(IndexDDL.literal("a'\u{301}b") == "'a''\u{301}b'")
  }
}
