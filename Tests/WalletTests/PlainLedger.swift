import Primitives
import Wallet

/// SPEC section 2.1 in the plainest way: amounts as text until the last step.
func naiveAmount(_ text: String, scale: Int) -> Result<Int128, ResultCode> {
  let parts = text.split(separator: ".", omittingEmptySubsequences: false)
  let isPlain = parts.allSatisfy { part in !part.isEmpty && part.allSatisfy { "0123456789".contains($0) } }
  guard parts.count <= 2, isPlain else { return .failure(.amountInvalid) }
  if !text.contains(where: { $0 != "0" && $0 != "." }) { return .failure(.amountNotPositive) }
  let fraction = parts.count == 2 ? String(parts[1]) : ""
  if fraction.count > scale { return .failure(.amountPrecisionExceeded) }
  let digits = (parts[0] + fraction + String(repeating: "0", count: scale - fraction.count)).drop {
    $0 == "0"
  }
  guard digits.count <= 38, let number = Int128(digits) else { return .failure(.amountOutOfRange) }
  return .success(number)
}

/// SPEC section 2.4 written down a second time, as a list of questions asked one request after another. Slow, and
/// without a thought for chunks, locks or databases: what `TransferFold` is compared with.
struct PlainLedger {
  struct Answer: Equatable {
    var code: ResultCode
    var replayed = false
    var fromAfter: Int128?
    var toAfter: Int128?
  }

  var standings: [Identifier: LedgerView.Standing]
  var scales: [String: Int]
  var balances: [AssetKey: Int128] = [:]
  private var remembered: [String: (request: TransferRequest, amount: Int128, answer: Answer)] = [:]

  init(standings: [Identifier: LedgerView.Standing], scales: [String: Int]) {
    self.standings = standings
    self.scales = scales
  }

  mutating func send(_ request: TransferRequest) -> Answer {
    if let first = remembered[request.key] { return repeated(request, first) }
    if request.from != nil, request.from == request.to { return Answer(code: .walletsMustDiffer) }
    let amount: Int128
    switch naiveAmount(request.amount, scale: scales[request.currency] ?? 18) {
    case .success(let number): amount = number
    case .failure(let code): return Answer(code: code)
    }
    if scales[request.currency] == nil { return Answer(code: .currencyNotFound) }
    guard let from = request.from, let source = standings[from] else { return Answer(code: .sourceNotFound) }
    guard let to = request.to, let destination = standings[to] else {
      return Answer(code: .destinationNotFound)
    }
    let answer = judge(
      amount, AssetKey(wallet: from, currency: request.currency), source,
      AssetKey(wallet: to, currency: request.currency), destination)
    remembered[request.key] = (request, amount, answer)
    return answer
  }

  private func repeated(
    _ request: TransferRequest, _ first: (request: TransferRequest, amount: Int128, answer: Answer)
  ) -> Answer {
    guard let scale = scales[request.currency],
      case .success(first.amount) = naiveAmount(request.amount, scale: scale),
      request.from == first.request.from, request.to == first.request.to,
      request.currency == first.request.currency, request.memo == first.request.memo
    else { return Answer(code: .keyReusedWithDifferentRequest) }
    var again = first.answer
    again.replayed = true
    if again.code == .created { again.code = .exists }
    return again
  }

  private mutating func judge(
    _ amount: Int128, _ from: AssetKey, _ source: LedgerView.Standing, _ to: AssetKey,
    _ destination: LedgerView.Standing
  ) -> Answer {
    if source.status == .closed { return Answer(code: .sourceClosed) }
    if destination.status == .closed { return Answer(code: .destinationClosed) }
    if source.status == .frozen { return Answer(code: .sourceFrozen) }
    if destination.status == .frozen { return Answer(code: .destinationFrozen) }
    let fromAfter = (balances[from] ?? 0) - amount
    let toAfter = (balances[to] ?? 0) + amount
    if source.kind == .standard, fromAfter < 0 { return Answer(code: .insufficientFunds) }
    if String(fromAfter.magnitude).count > 38 || String(toAfter.magnitude).count > 38 {
      return Answer(code: .balanceOutOfRange)
    }
    balances[from] = fromAfter
    balances[to] = toAfter
    return Answer(code: .created, fromAfter: fromAfter, toAfter: toAfter)
  }
}
