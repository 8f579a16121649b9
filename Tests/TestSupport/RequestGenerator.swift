public import Primitives
public import Wallet

/// Random lists of requests, half of them poisoned: keys that come again, wallets that are closed or not there,
/// amounts that nobody has or nobody can read.
public struct RequestGenerator {
  public var random: SeededGenerator
  public let standings: [Identifier: LedgerView.Standing]
  public let scales: [String: Int]
  private let wallets: [Identifier]
  private var sent: [TransferRequest] = []

  public init(seed: UInt64) {
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

  public mutating func next() -> TransferRequest {
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

/// An identifier that is easy to read in a failure.
public func wallet(_ number: UInt64) -> Identifier { Identifier(high: 0xA, low: number) }
