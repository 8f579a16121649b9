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
    if !sent.isEmpty, chance(35) {
      let request = sequel()
      sent.append(request)
      return request
    }
    // Wallets 0 to 2 are hot: half of all transfers touch them.
    let isHold = chance(35)
    let request = TransferRequest(
      key: "key-\(sent.count)", kind: isHold ? .hold : .transfer, from: anyWallet(), to: anyWallet(),
      amount: amount(),
      currency: chance(3) ? "XXX" : scales.keys.sorted().randomElement(using: &random) ?? "",
      lifetime: isHold && chance(30) ? .seconds(86_400) : nil, memo: chance(20) ? "memo" : nil)
    sent.append(request)
    return request
  }

  /// A capture, void or reversal of something earlier, mostly of a hold or of what resolved one.
  private mutating func sequel() -> TransferRequest {
    let recent = sent.suffix(30).filter { $0.kind != .transfer || $0.key.hasSuffix("7") }
    let earlier =
      (chance(70) ? recent.randomElement(using: &random) : nil) ?? sent.randomElement(using: &random)
    let kind = [TransferKind.capture, .capture, .void, .reverse].randomElement(using: &random) ?? .void
    return TransferRequest(
      key: "key-\(sent.count)", kind: kind, amount: kind != .void && chance(50) ? amount() : nil,
      ref: chance(3) ? "nothing" : earlier?.key, memo: chance(10) ? "memo" : nil)
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
    case 0: request.amount = request.amount.map { "0" + $0 }
    case 1: request.amount = request.amount.map { $0 + ($0.contains(".") ? "0" : ".0") }
    case 2 where request.kind.isSequel: request.ref = sent.randomElement(using: &random)?.key
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
