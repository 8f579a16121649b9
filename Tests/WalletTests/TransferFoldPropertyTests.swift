import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct TransferFoldPropertyTests {
  @Test(arguments: seeds(fresh: 12))
  func aChunkIsTheSameAsOneByOneAndAsThePlainModel(seed: UInt64) {
    var generator = RequestGenerator(seed: seed)
    let requests = (0..<400).map { _ in generator.next() }
    let comment = Comment("seed \(seed)")
    var plain = PlainLedger(standings: generator.standings, scales: generator.scales)
    var whole = FoldedLedger(standings: generator.standings, scales: generator.scales)
    var single = whole
    var chunked = whole

    let start: Int64 = 1_700_000_000_000_000
    let answers = requests.map { plain.send($0) }
    let atOnce = whole.run(requests, at: Timestamp(microseconds: start))
    let oneByOne = requests.flatMap { request in
      // A clock that also steps back.
      let time = start + Int64.random(in: -5_000_000...5_000_000, using: &generator.random)
      return single.run([request], at: Timestamp(microseconds: time))
    }
    var inChunks: [TransferOutcome] = []
    var rest = requests[...]
    while !rest.isEmpty {
      let size = Int.random(in: 1...60, using: &generator.random)
      inChunks += chunked.run(Array(rest.prefix(size)), at: Timestamp(microseconds: start))
      rest = rest.dropFirst(size)
    }

    for (index, request) in requests.enumerated() {
      let expected = ComparableOutcome(atOnce[index])
      #expect(ComparableOutcome(oneByOne[index]) == expected, "seed \(seed), request \(index): \(request)")
      #expect(ComparableOutcome(inChunks[index]) == expected, "seed \(seed), request \(index): \(request)")
      let stored = atOnce[index].transfer
      let answer = PlainLedger.Answer(
        code: expected.code, replayed: expected.replayed, status: stored?.status,
        fromAfter: stored?.fromBalanceAfter, toAfter: stored?.toBalanceAfter)
      #expect(answer == answers[index], "seed \(seed), request \(index): \(request)")
    }
    for ledger in [whole, single, chunked] {
      #expect(ledger.view.assets.mapValues(\.balance) == plain.balances, comment)
      let held = ledger.view.assets.mapValues(\.held).filter { $0.value != 0 }
      #expect(held == plain.held.filter { $0.value != 0 }, comment)
      ledger.checkLaws(comment)
    }
    #expect(whole.view.assets.mapValues(\.version) == single.view.assets.mapValues(\.version), comment)
  }

  /// The generator must reach the rules, or the test above proves nothing.
  @Test func theRandomRequestsReachEveryCode() {
    var seen: Set<ResultCode> = []
    for seed in 1...40 as ClosedRange<UInt64> {
      var generator = RequestGenerator(seed: seed)
      var plain = PlainLedger(standings: generator.standings, scales: generator.scales)
      for _ in 0..<400 { seen.insert(plain.send(generator.next()).code) }
    }
    // Nothing expires in the plain model, and an atomic batch is no matter of the fold.
    #expect(Set(ResultCode.allCases).subtracting(seen) == [.holdExpired, .batchAborted])
  }
}
