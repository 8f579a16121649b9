import Primitives
import Testing

@testable import Indexes

@Suite struct UsageLedgerTests {
  private func gaps(_ ledger: UsageLedger) -> [String] {
    ledger.servers.values.sorted { $0.id < $1.id }.flatMap { server in
      server.gaps.map { gap in
        let times = [gap.from, gap.to].map { $0.microseconds / 1_000_000 - ServerModel.birth }
        return "\(server.name) \(gap.cause) \(times[0])-\(times[1])"
      }
    }
  }

  @Test func addsWhatCameSinceTheSnapshotBefore() throws {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.scan(times: 5)
    let first = model.snapshot(&ledger)
    // Counted before anybody looked: known, but of no day.
    #expect(first.deltas.isEmpty)
    #expect(model.known(in: ledger) == 5)
    model.wait(3600)
    model.scan(times: 2)
    let second = model.snapshot(&ledger)
    #expect(second.deltas.values.map(\.scans) == [2])
    #expect(second.deltas.values.map(\.tuplesRead) == [6])
    #expect(model.known(in: ledger) == 7)
    #expect(model.entry(in: ledger)?.usedAt == ServerModel.time(model.now))
    model.wait(3600)
    let third = model.snapshot(&ledger)
    #expect(third.deltas.isEmpty && third.countersWritten.isEmpty && third.indexesWritten.isEmpty)
    #expect(gaps(ledger) == [])
    let server = try #require(ledger.servers.values.first)
    #expect(server.coveredFrom == ServerModel.time(ServerModel.birth - 1000))
  }

