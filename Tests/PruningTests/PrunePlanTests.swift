import Primitives
import TestSupport
import Testing

@testable import Indexes
@testable import Pruning

@Suite struct PrunePlanTests {
  private static let now = Timestamp(microseconds: 1_790_000_000_000_000)
  private static let table = RelationName(schema: "public", name: "t", quoted: "public.t")

  private static func index(
    _ oid: UInt32, _ name: String, _ columns: [Int16], size: Int64 = 1,
    _ change: (inout Index) -> Void = { _ in }
  ) -> Index {
    var index = Index(
      oid: oid, table: 1, name: RelationName(schema: "public", name: name, quoted: "public.\(name)"),
      keys: columns.map { IndexKey(column: $0) })
    index.definition = "CREATE INDEX \(name) ON public.t USING btree (\(columns))"
    index.madeAt = Timestamp(microseconds: 0)
    index.sizeBytes = size
    change(&index)
    return index
  }

  private static func catalog(_ indexes: [Index], owner: String = "me", isOwned: Bool = true) -> Catalog {
    var table = Table(oid: 1, name: table)
    table.owner = owner
    table.isOwned = isOwned
    table.counters.inserted = 1
    table.sizeBytes = 2 << 20
    return Catalog(
      tables: [table], indexes: indexes,
      facts: StatisticsFacts(now: now, since: Timestamp(microseconds: 0)))
  }

  private static func candidates(
    _ catalog: Catalog, _ kinds: Set<Finding.Kind> = [.unused, .redundant, .duplicate]
  ) -> [PruneCandidate] {
    PruneCandidate.all(
      in: Audit(catalog).report(), catalog, kinds: kinds, tables: Set(catalog.tables.values.map(\.name)))
  }

  @Test func takesWhatAnAuditDropsTheLargestFirst() throws {
    let catalog = Self.catalog([
      Self.index(2, "narrow", [1], size: 5), Self.index(3, "wide", [1, 2], size: 9),
      Self.index(4, "alone", [3], size: 7), Self.index(5, "read", [4]) { $0.usage.scans = 5 },
      Self.index(6, "young", [5]) { $0.madeAt = Self.now },
      Self.index(7, "kept", [6]) { $0.isUnique = true },
    ])
    let found = Self.candidates(catalog)
    // One finding is about its redundancy, which proves more, and one about its counters.
    #expect(found.map(\.index.name.name) == ["alone", "narrow"])
    #expect(found.map { $0.findings.map(\.kind) } == [[.unused], [.redundant, .unused]])
    let narrow = try #require(found.last)
    #expect(narrow.isCovered && narrow.survivor == "wide" && narrow.relations == ["t"])
    #expect(narrow.ddl == "DROP INDEX CONCURRENTLY public.narrow;")
    #expect(Self.candidates(catalog, [.redundant]).map(\.index.name.name) == ["narrow"])
    #expect(Self.candidates(catalog, [.duplicate]).isEmpty)
    let elsewhere = PruneCandidate.all(
      in: Audit(catalog).report(), catalog, kinds: [.unused], tables: [])
    #expect(elsewhere.isEmpty)
  }

  @Test func aFewScansCountAsNoneWhereSomebodySaysSo() {
    let catalog = Self.catalog([Self.index(2, "rare", [1]) { $0.usage.scans = 3 }])
    var thresholds = Thresholds()
    let none = Audit(catalog, thresholds: thresholds).report().findings.filter { $0.verdict == .drop }
    #expect(none.isEmpty)
    thresholds.scansUnused = 3
    let some = Audit(catalog, thresholds: thresholds).report().findings.filter { $0.verdict == .drop }
    #expect(some.flatMap(\.reasons).map(\.code) == ["rarely_read"])
  }

  /// An audit that doubts its counters drops nothing, and nor does a prune.
  @Test func takesNothingThatIsToBeReviewed() {
    var facts = StatisticsFacts(now: Self.now, since: Self.now)
    facts.isCounting = true
    let doubted = Catalog(
      tables: [Table(oid: 1, name: Self.table)],
      indexes: [Self.index(2, "a", [1]), Self.index(3, "b", [1, 2])], facts: facts)
    #expect(Self.candidates(doubted).isEmpty)
    let report = Audit(doubted).report()
    #expect(report.findings.contains { $0.verdict == .review })
  }

