public import Cache
public import Ledger
public import Postgres
internal import Primitives
public import Redis

/// Fences the cached users and wallets that a transaction changes; what cannot be fenced goes through the outbox
/// (docs/cache.md, "Writes and the outbox").
public final class WalletFence: CommitFence {
  private let store: FencedStore
  private let lines: FenceLines
  private let onTrouble: @Sendable (any Error) -> Void

  /// What a command does at most for others' rows of the outbox; the rest is the next one's, or the job's.
  private static let drainRowsMax = 1000
  private static let drainTime: Duration = .milliseconds(250)
  /// Rows of the outbox that are fenced, and locked, at a time.
  private static let drainChunk = 50

  /// - Parameters:
  ///   - patience: how long Redis may take to answer while row locks are held; see `FenceLines`.
  ///   - pause: how long a Redis that has failed is left alone at first. With the default a batch of some seconds meets a
  ///     dead one once, and not at every other chunk.
  ///   - connect: opens a connection within a time.
  ///   - onTrouble: told what keeps changes in the outbox, each time that Redis was tried in vain.
  public init(
    _ store: FencedStore, patience: Duration, pause: Duration = .seconds(5),
    connect: @escaping @Sendable (Duration) throws -> any CommandRunner,
    onTrouble: @escaping @Sendable (any Error) -> Void
  ) {
    self.store = store
    self.onTrouble = onTrouble
    lines = FenceLines(patience: patience, pause: pause, connect: connect)
  }

  public func raise(_ rows: ChangedRows, by transaction: FencedTransaction) -> RaisedFence {
    let keys = rows.cacheKeys
    // What waits in the outbox says that Redis was not well a moment ago: it is tried after COMMIT, when nobody waits.
    let answer = lines.run(.underLocks(mayConnect: transaction.isOutboxEmpty)) { [store] runner in
      try store.fencing([(keys, WritingTransaction(transaction))], in: runner)
    }
    switch answer {
    case .done(let connection): return RaisedFence(rows, by: transaction, token: connection)
    case .leftAlone: break
    case .failed(let error): onTrouble(error)
    }
    return RaisedFence(rows, by: transaction, missed: keys.map(\.text))
  }

  public func settle(_ fences: [RaisedFence], on session: Postgres.Session) {
    for fence in fences where fence.missed.isEmpty { confirm(fence, on: session) }
    let late = fences.filter { !$0.missed.isEmpty }
    if late.isEmpty, fences.allSatisfy(\.transaction.isOutboxEmpty) { return }
    drain(after: late, on: session)
  }

  /// Fences what rows of the outbox name.
  ///
  /// - Throws: what Redis answered; the rows must stay then.
  public func fence(_ entries: [CacheOutbox.Entry]) throws {
    let answer = lines.run(.free) { [store] runner in
      let writes = try entries.map { entry in
        // What is no key of ours, nobody has cached.
        let keys = entry.keys.compactMap { name in
          do throws(SimpleFailure) { return try CacheKey(name) } catch { return nil }
        }
        return (keys, try WritingTransaction(entry))
      }
      return store.fencing(writes, in: runner)
    }
    switch answer {
    case .done: return
    case .leftAlone:
      throw SimpleFailure(
        .unreachable, code: "redis_left_alone",
        message: "Redis has failed a moment ago and is left alone for a while", isRetryable: true)
    case .failed(let error): throw error
    }
  }

  /// Redis may have been restarted since, or another server have taken its place; the fence is gone then. On an unbroken
  /// connection nobody has to be asked: what a server loses without ending is made good by the registry.
  private func confirm(_ fence: RaisedFence, on session: Postgres.Session) {
    if let connection = fence.token, lines.isUnbroken(connection) { return }
    let keys = fence.rows.cacheKeys
    let transaction = TransactionID(fence.transaction.id)
    let answer = lines.run(.underLocks(mayConnect: true)) { [store] runner in
      [store.confirming(keys, by: transaction, in: runner)]
    }
    switch answer {
    case .done: return
    case .leftAlone: break
    case .failed(let error): onTrouble(error)
    }
    do throws(PostgresError) {
      try CacheOutbox(session).add(keys.map(\.text), by: transaction.number)
    } catch {
      onTrouble(error)
    }
  }

  /// Fences what this process has just committed and could not fence before, and then what others have left.
  private func drain(after late: [RaisedFence], on session: Postgres.Session) {
    let answer = lines.run(.free) { [store] runner in
      try store.fencing(
        late.map { ($0.rows.cacheKeys, try WritingTransaction($0.transaction)) }, in: runner)
    }
    switch answer {
    case .done: break
    case .leftAlone: return
    case .failed(let error): return onTrouble(error)
    }
    do {
      let outbox = CacheOutbox(session)
      let rows = late.flatMap(\.outboxRows)
      if !rows.isEmpty { try outbox.remove(rows) }
      try drainRest(outbox, on: session)
    } catch {
      onTrouble(error)
    }
  }

  private func drainRest(_ outbox: CacheOutbox, on session: Postgres.Session) throws {
    let deadline = Deadline.after(Self.drainTime)
    var count = 0
    var taken = Self.drainChunk
    while taken == Self.drainChunk, count < Self.drainRowsMax, !deadline.hasPassed {
      taken = try session.transaction {
        let entries = try outbox.take(limit: Self.drainChunk)
        if !entries.isEmpty {
          try fence(entries)
          try outbox.remove(entries.map(\.id))
        }
        return entries.count
      }
      count += taken
    }
  }
}

extension FencedStore {
  /// The commands that fence what several transactions have written, in two parts: whoever finds a key without its fence looks
  /// into the registry, so that must know of all of them first.
  fileprivate func fencing(
    _ writes: [(keys: [CacheKey], writer: WritingTransaction)], in runner: some CommandRunner
  ) -> [[Command]] {
    let commands = writes.map { fencing($0.keys, by: $0.writer, in: runner) }
    return [commands.flatMap { $0.prefix(1) }, commands.flatMap { $0.dropFirst() }]
  }
}

extension WritingTransaction {
  fileprivate init(_ transaction: FencedTransaction) throws(SimpleFailure) {
    try self.init(id: String(transaction.id), snapshot: transaction.snapshot)
  }

  fileprivate init(_ entry: CacheOutbox.Entry) throws(SimpleFailure) {
    try self.init(id: String(entry.transaction), snapshot: entry.snapshot)
  }
}

extension ChangedRows {
  /// The names under which the rows are cached.
  var cacheKeys: [CacheKey] { users.map(CacheKey.user) + wallets.map(CacheKey.wallet) }
}
