import Benchmark
import Primitives
import Wallet

/// Ten wallets with money.
private let wallets: [Identifier] = {
  var identifiers = IdentifierGenerator()
  return (0..<10).map { _ in identifiers.next() }
}()

private func view() -> LedgerView {
  var view = LedgerView()
  view.scales = ["USD": 2]
  view.time = .now()
  for wallet in wallets {
    view.wallets[wallet] = LedgerView.Standing(kind: .standard, status: .active)
    view.assets[AssetKey(wallet: wallet, currency: "USD")] =
      Asset(balance: 1_000_000_000, held: 0, version: 1, updatedAt: view.time)
  }
  return view
}

func measureMoney() {
  Benchmark("identifier, UUIDv7", configuration: .init(scalingFactor: .kilo)) { benchmark in
    var identifiers = IdentifierGenerator()
    for _ in benchmark.scaledIterations { blackHole(identifiers.next()) }
  }
  Benchmark("wallet creation, without the server", configuration: .init(scalingFactor: .kilo)) { benchmark in
    var identifiers = IdentifierGenerator()
    for _ in benchmark.scaledIterations {
      let id = identifiers.next()
      let address = WalletReference.normalized(address: "0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B")
      blackHole(WalletReference(id.description))
      blackHole(address)
    }
  }
  Benchmark("amount, parsed and formatted", configuration: .init(scalingFactor: .kilo)) { benchmark in
    for _ in benchmark.scaledIterations {
      let amount = try Amount.parse(identity("1234567.89"), scale: 2)
      blackHole(Amount.format(amount, scale: 2))
    }
  }
  let requests = (0..<1000).map { number in
    TransferRequest(
      key: "payout-\(number)", from: wallets[number % 10], to: wallets[(number + 1) % 10], amount: "1.25",
      currency: "USD")
  }
  Benchmark("fold of a chunk, a row of 1000", configuration: .init(scalingFactor: .kilo)) { benchmark in
    var fold = TransferFold(view(), identifiers: IdentifierGenerator())
    benchmark.startMeasurement()
    for number in benchmark.scaledIterations { blackHole(fold.apply(requests[number])) }
    benchmark.stopMeasurement()
    // A refusal would be another, quicker path.
    guard fold.transfers.count == requests.count, fold.entries.count == 2 * requests.count else {
      return benchmark.error("\(fold.transfers.count) transfers, \(fold.entries.count) entries")
    }
  }
}