  @Test func holdsBackWhatHurtsOrIsNotProven() throws {
    let catalog = Self.catalog([
      Self.index(2, "covered", [1]), Self.index(3, "wide", [1, 2]), Self.index(4, "unused", [3]),
    ])
    let found = Self.candidates(catalog)
    let covered = try #require(found.first { $0.isCovered })
    let unused = try #require(found.first { !$0.isCovered })
    let worse = WhatIfProof(
      method: .catalogFlag,
      worse: [WorseStatement(id: "1", text: "select", calls: 1, costBefore: 1, costAfter: 9)])
    let good = WhatIfProof(method: .catalogFlag, statementsPlanned: 3)
    let none = WhatIfProof(gap: Reason("cannot_hide", "…"))
    var request = PruneRequest()
    func held(_ candidate: PruneCandidate, _ proof: WhatIfProof) -> HoldBack? {
      Pruner.heldBack(candidate, proof, request)
    }
    #expect(held(covered, good) == nil && held(unused, good) == nil)
    #expect(held(covered, worse) == .worse && held(unused, worse) == .worse)
    #expect(held(covered, none) == nil && held(unused, none) == .unproven)
    // A statement that may need it and has no plan counts against algebra too.
    let open = WhatIfProof(gap: Reason(WhatIfProof.statementUnexplained, "…"))
    #expect(held(covered, open) == .unproven && held(unused, open) == .unproven)
    request.acceptsUnproven = true
    #expect(held(covered, open) == nil && held(unused, open) == nil)
    #expect(held(unused, none) == nil && held(unused, worse) == .worse)
    request.acceptsWorse = true
    #expect(held(unused, worse) == nil)
    let partitioned = PruneCandidate.all(
      in: Audit(Self.catalog([Self.index(2, "p", [1]) { $0.isPartitioned = true }])).report(),
      Self.catalog([Self.index(2, "p", [1]) { $0.isPartitioned = true }]), kinds: [.unused],
      tables: [Self.table])
    #expect(partitioned.count == 1)
    #expect(partitioned.map { held($0, good) } == [.notConcurrent])
  }

  /// Nobody may drop what is another's, whatever he accepts; nor finish it.
  @Test func holdsBackWhatIsAnothers() throws {
    let indexes = [
      Self.index(2, "covered", [1]), Self.index(3, "wide", [1, 2]),
      Self.index(4, "half", [4]) { $0.isValid = false },
    ]
    var request = PruneRequest()
    request.acceptsWorse = true
    request.acceptsUnproven = true
    for isOwned in [true, false] {
      let catalog = Self.catalog(indexes, owner: "alice", isOwned: isOwned)
      let covered = try #require(Self.candidates(catalog).first)
      #expect(covered.owner == "alice")
      let held = Pruner.heldBack(covered, WhatIfProof(method: .catalogFlag), request)
      #expect(held == (isOwned ? nil : .notOwner))
      let noted = try UndoFile.Entry(
        catalog.restoration(of: #require(catalog.indexes[4])), kind: "unused", notedAt: "")
      let unfinished = Pruner.unfinished([noted], catalog, kinds: [.unused], tables: [Self.table])
      #expect(unfinished.map(\.heldBack) == [isOwned ? nil : .notOwner])
    }
  }

  @Test func finishesOnlyWhatItsFileTellsOf() {
    func half(_ oid: UInt32, _ name: String, _ change: (inout Index) -> Void = { _ in }) -> Index {
      Self.index(oid, name, [1]) {
        $0.isValid = false
        change(&$0)
      }
    }
    let catalog = Self.catalog([
      half(2, "mine"), half(3, "others"), Self.index(4, "whole", [1]),
      half(5, "changed") { $0.definition = "CREATE INDEX changed ON public.t USING hash (a)" },
    ])
    let noted = [2, 4, 5].compactMap { catalog.indexes[$0] }.map { index in
      var restoration = catalog.restoration(of: index)
      if index.oid == 5 { restoration.definition = "CREATE INDEX changed ON public.t USING btree (a)" }
      return UndoFile.Entry(restoration, kind: "unused", notedAt: "")
    }
    func found(
      _ entries: [UndoFile.Entry], _ kinds: Set<Finding.Kind> = [.unused],
      _ tables: Set<RelationName> = [Self.table]
    ) -> [String] {
      Pruner.unfinished(entries, catalog, kinds: kinds, tables: tables).map(\.restoration.index.name)
    }
    #expect(found(noted) == ["mine"])
    #expect(found([]).isEmpty)
    // What was not asked for stays as it is.
    #expect(found(noted, [.redundant]).isEmpty)
    #expect(found(noted, [.unused], []).isEmpty)
  }

  /// One scalar or two: to the server these are two indexes, to Swift's strings one.
  @Test func namesThatLookTheSameAreTwo() throws {
    let names = ["idx_\u{E9}", "idx_e\u{301}"]
    let catalog = Self.catalog([Self.index(2, names[0], [1]), Self.index(3, names[1], [3])])
    let found = Self.candidates(catalog)
    #expect(found.count == 2)
    #expect(found.map { $0.findings.count } == [1, 1])
    var file = UndoFile(system: "1", database: "d")
    #expect(file.add(found.map { UndoFile.Entry($0.restoration, kind: "unused", notedAt: "") }) == nil)
    #expect(file.entries.count == 2)
    let read = try UndoFile(parsing: file.bytes, name: "undo")
    #expect(Set(read.entries.map(\.restoration.index)).count == 2)
    let half = Self.catalog([Self.index(2, names[0], [1]) { $0.isValid = false }])
    let unfinished = Pruner.unfinished(
      Array(read.entries.reversed()), half, kinds: [.unused], tables: [Self.table])
    #expect(unfinished.map { Array($0.restoration.index.name.utf8) } == [Array(names[0].utf8)])
    #expect(found[0].index.name < found[1].index.name || found[1].index.name < found[0].index.name)
  }

  @Test func waitsLongerEachTimeWithABound() {
    let patience = Patience.dropping(lockTimeout: .seconds(5))
    let pauses = (1...5).map { patience.pause(before: $0) }
    #expect(pauses == [.zero, .seconds(1), .seconds(2), .seconds(4), .seconds(8)])
    #expect(patience.pause(before: 1_000_000) == .seconds(15))
  }
}
