import Glibc
import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// Holds, what resolves them, and reversals, on the database.
@Suite struct HoldTests {
  @Test func captureMovesAPartAndFreesTheRestAndVoidFreesAll() async throws {
    try await withWorld { world in
      let outcomes = try await world.transfer(
        world.request("fund", "100"), world.hold("h1", "80"), world.sequel(.capture, "c1", of: "h1", "62.50"),
        world.hold("h2", "37.50"), world.sequel(.void, "v2", of: "h2"), world.hold("h3", "37.51"))
      #expect(outcomes.map(\.code) == [.created, .created, .created, .created, .created, .insufficientFunds])
      #expect(outcomes[2].transfer?.id == outcomes[1].transfer?.id, "the hold itself is posted")
      #expect(outcomes[2].transfer?.fromBalanceAfter == 3750 && outcomes[2].resolution?.key == "c1")
      #expect(outcomes[4].transfer?.status == .voided)
      #expect(outcomes[5].available == 3750)
      let lines = try await world.database.sql(
        """
        select t.key, x.status, x.amount, x.version is null from transactions x join transfers t on t.id = x.transfer_id
        where t.kind = 'hold' order by t.key, x.amount
        """)
      #expect(
        lines == [
          ["h1", "posted", "-6250", "f"], ["h1", "posted", "6250", "f"], ["h2", "voided", "-3750", "t"],
          ["h2", "voided", "3750", "t"],
        ])
      try await world.expectSound()
    }
  }

  @Test func aHoldTakesFromWhatCanBeSpentAndNotFromTheBalance() async throws {
    try await withWorld { world in
      let outcomes = try await world.transfer(
        world.request("fund", "10"), world.hold("h", "4"),
        world.request("t1", from: world.ada, to: world.bob, "6.01"),
        world.request("t2", from: world.ada, to: world.bob, "6"))
      #expect(outcomes.map(\.code) == [.created, .created, .insufficientFunds, .created])
      let held = try await world.with { session in
        try Ledger(session).assets(of: [world.ada]).map {
          [$0.asset.balance, $0.asset.held, $0.asset.available]
        }
      }
      #expect(held == [[400, 400, 0]])
      // Until it is resolved the destination has nothing of it; afterwards it has.
      let captured = try await world.transfer(world.sequel(.capture, "c", of: "h"))[0]
      #expect(captured.transfer?.toBalanceAfter == 1000 && captured.transfer?.fromBalanceAfter == 0)
    }
  }

  @Test func theSameRequestAgainGetsItsFirstAnswerAndAnotherOneNone() async throws {
    try await withWorld { world in
      try await world.transfer(
        world.request("fund", "100"), world.hold("h", "50", for: .seconds(3600)),
        world.sequel(.capture, "c", of: "h", "20"),
        world.sequel(.reverse, "r", of: "c", "5"), world.sequel(.reverse, "too much", of: "h", "15.01"))
      let again = try await world.transfer(
        world.hold("h", "50", for: .seconds(3600)), world.sequel(.capture, "c", of: "h", "20.00"),
        world.sequel(.reverse, "r", of: "h", "5"), world.sequel(.reverse, "too much", of: "c", "15.01"))
      #expect(again.map(\.code) == [.exists, .exists, .exists, .exceedsReversibleAmount])
      #expect(again.allSatisfy { $0.replayed })
      let others = try await world.transfer(
        world.hold("h", "50"), world.hold("h", "20", for: .seconds(3600)),
        world.sequel(.capture, "c", of: "h", "21"),
        world.sequel(.capture, "c", of: "h"), world.sequel(.void, "c", of: "h"),
        world.sequel(.reverse, "r", of: "h"),
        world.request("c", "20"), world.sequel(.capture, "h", of: "h", "50"))
      #expect(others.allSatisfy { $0.code == .keyReusedWithDifferentRequest }, "\(others.map(\.code))")
      try await world.expectSound()
    }
  }

  @Test func eachCodeOfAHoldAndAReversalHasItsCase() async throws {
    try await withWorld { world in
      try await world.transfer(
        world.request("fund", "100"), world.hold("open", "5"), world.hold("old", "5", for: .milliseconds(1)),
        world.hold("gone", "5"), world.sequel(.void, "v", of: "gone"),
        world.request("no", from: world.bob, to: world.ada, "5"))
      try await Task.sleep(for: .milliseconds(5))
      let codes = try await world.transfer(
        world.sequel(.capture, "1", of: "nothing"), world.sequel(.capture, "2", of: "fund"),
        world.sequel(.capture, "3", of: "gone"), world.sequel(.capture, "4", of: "old"),
        world.sequel(.capture, "5", of: "open", "5.01"), world.sequel(.capture, "6", of: "open", "x"),
        world.sequel(.void, "7", of: "gone"), world.sequel(.reverse, "8", of: "nothing"),
        world.sequel(.reverse, "9", of: "open"), world.sequel(.reverse, "10", of: "no"),
        world.sequel(.reverse, "11", of: "fund", "100.01"), world.sequel(.reverse, "12", of: "fund", "0"),
        world.sequel(.void, "13", of: "no"), world.sequel(.reverse, "14", of: "fund", "100")
      ).map(\.code)
      #expect(
        codes == [
          .holdNotFound, .holdNotPending, .holdNotPending, .holdExpired, .exceedsHoldAmount, .amountInvalid,
          .holdNotPending, .transferNotFound, .transferNotPosted, .transferNotPosted,
          .exceedsReversibleAmount,
          .amountNotPositive, .holdNotPending, .insufficientFunds,
        ])
      // An expired hold says so before and after it is freed, and can be voided as long as nobody freed it.
      // Asked for all that are open, it frees those whose time has passed.
      let freed = try await world.with { session in
        try session.transaction {
          let open = try Ledger(session).transfers(
            status: .pending, wallet: world.ada, PageRequest(limit: 10, cursor: nil))
          var fences = TransactionFences(nil)
          return try Ledger(session).expireHolds(open.items.map(\.transfer.id), fences: &fences)
        }
      }
      #expect(freed == 1)
      let after = try await world.transfer(
        world.sequel(.capture, "20", of: "old"), world.sequel(.void, "21", of: "old"),
        world.sequel(.reverse, "22", of: "fund", "95"))
      #expect(after.map(\.code) == [.holdExpired, .holdExpired, .created])
      try await world.expectSound()
    }
  }

  /// A refusal that depends on state is recorded; the state changes, the answer does not.
  @Test func anOutcomeNeverFlips() async throws {
    try await withWorld { world in
      let first = try await world.transfer(
        world.request("fund", "100"), world.hold("h", "5"), world.sequel(.reverse, "r", of: "h"),
        world.sequel(.capture, "c", of: "h", "6"))
      #expect(first.suffix(2).map(\.code) == [.transferNotPosted, .exceedsHoldAmount])
      try await world.transfer(world.sequel(.capture, "really", of: "h", "4"))
      let again = try await world.transfer(
        world.sequel(.reverse, "r", of: "h"), world.sequel(.capture, "c", of: "h", "6"))
      #expect(again.map(\.code) == [.transferNotPosted, .exceedsHoldAmount])
      #expect(again.allSatisfy { $0.replayed } && again[0].transfer?.id == first[2].transfer?.id)
    }
  }

  @Test func frozenAndClosedWalletsHinderACaptureButNotAVoid() async throws {
    try await withWorld { world in
      try await world.transfer(
        world.request("fund", "100"), world.request("t", from: world.ada, to: world.bob, "1"),
        world.hold("h1", "5"),
        world.hold("h2", "5"))
      try await world.with { _ = try Ledger($0).setStatus(of: world.bob, to: .frozen) }
      let codes = try await world.transfer(
        world.hold("h3", "5"), world.sequel(.capture, "c1", of: "h1"), world.sequel(.void, "v2", of: "h2"),
        world.sequel(.reverse, "r", of: "t")
      ).map(\.code)
      #expect(codes == [.destinationFrozen, .destinationFrozen, .created, .sourceFrozen])
      try await world.with { _ = try Ledger($0).setStatus(of: world.bob, to: .active) }
      let again = try await world.transfer(
        world.sequel(.capture, "c1", of: "h1"), world.sequel(.capture, "c1 again", of: "h1"))
      #expect(again.map(\.code) == [.destinationFrozen, .created], "a new attempt needs a new key")
    }
  }

  @Test func holdsCountAtTheirTime() async throws {
    try await withWorld { world in
      func tick() async {
        let now = Timestamp.now().microseconds / 1000
        while Timestamp.now().microseconds / 1000 <= now + 1 { await Task.yield() }
      }
      try await world.transfer(world.request("fund", "100"))
      await tick()
      let hold = try await world.transfer(world.hold("h", "30"))[0]
      await tick()
      let between = Timestamp.now()
      await tick()
      let capture = try await world.transfer(world.sequel(.capture, "c", of: "h", "20"))[0]
      let made = try #require(hold.transfer?.createdAt)
      let resolved = try #require(capture.resolution?.createdAt)
      try await world.with { session in
        func usd(_ time: Timestamp) throws -> [Int128] {
          let asset = try Ledger(session).balances(of: world.ada, at: time).first {
            $0.currency.code == "USD"
          }?.asset
          return [asset?.balance ?? -1, asset?.held ?? -1]
        }
        let before = try usd(Timestamp(microseconds: made.microseconds - 1))
        let open = try usd(made)
        let meanwhile = try usd(between)
        let after = try usd(resolved)
        #expect(before == [10_000, 0] && open == [10_000, 3000] && meanwhile == open && after == [8000, 0])
      }
    }
  }

  /// Lists are in the order of ids; the entries of a captured hold are younger than the hold.
  @Test func listsOfAWalletFindEveryTransferOnceAndInOrder() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("fund", "1000"))
      for number in 0..<6 {
        try await world.transfer(
          world.hold("h\(number)", "1"), world.request("t\(number)", from: world.ada, to: world.bob, "1"))
      }
      try await world.transfer(
        world.sequel(.capture, "c1", of: "h1"), world.sequel(.void, "v2", of: "h2"),
        world.sequel(.capture, "c4", of: "h4"), world.sequel(.reverse, "r", of: "c4"),
        world.sequel(.reverse, "no", of: "h5"))
      let expected = try await world.database.sql("select key from transfers order by id desc").map { $0[0] }
      for wallet in [world.ada, world.bob] {
        let listed = try await world.with { session in
          var keys: [String] = []
          var cursor: Cursor?
          repeat {
            let page = try Ledger(session).transfers(
              status: nil, wallet: wallet, PageRequest(limit: 2, cursor: cursor))
            keys += page.items.map(\.transfer.key)
            cursor = page.next
          } while cursor != nil
          return keys
        }
        #expect(listed == expected.filter { wallet == world.ada || $0 != "fund" })
      }
      for (status, count) in [(TransferStatus.pending, 3), (.voided, 1), (.refused, 1), (.posted, 10)] {
        let found = try await world.with {
          try Ledger($0).transfers(status: status, wallet: world.ada, PageRequest(limit: 50, cursor: nil))
            .items
        }
        #expect(found.count == count && found.allSatisfy { $0.transfer.status == status })
      }
    }
  }

  @Test func aKeyOfACaptureIsSettledLikeAnyOther() async throws {
    try await withWorld { world in
      try await world.transfer(
        world.request("fund", "100"), world.hold("h", "5"), world.sequel(.capture, "c", of: "h"))
      try await world.with { session in
        let resolution = try Ledger(session).resolve("c")
        #expect(
          resolution.outcome == .committed && resolution.record?.transfer.key == "h" && resolution.key == "c")
      }
    }
  }
}

extension World {
  /// From Ada to Bob.
  func hold(_ key: String, _ amount: String, for lifetime: Duration? = nil) -> TransferRequest {
    TransferRequest(
      key: key, kind: .hold, from: ada, to: bob, amount: amount, currency: "USD", lifetime: lifetime)
  }

  func sequel(
    _ kind: TransferKind, _ key: String, of ref: String, _ amount: String? = nil
  ) -> TransferRequest {
    TransferRequest(key: key, kind: kind, amount: amount, ref: ref)
  }

  func expectSound() async throws {
    let broken = try await with { try LedgerVerification($0).run(currency: nil).filter { !$0.isOK } }
    #expect(broken == [])
  }
}