  @Test func aResetLosesTheTimeBeforeItOnly() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.snapshot(&ledger)
    model.scan(times: 5)
    model.wait(3600)
    model.snapshot(&ledger)
    model.wait(600)
    model.scan(times: 9)
    model.reset()
    model.wait(600)
    model.scan(times: 2)
    model.wait(600)
    model.snapshot(&ledger)
    #expect(model.known(in: ledger) == 7)
    #expect(gaps(ledger) == ["db0 reset 3600-4200"])
  }

  /// After a reset a counter that stands where it stood may have come back there.
  @Test func aCounterThatCameBackToWhereItWasIsUsed() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.scan(times: 5)
    model.snapshot(&ledger)
    model.wait(10)
    model.reset()
    model.scan(times: 5)
    model.wait(10)
    model.snapshot(&ledger)
    #expect(model.known(in: ledger) == 5)
    #expect(model.entry(in: ledger)?.usedAt == ServerModel.time(model.now))
  }

  @Test func theResetOfOneIndexLeavesTheOthersTheirCounts() {
    var (model, ledger) = (ServerModel(indexes: 2), UsageLedger())
    model.scan(0, times: 5)
    model.scan(1, times: 5)
    model.snapshot(&ledger)
    model.wait(60)
    model.scan(1, times: 1)
    model.resetOne(0)
    model.wait(60)
    model.snapshot(&ledger)
    #expect(model.known(0, in: ledger) == 5)
    #expect(model.known(1, in: ledger) == 6)
  }

  @Test func aCrashIsKnownByTheNullThatItLeaves() {
    for isWhole in [true, false] {
      var (model, ledger) = (ServerModel(), UsageLedger())
      model.reset()
      model.wait(10)
      model.scan(times: 5)
      model.snapshot(&ledger)
      model.wait(50)
      model.crash(isWhole: isWhole)
      model.wait(10)
      // More than before: nothing went back.
      model.scan(times: 7)
      let change = model.snapshot(&ledger)
      #expect(model.known(in: ledger) == 12)
      #expect(gaps(ledger) == ["db0 crash 10-60"])
      #expect(change.serversLeft.isEmpty)
    }
  }

  @Test func aRestartKeepsEverything() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.scan(times: 5)
    model.snapshot(&ledger)
    model.wait(60)
    model.restart()
    model.scan(times: 1)
    model.snapshot(&ledger)
    #expect(model.known(in: ledger) == 6)
    #expect(gaps(ledger) == [])
  }

  @Test func aStandbyThatIsPromotedKeepsItsCounters() throws {
    var (model, ledger) = (ServerModel(servers: 2), UsageLedger())
    model.scan(on: 0, times: 100)
    model.scan(on: 1, times: 3)
    model.snapshot(&ledger)
    model.wait(60)
    // The address moves with the role.
    model.servers[1].isStandby = false
    model.servers[1].name = "db0"
    model.scan(on: 1, times: 1)
    let change = model.snapshot(&ledger, of: [1])
    #expect(model.known(in: ledger) == 104)
    #expect(change.heard.map(\.continuity) == [.unbroken])
    #expect(gaps(ledger) == ["db0 left 0-60"])
    let left = ledger.servers.values.filter { $0.leftAt != nil }
    #expect(left.count == 1)
    // The old primary comes back as a standby, and has counted all the time.
    model.wait(60)
    model.servers[0].isStandby = true
    model.servers[0].name = "db1"
    model.snapshot(&ledger, of: [1, 0])
    #expect(gaps(ledger) == [])
    #expect(ledger.servers.count == 2)
  }

  /// Behind one address another server answers, whose counters are older than the last look.
  @Test func anotherServerAtTheSameAddressIsNoCrash() {
    var (model, ledger) = (ServerModel(servers: 2), UsageLedger())
    model.servers[1].name = "db0"
    model.scan(on: 1, times: 3)
    model.snapshot(&ledger, of: [0])
    model.wait(60)
    let change = model.snapshot(&ledger, of: [1])
    #expect(change.heard.map(\.continuity) == [.new])
    #expect(ledger.servers.count == 2)
  }

  @Test func aServerThatIsAwayIsWaitedForAndOneThatHasGoneIsNot() {
    var (model, ledger) = (ServerModel(servers: 2), UsageLedger())
    model.snapshot(&ledger)
    model.wait(60)
    model.snapshot(&ledger, of: [0], unheard: ["db1"])
    #expect(ledger.servers.values.allSatisfy { $0.leftAt == nil })
    model.wait(60)
    model.snapshot(&ledger, of: [0])
    #expect(gaps(ledger) == ["db1 left 0-120"])
    model.wait(401 * ServerModel.day)
    let change = model.snapshot(&ledger, of: [0])
    #expect(change.serversRemoved.count == 1 && ledger.servers.count == 1)
  }

  @Test func knowsARenamedAndARebuiltIndexAgain() throws {
    var (model, ledger) = (ServerModel(indexes: 3), UsageLedger())
    model.scan(1, times: 5)
    model.snapshot(&ledger)
    model.wait(3600)
    model.names[0] = "other"
    model.rebuild(1)
    model.names[2] = "new"
    model.oids[2] = 30_000
    let change = model.snapshot(&ledger)
    #expect([change.renamed, change.rebuilt, change.created, change.indexesRemoved.count] == [1, 1, 1, 1])
    let firstSeen = [0, 1, 2].map { model.entry($0, in: ledger)?.firstSeen }
    let (old, new) = (ServerModel.time(ServerModel.birth), ServerModel.time(model.now))
    #expect(firstSeen == [old, old, new])
    #expect(model.known(1, in: ledger) == 5)
    #expect(model.entry(1, in: ledger)?.lostSeconds == 3601)
    #expect(model.entry(0, in: ledger)?.lostSeconds == 0)
  }

  /// Snapshots that come in the midst of REINDEX CONCURRENTLY: while it builds, and while it waits to drop the old one.
  @Test func whatIsRebuiltUnderOurEyesKeepsItsHistory() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.scan(times: 5)
    model.snapshot(&ledger)
    let (old, firstSeen) = (model.oids[0], ServerModel.time(model.now))
    func twin(_ oid: UInt32, _ name: String) -> IndexIdentity {
      var twin = model.identities[0]
      (twin.oid, twin.name) = (oid, name)
      return twin
    }
    model.wait(60)
    let building = [model.identities[0], twin(old + 1, "index0_ccnew")]
    let first = ledger.advance([model.observe(0)], identities: building, unfinished: [old + 1])
    #expect(first.created == 0 && ledger.indexes.count == 1)
    model.wait(60)
    model.rebuild()
    let dropping = [twin(old, "index0_ccold"), model.identities[0]]
    let second = ledger.advance([model.observe(0)], identities: dropping, unfinished: [old])
    #expect([second.created, second.rebuilt, second.indexesRemoved.count] == [0, 1, 0])
    model.wait(60)
    model.snapshot(&ledger)
    #expect(ledger.indexes.count == 1)
    #expect(model.entry(in: ledger)?.firstSeen == firstSeen)
    #expect(model.known(in: ledger) == 5)
  }

  /// Who makes an index anew after it was away for a snapshot had a reason.
  @Test func anIndexThatWasAwayIsNew() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.snapshot(&ledger)
    let identities = model.identities
    model.wait(60)
    _ = ledger.advance([model.observe(0)], identities: [])
    #expect(ledger.indexes.isEmpty)
    model.wait(60)
    _ = ledger.advance([model.observe(0)], identities: identities)
    #expect(model.entry(in: ledger)?.firstSeen == ServerModel.time(model.now))
  }

  /// Index 0 is covered by 1 alone; 2 is another one of its table.
  private func relieved(
    after pause: Int64 = 3600, isCovered: Bool = true, _ change: (inout ServerModel) -> Void = { _ in }
  ) -> [Int] {
    var (model, ledger) = (ServerModel(indexes: 3), UsageLedger())
    change(&model)
    var identities = model.identities
    if isCovered { identities[0].coveredBy = [Int64(model.oids[1])] }
    _ = ledger.advance([model.observe(0)], identities: identities)
    model.wait(pause)
    _ = ledger.advance([model.observe(0)], identities: Array(identities.dropFirst()))
    let now = ServerModel.time(model.now)
    // It stays where the index is not gone anew.
    model.wait(60)
    _ = ledger.advance([model.observe(0)], identities: Array(identities.dropFirst()))
    return [1, 2].filter { model.entry($0, in: ledger)?.relievedAt == now }
  }

  @Test func whatAnIndexDidThatIsGoneOthersDoFromNowOn() {
    #expect(relieved { $0.scan(0) } == [1])
    #expect(relieved(isCovered: false) { $0.scan(0) } == [1, 2])
    // Nobody had read it an hour ago; what was in the year since, nobody knows.
    #expect(relieved() == [])
    #expect(relieved(after: 365 * ServerModel.day) == [1])
    #expect(relieved(after: 365 * ServerModel.day, isCovered: false) == [])
  }

  /// The one that covers it was built anew at the same time; one that covers it and goes as well does nothing more.
  @Test func whoTakesOverIsKnownAfterARebuildAndMustBeThere() {
    var (model, ledger) = (ServerModel(indexes: 3), UsageLedger())
    model.scan(0)
    var identities = model.identities
    identities[0].coveredBy = [Int64(model.oids[1])]
    _ = ledger.advance([model.observe(0)], identities: identities)
    var again = ledger
    model.wait(60)
    model.rebuild(1)
    _ = ledger.advance([model.observe(0)], identities: Array(model.identities.dropFirst()))
    let rebuilt = [1, 2].map { model.entry($0, in: ledger)?.relievedAt }
    #expect(rebuilt == [ServerModel.time(model.now), nil])
    _ = again.advance([model.observe(0)], identities: Array(model.identities.suffix(1)))
    #expect(model.entry(2, in: again)?.relievedAt == ServerModel.time(model.now))
  }

  @Test func aLedgerTellsOfOneDatabase() {
    let model = ServerModel()
    var ledger = UsageLedger()
    let (own, copy) = (DatabaseIdentity(oid: 5, name: "shop"), DatabaseIdentity(oid: 6, name: "shop"))
    #expect(ledger.belongs(to: own) && ledger.belongs(to: copy))
    model.snapshot(&ledger)
    #expect(ledger.belongs(to: own) && !ledger.belongs(to: copy))
    // Of a version that did not say.
    ledger.servers[1]?.databaseOID = nil
    #expect(ledger.belongs(to: copy))
  }

  @Test func whatIsLockedIsNotGone() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    model.snapshot(&ledger)
    model.wait(60)
    model.scan(times: 2)
    let change = ledger.advance([model.observe(0)], identities: [], tablesLocked: ["public.t"])
    #expect(change.indexesRemoved.isEmpty)
    #expect(model.known(in: ledger) == 2)
  }

  @Test func theUseOfAPartitionIsItsRootsAndStays() {
    var (model, ledger) = (ServerModel(indexes: 2), UsageLedger())
    model.scan(1)
    let roots = [model.oids[1]: model.oids[0]]
    _ = ledger.advance([model.observe(0)], identities: model.identities, roots: roots)
    let usedAt = ServerModel.time(model.now)
    #expect(model.entry(0, in: ledger)?.usedAt == usedAt)
    model.wait(60)
    _ = ledger.advance([model.observe(0)], identities: Array(model.identities.prefix(1)))
    #expect(ledger.indexes.count == 1)
    #expect(model.entry(0, in: ledger)?.usedAt == usedAt)
  }

  @Test func theDensestIsOfTheSameFile() {
    let model = ServerModel()
    var ledger = UsageLedger()
    var identity = model.identities[0]
    func best(_ change: (inout IndexIdentity) -> Void) -> Double? {
      change(&identity)
      _ = ledger.advance([model.observe(0)], identities: [identity])
      return ledger.indexes.values.first?.best?.bytesPerTuple
    }
    let densities = [
      best { ($0.sizeBytes, $0.tuples) = (20_000, 1000) },
      best { ($0.sizeBytes, $0.tuples) = (60_000, 1000) },
      best { $0.tuples = nil }, best { ($0.sizeBytes, $0.tuples) = (16_000, 1000) },
      // Written anew: its columns may be wider now.
      best { ($0.sizeBytes, $0.tuples, $0.relfilenode) = (30_000, 1000, 7) },
      best { ($0.sizeBytes, $0.tuples, $0.relfilenode) = (0, 0, 8) },
    ]
    #expect(densities == [20, 20, 20, 16, 30, nil])
  }

  @Test func countersAtTheEndOfTheirRangeDoNotTrap() {
    var (model, ledger) = (ServerModel(), UsageLedger())
    let huge = IndexUsage(scans: .max, tuplesRead: .max, tuplesFetched: .min)
    for scans in [huge, IndexUsage(scans: .min), huge, IndexUsage()] {
      model.wait(Int64(1))
      var server = model.observe(0)
      server.usage[model.oids[0]] = scans
      _ = ledger.advance([server], identities: model.identities)
    }
    #expect(model.known(in: ledger) == .max)
  }
}
