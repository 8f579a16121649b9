import Ledger
import Postgres
import Primitives
import Synchronization
import TestSupport
import Testing
import Wallet

/// What the ledger asks of whoever keeps copies of its rows, and when.
@Suite struct TransactionFenceTests {
  /// Writes down what it is asked, and fences nothing where it is told to.
  private final class Witness: CommitFence {
    private let misses: Bool
    private let notes = Mutex(Notes())

    struct Notes {
      var raised: [RaisedFence] = []
      var settled: [[RaisedFence]] = []
    }

    init(misses: Bool = false) { self.misses = misses }

    var raised: [RaisedFence] { notes.withLock { $0.raised } }
    var settled: [[RaisedFence]] { notes.withLock { $0.settled } }

    func raise(_ rows: ChangedRows, by transaction: FencedTransaction) -> RaisedFence {
      let names = (rows.users + rows.wallets).map(\.description)
      let fence = RaisedFence(rows, by: transaction, missed: misses ? names : [])
      notes.withLock { $0.raised.append(fence) }
      return fence
    }

    func settle(_ fences: [RaisedFence], on session: Session) {
      notes.withLock { $0.settled.append(fences) }
    }
  }

  private static func processor(_ world: World, _ fence: Witness) -> TransferProcessor {
    TransferProcessor(fence: fence) {
      try Session(connecting: ConnectionString(world.database.url), options: World.patient)
    }
  }

  @Test func aTransferNamesItsWalletsAndItsTransaction() async throws {
    try await withWorld { world in
      let fence = Witness()
      let chunks = [
        [world.request("a"), world.request("b"), world.request("c", from: world.ada, to: world.bob)],
        // Of a steady session.
        [world.request("d")], [world.request("e", to: world.bob)],
        // A replay, a refusal that is recorded, and one that is not.
        [world.request("a")], [world.request("f", from: world.ada, "1000")], [world.request("g", "1e3")],
      ]
      try await world.with { _ in
        let processor = Self.processor(world, fence)
        for chunk in chunks { _ = try processor.process(chunk) }
      }
      // The replay raised one, too: a steady session hopes that keys are new, and is refused by the index.
      #expect(fence.raised.count == 4)
      let settled = fence.settled.flatMap(\.self)
      let wallets = settled.map { Set($0.rows.wallets) }
      #expect(
        wallets == [
          [world.bank, world.ada, world.bob], [world.bank, world.ada], [world.bank, world.bob],
        ])
      let rows = try await world.database.sql(
        "select min(xmin::text) from transfers where key in ('a', 'd', 'e') group by key order by key")
      #expect(rows.map { $0[0] } == settled.map { String($0.transaction.id) })
      #expect(settled.allSatisfy { $0.transaction.isOutboxEmpty && !$0.transaction.snapshot.isEmpty })
      #expect(fence.settled.map(\.count) == [1, 1, 1])
    }
  }

  /// What is missed is noted in the same transaction, and the note's id is known after it.
  @Test func whatIsMissedIsNoted() async throws {
    try await withWorld { world in
      let fence = Witness(misses: true)
      try await world.with { session in
        _ = try Self.processor(world, fence).process([world.request("a")])
        let ledger = Ledger(session, fence: fence)
        _ = try ledger.rename(world.bob, to: "robert")
        _ = try ledger.setStatus(of: world.bob, to: .frozen)
        let user = try ledger.createUser(email: "x@example.com", name: "X")
        _ = try ledger.createWallet(
          WalletDraft(userID: user.id, name: "w", network: "eth", address: nil, kind: .standard))
      }
      let notes = try await world.database.sql(
        "select id, array_to_string(keys, ','), xid from ironforge.cache_outbox order by id")
      let expected = fence.settled.flatMap(\.self).map {
        [$0.outboxRows.map { String($0) }.joined(), $0.missed.joined(separator: ","), "\($0.transaction.id)"]
      }
      #expect(notes == expected && notes.count == 5)
      // The first has seen it empty, and those that came later have not.
      #expect(fence.raised.map(\.transaction.isOutboxEmpty) == [true, false, false, false, false])
    }
  }

  /// A thousand names a row.
  @Test func manyNamesAreSeveralRows() async throws {
    try await withWorld { world in
      let fence = Witness(misses: true)
      let rows = ChangedRows(users: (0..<2500).map { Identifier(high: 1, low: $0) })
      let sizes = try await world.with { session in
        var fences = TransactionFences(fence)
        try session.transaction {
          _ = try fences.ask([], on: session)
          try fences.raise(rows, on: session)
        }
        fences.settle(on: session)
        return try session.transaction { try CacheOutbox(session).take(limit: 10).map(\.keys.count) }
      }
      #expect(sizes == [1000, 1000, 500])
      #expect(fence.settled.first?.first?.outboxRows.count == 3)
    }
  }

  /// An attempt that was rolled back has fenced for nothing, and nobody looks after its fence.
  @Test func anAttemptThatIsRolledBackIsNotSettled() async throws {
    try await withWorld { world in
      let fence = Witness()
      let session = try Session(connecting: ConnectionString(world.database.url))
      var identifiers = IdentifierGenerator()
      var nothing = TransactionFences(nil)
      try session.query(Statement.begin())
      _ = try Ledger(session).post(
        [world.request("k", "2")], identifiers: &identifiers, fences: &nothing)
      // Between other wallets: it waits for the key alone, with its fence raised; then the index refuses it, and it looks
      // again.
      let other = world.request("k", to: world.bob, "1", "ETH")
      async let outcomes = world.with { _ in
        let processor = Self.processor(world, fence)
        _ = try processor.process([world.request("warm", to: world.bob, "1", "ETH")])
        return try processor.process([other])
      }
      try await world.waitForWaiters(1)
      #expect(fence.raised.count == 2)
      try session.query(Statement.commit())
      let codes = try await outcomes.map(\.code)
      #expect(codes == [.keyReusedWithDifferentRequest])
      #expect(fence.raised.count == 2 && fence.settled.count == 1)
    }
  }
}
