import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct TransferFoldTests {
  private static let bank = wallet(1)
  private static let ada = wallet(2)
  private static let bob = wallet(3)
  private static let unknown = wallet(99)
  private static let now = Timestamp(microseconds: 1_700_000_000_000_000)

  private static func ledger(
    _ changes: [Identifier: WalletStatus] = [:], bob: WalletKind = .standard
  ) -> FoldedLedger {
    let kinds: [Identifier: WalletKind] = [bank: .external, ada: .standard, Self.bob: bob]
    var standings: [Identifier: LedgerView.Standing] = [:]
    for (id, kind) in kinds {
      standings[id] = LedgerView.Standing(kind: kind, status: changes[id] ?? .active)
    }
    return FoldedLedger(standings: standings, scales: ["USD": 2, "ETH": 18, "JPY": 0])
  }

  private static func request(
    _ key: String, from: Identifier? = bank, to: Identifier? = ada, _ amount: String = "1",
    _ currency: String = "USD",
    memo: String? = nil
  ) -> TransferRequest {
    TransferRequest(key: key, from: from, to: to, amount: amount, currency: currency, memo: memo)
  }

  /// One request that offends against every rule from some place in the order on: the answer is the first.
  @Test func theFirstCodeThatAppliesIsTheAnswer() {
    typealias Case = (code: ResultCode, statuses: [Identifier: WalletStatus], request: TransferRequest)
    let (bank, ada, bob, unknown) = (Self.bank, Self.ada, Self.bob, Self.unknown)
    let cases: [Case] = [
      (.walletsMustDiffer, [:], Self.request("k", from: unknown, to: unknown, "x", "XXX")),
      (.walletsMustDiffer, [ada: .closed], Self.request("k", from: ada, to: ada, "0")),
      (.amountInvalid, [:], Self.request("k", from: nil, to: nil, "-0.0000", "XXX")),
      (.amountNotPositive, [:], Self.request("k", from: unknown, to: nil, "0.0000000000000000000", "XXX")),
      (.amountPrecisionExceeded, [:], Self.request("k", from: nil, to: nil, "0.0000000000000000001", "XXX")),
      (
        .amountPrecisionExceeded, [:],
        Self.request("k", from: nil, String(repeating: "9", count: 99) + ".001")
      ),
      (
        .amountOutOfRange, [:],
        Self.request("k", from: nil, to: nil, String(repeating: "9", count: 21), "XXX")
      ),
      (.amountOutOfRange, [:], Self.request("k", from: unknown, String(repeating: "9", count: 37))),
      (.currencyNotFound, [:], Self.request("k", from: nil, to: nil, "1", "usd")),
      (.sourceNotFound, [:], Self.request("k", from: nil, to: nil)),
      (.sourceNotFound, [ada: .closed], Self.request("k", from: unknown)),
      (.destinationNotFound, [ada: .closed], Self.request("k", from: ada, to: unknown, "5")),
      (.destinationNotFound, [ada: .frozen], Self.request("k", from: ada, to: nil, "5")),
      (.sourceClosed, [ada: .closed, bob: .closed], Self.request("k", from: ada, to: bob, "5")),
      (.destinationClosed, [ada: .frozen, bob: .closed], Self.request("k", from: ada, to: bob, "5")),
      (.sourceFrozen, [ada: .frozen, bob: .frozen], Self.request("k", from: ada, to: bob, "5")),
      (.destinationFrozen, [bob: .frozen], Self.request("k", from: ada, to: bob, "5")),
      (.insufficientFunds, [:], Self.request("k", from: ada, to: bob, "0.01")),
      (.created, [:], Self.request("k", from: bank, to: ada, "0.01")),
    ]
    for (code, statuses, request) in cases {
      var ledger = Self.ledger(statuses)
      let outcome = ledger.run([request], at: Self.now)[0]
      #expect(outcome.code == code && !outcome.replayed, "\(request)")
      #expect((outcome.transfer != nil) == (code.isRecorded || code == .created), "\(code)")
      #expect(ledger.entries.isEmpty == (code != .created))
    }
  }

  @Test func insufficientFundsComesBeforeABalanceOutOfRange() {
    var ledger = Self.ledger()
    _ = ledger.run([Self.request("fill", "999999999999999999999999999999999999.99")], at: Self.now)
    let both = ledger.run([Self.request("both", from: Self.bob, to: Self.ada, "1")], at: Self.now)[0]
    #expect(both.code == .insufficientFunds && both.available == 0)
    let range = ledger.run([Self.request("range", "0.01")], at: Self.now)[0]
    #expect(range.code == .balanceOutOfRange && range.transfer?.status == .refused)
  }

  @Test func balancesReachTheLimitAndNotBeyond() {
    var ledger = Self.ledger()
    let codes = ledger.run(
      [
        Self.request("1", "99999999999999999999999999999999999998", "JPY"), Self.request("2", "1", "JPY"),
        Self.request("3", to: Self.bob, "1", "JPY"),
        Self.request("4", from: Self.ada, to: Self.bank, "1", "JPY"),
        Self.request("5", to: Self.bob, "1", "JPY"), Self.request("6", to: Self.bob, "1", "JPY"),
      ], at: Self.now
    ).map(\.code)
    // The source's balance has the same bound below zero.
    #expect(codes == [.created, .created, .balanceOutOfRange, .created, .created, .balanceOutOfRange])
    #expect(ledger.view.assets[AssetKey(wallet: Self.bank, currency: "JPY")]?.balance == -Amount.limit)
  }

  @Test func onlyExternalWalletsGoBelowZero() {
    var ledger = Self.ledger(bob: .external)
    let outcomes = ledger.run(
      [
        Self.request("1", from: Self.bob, to: Self.ada, "10"),
        Self.request("2", from: Self.ada, to: Self.bank, "10.01"),
        Self.request("3", from: Self.ada, to: Self.bank, "10"),
      ], at: Self.now)
    #expect(outcomes.map(\.code) == [.created, .insufficientFunds, .created])
    #expect(outcomes[0].transfer?.fromBalanceAfter == -1000)
    #expect(outcomes[1].available == 1000)
    ledger.checkLaws("external wallets")
  }

  @Test func moneyThatIsHeldCannotBeSpent() {
    var ledger = Self.ledger()
    let key = AssetKey(wallet: Self.ada, currency: "USD")
    ledger.view.assets[key] = Asset(balance: 1000, held: 400, version: 1, updatedAt: Self.now)
    let outcomes = ledger.run(
      [
        Self.request("1", from: Self.ada, to: Self.bob, "6.01"),
        Self.request("2", from: Self.ada, to: Self.bob, "6"),
      ],
      at: Self.now)
    #expect(outcomes.map(\.code) == [.insufficientFunds, .created])
    #expect(outcomes[0].available == 600)
    #expect(ledger.view.assets[key]?.held == 400)
  }

  /// Whichever part of the request differs; the same amount in other words is the same request.
  @Test func aKeyMeansOneRequest() {
    for isOneChunk in [true, false] {
      var ledger = Self.ledger()
      let first = Self.request("k", "1.0", memo: "m")
      let again: [(TransferRequest, ResultCode)] = [
        (first, .exists), (Self.request("k", "1", memo: "m"), .exists),
        (Self.request("k", "01.00", memo: "m"), .exists),
        (Self.request("k", "1.01", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", "1.000", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", "x", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", "1.0"), .keyReusedWithDifferentRequest),
        (Self.request("k", "1.0", memo: ""), .keyReusedWithDifferentRequest),
        (Self.request("k", "1.0", "ETH", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", "1.0", "XXX", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", to: Self.bob, "1.0", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", from: Self.bob, "1.0", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", from: Self.ada, to: Self.ada, "1.0", memo: "m"), .keyReusedWithDifferentRequest),
        (Self.request("k", from: nil, to: nil, "1.0", memo: "m"), .keyReusedWithDifferentRequest),
      ]
      let requests = [first] + again.map(\.0)
      let outcomes =
        isOneChunk
        ? ledger.run(requests, at: Self.now) : requests.flatMap { ledger.run([$0], at: Self.now) }
      #expect(outcomes.map(\.code) == [.created] + again.map(\.1))
      for outcome in outcomes.dropFirst() {
        #expect(outcome.replayed == (outcome.code == .exists))
        #expect(outcome.transfer == (outcome.code == .exists ? outcomes[0].transfer : nil))
      }
      #expect(ledger.entries.count == 2)
    }
  }

  @Test func aRecordedRefusalNeverBecomesSuccess() {
    for isOneChunk in [true, false] {
      var ledger = Self.ledger()
      let requests = [
        Self.request("spend", from: Self.ada, to: Self.bob, "5"), Self.request("fund", "5"),
        Self.request("spend", from: Self.ada, to: Self.bob, "5.00"),
        Self.request("spend", from: Self.ada, to: Self.bob, "4"),
        Self.request("spend again", from: Self.ada, to: Self.bob, "5"),
      ]
      let outcomes =
        isOneChunk
        ? ledger.run(requests, at: Self.now) : requests.flatMap { ledger.run([$0], at: Self.now) }
      #expect(
        outcomes.map(\.code) == [
          .insufficientFunds, .created, .insufficientFunds, .keyReusedWithDifferentRequest, .created,
        ])
      #expect(outcomes.map(\.replayed) == [false, false, true, false, false])
      #expect(outcomes[2].transfer == outcomes[0].transfer)
      #expect(outcomes[2].available == nil, "what was available then is not known any more")
    }
  }

  @Test func aRefusalThatIsNotRecordedLeavesItsKeyFree() {
    var ledger = Self.ledger()
    let outcomes = ledger.run(
      [Self.request("k", "0"), Self.request("k", to: nil), Self.request("k", "1", "XXX"), Self.request("k")],
      at: Self.now)
    #expect(outcomes.map(\.code) == [.amountNotPositive, .destinationNotFound, .currencyNotFound, .created])
  }

  @Test func entriesNeverGoBackInTimeWhenTheClockDoes() throws {
    var ledger = Self.ledger()
    let early = Timestamp(microseconds: Self.now.microseconds - 3_600_000_000)
    let first = try #require(ledger.run([Self.request("1")], at: Self.now)[0].transfer)
    let second = try #require(
      ledger.run([Self.request("2", from: Self.ada, to: Self.bob, "0.5")], at: early)[0].transfer)
    #expect(second.createdAt >= first.createdAt)
    #expect(second.id > first.id)
    // Another process, whose generator knows of nothing, reads the time off the assets.
    var view = ledger.view
    view.time = early
    var fold = TransferFold(view, identifiers: IdentifierGenerator())
    let third = try #require(fold.apply(Self.request("3")).transfer)
    #expect(third.createdAt >= second.createdAt)
    ledger.checkLaws("clock")
  }

  @Test func entriesAreFoundByTheIdOfTheirTransfer() throws {
    var ledger = Self.ledger()
    let transfer = try #require(ledger.run([Self.request("1")], at: Self.now)[0].transfer)
    #expect(ledger.entries.map(\.id) == [transfer.id.debitID, transfer.id.creditID])
    #expect(ledger.entries.allSatisfy { $0.id.asTransferID == transfer.id })
    #expect(transfer.id.low & 3 == 0)
    #expect(ledger.entries.map(\.amount) == [-100, 100])
  }
}
