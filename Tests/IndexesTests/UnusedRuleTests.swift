import Primitives
import Testing

@testable import Indexes

@Suite struct UnusedRuleTests {
  @Test func oneThatNobodyReadsGoes() {
    var draft = Draft()
    draft.table()
    draft.index("idle", "a")
    draft.index("busy", "b") { $0.usage.scans = 1 }
    #expect(draft.findings == ["drop idle: never_read"])
    let finding = draft.report.findings.first
    #expect(finding?.ddl == "DROP INDEX CONCURRENTLY public.idle;")
    #expect(finding?.undoDDL == "CREATE INDEX CONCURRENTLY idle ON public.t USING btree (a);")
  }

  @Test func whatEnforcesSomethingStays() {
    var draft = Draft()
    draft.table()
    draft.index("primary", "a") {
      $0.isUnique = true
      $0.constraint = IndexConstraint(name: "primary", kind: .primaryKey)
    }
    draft.index("deferred", "b") {
      $0.isUnique = true
      $0.isImmediate = false
      $0.constraint = IndexConstraint(name: "deferred", kind: .unique, isDeferrable: true)
    }
    draft.index("exclusion", "c") { $0.constraint = IndexConstraint(name: "exclusion", kind: .exclusion) }
    draft.index("unique", "d") { $0.isUnique = true }
    draft.index("referenced", "a b") {
      $0.isUnique = true
      $0.isReferenced = true
    }
    draft.index("identity", "b a") {
      $0.isUnique = true
      $0.isReplicaIdentity = true
    }
    draft.index("clustered", "c a") { $0.isClustered = true }
    #expect(
      Set(draft.findings(.unused)) == [
        "keep primary: never_read primary_key", "keep deferred: never_read unique_constraint",
        "keep exclusion: never_read exclusion_constraint", "keep unique: never_read enforces_uniqueness",
        "keep referenced: never_read enforces_uniqueness backs_foreign_key",
        "keep identity: never_read enforces_uniqueness replica_identity",
        "keep clustered: never_read clustered",
      ])
  }

  @Test func theOnlyOneForAForeignKeyStaysAndOfTwoOne() {
    var draft = Draft()
    let parent = draft.table("parent")
    draft.table()
    draft.foreignKey("a b", to: parent)
    draft.index("small", "b a c") { $0.sizeBytes = 10 }
    draft.index("large", "a b d") { $0.sizeBytes = 20 }
    draft.index("useless", "a c b") { $0.sizeBytes = 5 }
    #expect(
      draft.findings(.unused) == [
        "drop large: never_read", "drop useless: never_read", "keep small: never_read serves_foreign_key",
      ])
  }

  /// Two partitions with an index each, attached to nothing: nothing is missing, and neither may go.
  @Test func partitionsServeAForeignKeyEachForItself() {
    func draft(_ change: (inout Draft) -> Void) -> Draft {
      var draft = Draft()
      let parent = draft.table("parent") { $0.counters.updated = 1 }
      let root = draft.table("root") {
        $0.isPartitioned = true
        $0.partitionCount = 2
      }
      for name in ["one", "two"] {
        draft.table(name) {
          $0.parent = root
          $0.sizeBytes = 100 << 20
        }
      }
      draft.foreignKey("a", to: parent, on: root)
      change(&draft)
      return draft
    }
    let (one, two) = (UInt32(102), UInt32(103))
    let both = draft {
      $0.index("of_one", "a", on: one)
      $0.index("of_two", "a b", on: two)
    }
    #expect(
      Set(both.findings) == [
        "keep of_one: never_read serves_foreign_key", "keep of_two: never_read serves_foreign_key",
      ])
    let half = draft { $0.index("of_one", "a", on: one) }
    #expect(half.findings(.unused) == ["keep of_one: never_read serves_foreign_key"])
    #expect(half.findings(.missingForeignKeyIndex) == ["create root: foreign_key_unindexed"])
    // One that is locked is not known.
    let locked = draft {
      $0.index("of_one", "a", on: one)
      $0.index("of_two", "a", on: two)
      $0.tables[1].partitionCount = 3
      $0.tables[1].lockedPartitionCount = 1
    }
    #expect(
      locked.findings(.missingForeignKeyIndex) == ["review root: foreign_key_unindexed tree_incomplete"])
    #expect(locked.report.findings.first { $0.kind == .missingForeignKeyIndex }?.ddl == nil)
    // The columns of a partition may have other numbers.
    let moved = draft {
      $0.tables[2].columns = [4: Column(name: "a", quoted: "a"), 1: Column(name: "b", quoted: "b")]
      $0.index("of_one", "d", on: one)
      $0.index("of_two", "a", on: two)
    }
    #expect(moved.findings(.missingForeignKeyIndex) == [])
  }

  /// No index has both columns: the one that finds few rows by one of them is all that there is.
  @Test func halfAnIndexForAForeignKeyStaysUntilThereIsAWholeOne() {
    var draft = Draft()
    let parent = draft.table("parent") { $0.counters.updated = 1 }
    draft.table { $0.sizeBytes = 100 << 20 }
    draft.tables[1].columns[1]?.distinctValues = 5
    draft.foreignKey("a b", to: parent)
    draft.index("few", "a c")
    draft.index("many", "b c")
    draft.index("other", "c a")
    #expect(
      Set(draft.findings(.unused)) == [
        "drop few: never_read", "keep many: never_read serves_foreign_key", "drop other: never_read",
      ])
    let missing = draft.report.findings.first { $0.kind == .missingForeignKeyIndex }
    #expect(missing?.reasons.first?.sentence.contains("reads what many finds") == true, "\(missing as Any)")
    draft.index("whole", "b a")
    #expect(draft.findings(.unused).contains("drop many: never_read"))
  }

  @Test func statisticsOfAnExpressionStayOnce() {
    var draft = Draft()
    draft.table()
    draft.index("one", "lower(s)") { $0.sizeBytes = 2 }
    draft.index("other", "(a+b) c") { $0.sizeBytes = 1 }
    draft.index("both", "c lower(s)") { $0.sizeBytes = 3 }
    #expect(
      draft.findings(.unused) == [
        "drop both: never_read", "keep one: never_read expression_statistics",
        "keep other: never_read expression_statistics",
      ])
  }

  /// What gives no statistics, or coarser ones, cannot stand in for one that does.
  @Test func onlyStatisticsThatThePlannerReadsCount() {
    func findings(_ change: (inout Index) -> Void) -> [String] {
      var draft = Draft()
      draft.table()
      draft.index("own", "lower(s)")
      draft.index("twin", "c lower(s)") {
        $0.usage.scans = 1
        change(&$0)
      }
      return draft.findings(.unused)
    }
    let kept = ["keep own: never_read expression_statistics"]
    #expect(findings { _ in } == ["drop own: never_read"])
    #expect(findings { $0.isValid = false } == kept)
    #expect(findings { $0.predicate = "(a = 1)" } == kept)
    #expect(findings { $0.statisticsTargets = [2: 99] } == kept)
    #expect(findings { $0.statisticsTargets = [2: 100] } == ["drop own: never_read"])
    var partial = Draft()
    partial.table()
    partial.index("own", "lower(s)", where: "(a = 1)")
    #expect(partial.findings(.unused) == ["drop own: never_read"])
  }

  @Test func theSurvivorOfARedundantOneStays() {
    var draft = Draft()
    draft.table()
    draft.index("narrow", "a")
    draft.index("wide", "a b")
    #expect(
      Set(draft.findings) == [
        "drop narrow: covered_by", "drop narrow: never_read", "keep wide: never_read survivor",
      ])
  }

  @Test func whatDoesTheWorkOfAHalfDroppedOneStays() {
    func findings(_ change: (inout Index) -> Void) -> [String] {
      var draft = Draft()
      draft.table()
      draft.index("wide", "a b")
      draft.index("narrow", "a") {
        $0.isValid = false
        change(&$0)
      }
      return draft.findings(.unused)
    }
    let kept = ["keep wide: never_read survivor"]
    #expect(findings { _ in } == kept)
    let isAlmostGone = findings {
      $0.isReady = false
      $0.isLive = false
    }
    #expect(isAlmostGone == kept)
    // Its build failed before any query could use it.
    #expect(findings { $0.isReady = false } == ["drop wide: never_read"])
  }

  @Test func whatHasTakenOverFromAnIndexThatIsGoneIsReviewedForAWhile() {
    var draft = Draft()
    draft.table()
    draft.index("wide", "a b") {
      $0.history = IndexHistory(
        firstSeen: Draft.longAgo,
        relievedAt: Timestamp(microseconds: Draft.now.microseconds - 29 * 86_400_000_000))
    }
    #expect(draft.findings == ["review wide: never_read index_relieved"])
    draft.indexes[0].history?.relievedAt = Timestamp(
      microseconds: Draft.now.microseconds - 31 * 86_400_000_000)
    #expect(draft.findings == ["drop wide: never_read"])
  }

  @Test func whileAPartitionIsLockedItsTreeIsReviewed() {
    var draft = Draft()
    let root = draft.table("root") { $0.isPartitioned = true }
    let one = draft.table("one") { $0.parent = root }
    let narrow = draft.index("narrow", "a", on: root) {
      $0.isPartitioned = true
      $0.attachedCount = 1
    }
    let wide = draft.index("wide", "a b", on: root) {
      $0.isPartitioned = true
      $0.attachedCount = 1
    }
    for (name, keys, parent) in [("narrow_one", "a", narrow), ("wide_one", "a b", wide)] {
      draft.index(name, keys, on: one) { $0.parent = parent }
    }
    let seen = draft.findings.filter { $0.hasPrefix("drop") }
    #expect(Set(seen) == ["drop narrow: covered_by", "drop narrow: never_read"])
    for place in 0...1 { draft.indexes[place].attachedCount = 2 }
    let drops = draft.findings.filter { $0.hasPrefix("drop") }
    #expect(drops == [])
    let narrowed = draft.findings.filter { $0.hasPrefix("review narrow") }
    #expect(
      Set(narrowed) == [
        "review narrow: covered_by tree_incomplete", "review narrow: never_read tree_incomplete",
      ])
  }

  @Test func itsOwnIndexesAreNotItsBusiness() {
    var draft = Draft()
    draft.table()
    for (name, keys) in [("own", "a"), ("own_too", "a b")] {
      draft.index(name, keys)
      let last = draft.indexes.removeLast()
      var own = Index(
        oid: last.oid, table: last.table,
        name: RelationName(schema: "ironforge", name: name, quoted: "ironforge.\(name)"), keys: last.keys)
      own.madeAt = last.madeAt
      draft.indexes.append(own)
    }
    #expect(
      Set(draft.findings) == [
        "keep own: covered_by own", "keep own: never_read own", "keep own_too: never_read own",
      ])
  }

  /// What is unique in it is not known then, and an index on one column may be all that a foreign key needs.
  @Test func whileAParentIsLockedWhateverMayServeItsForeignKeyStays() {
    var draft = Draft()
    draft.table()
    draft.foreignKey("a b", to: 999)
    draft.index("one", "b c")
    draft.index("none", "c b")
    #expect(
      draft.findings == ["drop none: never_read", "keep one: never_read serves_foreign_key"])
  }

  @Test func partitionsCountTogetherAndNeverAlone() {
    var draft = Draft()
    let root = draft.table("root") { $0.isPartitioned = true }
    let one = draft.table("one") { $0.parent = root }
    let two = draft.table("two") { $0.parent = root }
    let used = draft.index("used", "a", on: root) { $0.isPartitioned = true }
    draft.index("used_one", "a", on: one) { $0.parent = used }
    draft.index("used_two", "a", on: two) {
      $0.parent = used
      $0.usage.scans = 3
    }
    let idle = draft.index("idle", "b", on: root) { $0.isPartitioned = true }
    draft.index("idle_one", "b", on: one) {
      $0.parent = idle
      $0.sizeBytes = 7
    }
    draft.index("idle_two", "b", on: two) {
      $0.parent = idle
      $0.sizeBytes = 8
    }
    #expect(draft.findings(.unused) == ["drop idle: never_read"])
    let finding = draft.report.findings.first
    #expect(finding?.sizeBytes == 15)
    #expect(finding?.ddl == "DROP INDEX public.idle;")
    let undo = finding?.undoDDL?.split(separator: "\n").map(String.init)
    #expect(
      undo == [
        "CREATE INDEX idle ON public.t USING btree (b);",
        "CREATE INDEX CONCURRENTLY idle_one ON public.t USING btree (b);",
        "ALTER INDEX public.idle ATTACH PARTITION public.idle_one;",
        "CREATE INDEX CONCURRENTLY idle_two ON public.t USING btree (b);",
        "ALTER INDEX public.idle ATTACH PARTITION public.idle_two;",
      ])
  }

  @Test func aReplicaIdentityOfOnePartitionKeepsTheWholeTree() {
    var draft = Draft()
    let root = draft.table("root") { $0.isPartitioned = true }
    let one = draft.table("one") { $0.parent = root }
    let idle = draft.index("idle", "a", on: root) { $0.isPartitioned = true }
    draft.index("idle_one", "a", on: one) {
      $0.parent = idle
      $0.isClustered = true
    }
    #expect(draft.findings(.unused) == ["keep idle: never_read clustered"])
  }

  @Test func whatIsNotKnownIsReviewed() {
    var draft = Draft()
    draft.table()
    draft.index("idle", "a")
    draft.indexes[0].madeAt = nil
    #expect(draft.findings == ["review idle: never_read index_age_unknown"])
    draft.indexes[0].madeAt = Timestamp(microseconds: Draft.now.microseconds - 86_400_000_000)
    #expect(draft.findings == ["review idle: never_read index_young"])
    draft.indexes[0].madeAt = Draft.longAgo
    // One dump.
    draft.tables[0].counters = TableCounters(sequentialScans: 1, lastAnalyze: Draft.longAgo)
    #expect(draft.findings == ["review idle: never_read table_idle"])
    draft.tables[0].counters.inserted = 1
    #expect(draft.findings == ["drop idle: never_read"])
    draft.tables[0].sizeBytes = (1 << 20) - 1
    #expect(draft.findings == ["review idle: never_read table_small"])
  }

  @Test func hardlyReadBesideManyWritesIsReviewed() {
    var draft = Draft()
    draft.table {
      $0.counters.inserted = 90_000
      $0.counters.updated = 20_000
      $0.counters.hotUpdated = 10_000
    }
    draft.index("hardly", "a") { $0.usage.scans = 999 }
    draft.index("enough", "b") { $0.usage.scans = 1001 }
    #expect(draft.findings(.unused) == ["review hardly: hardly_read"])
  }

  @Test func doubtsAboutTheStatisticsTurnEveryDropIntoAReview() {
    var draft = Draft()
    draft.table()
    draft.index("narrow", "a")
    draft.index("wide", "a b") { $0.usage.scans = 1 }
    #expect(draft.report.trust.isTrusted)
    #expect(draft.findings.allSatisfy { $0.hasPrefix("drop") })
    let doubts: [(String, (inout StatisticsFacts) -> Void)] = [
      ("statistics_unknown", { $0.since = nil }),
      (
        "statistics_young",
        { $0.since = Timestamp(microseconds: Draft.now.microseconds - 29 * 86_400_000_000) }
      ),
      ("statistics_off", { $0.isCounting = false }), ("statistics_of_standby", { $0.isStandby = true }),
      ("replica_unheard", { $0.standbys = ["standby"] }),
      ("standbys_unknown", { $0.seesAllStatistics = false }),
    ]
    for (code, change) in doubts {
      var doubtful = draft
      change(&doubtful.facts)
      #expect(
        Set(doubtful.findings) == ["review narrow: covered_by \(code)", "review narrow: never_read \(code)"])
    }
  }
}
