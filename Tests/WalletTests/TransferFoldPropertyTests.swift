import Primitives
import Testing
import Wallet

/// Random lists of requests, half of them poisoned: keys that come again, wallets that are closed or not there,
/// amounts that nobody has or nobody can read.
private struct RequestGenerator {
  var random: SeededGenerator
  let standings: [Identifier: LedgerView.Standing]
  let scales: [String: Int]
  private let wallets: [Identifier]
  private var sent: [TransferRequest] = []

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    var standings: [Identifier: LedgerView.Standing] = [:]
    for number in 0..<10 as Range<UInt64> {
      let status: WalletStatus = number == 8 ? .frozen : number == 9 ? .closed : .active
      standings[wallet(number)] = LedgerView.Standing(
        kind: number < 2 ? .external : .standard, status: status)
    }
    self.standings = standings
    scales = ["USD": 2, "ETH": 18, "JPY": 0]
    wallets = (0..<11).map { wallet($0) }
  }

  mutating func next() -> TransferRequest {
    if let earlier = sent.randomElement(using: &random), chance(12) {
      var request = earlier
      if chance(40) { request = changed(request) }
      return request
    }
    // Wallets 0 to 2 are hot: half of all transfers touch them.
    let request = TransferRequest(
      key: "key-\(sent.count)", from: anyWallet(), to: anyWallet(), amount: amount(),
      currency: chance(3) ? "XXX" : scales.keys.sorted().randomElement(using: &random) ?? "",
      memo: chance(20) ? "memo" : nil)
    sent.append(request)
    return request
  }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  private mutating func anyWallet() -> Identifier? {
    if chance(2) { return nil }
    return chance(45) ? wallets[..<3].randomElement(using: &random) : wallets.randomElement(using: &random)
  }

  private mutating func amount() -> String {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return ["", "-1", "1e2", "0", "0.00", "1.", "٣"].randomElement(using: &random) ?? ""
    case 1: return String(repeating: "9", count: Int.random(in: 18...40, using: &random))
    case 2: return "0." + String(repeating: "0", count: Int.random(in: 0...18, using: &random)) + "1"
    default: return String(Int.random(in: 1...400, using: &random))
    }
  }

  private mutating func changed(_ request: TransferRequest) -> TransferRequest {
    var request = request
    switch Int.random(in: 0..<5, using: &random) {
    case 0: request.amount = "0" + request.amount
    case 1: request.amount += request.amount.contains(".") ? "0" : ".0"
    case 2: request.to = anyWallet()
    case 3: request.memo = "another"
    default: swap(&request.from, &request.to)
    }
    return request
  }
}

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
        code: expected.code, replayed: expected.replayed, fromAfter: stored?.fromBalanceAfter,
        toAfter: stored?.toBalanceAfter)
      #expect(answer == answers[index], "seed \(seed), request \(index): \(request)")
    }
    for ledger in [whole, single, chunked] {
      #expect(ledger.view.assets.mapValues(\.balance) == plain.balances, comment)
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
    #expect(Set(ResultCode.allCases).subtracting(seen) == [])
  }
}
