public import Redis

/// What a write does, before its COMMIT and after it.
extension FencedStore {
  /// Fields of the registry beyond what was left the last time, above which it is worth while to prune.
  private static let registryRoom = 64
  /// Running transactions that the registry names; beyond, one bound stands for all of them.
  static let registryMax = 4096

  /// The commands that fence keys, for a caller that awaits their replies while it does something else. Each reply must be
  /// no error by the time that COMMIT is sent, or the keys must stand in the outbox. They may be sent twice.
  ///
  /// The first command enters the transaction into the registry. Where the runner is a cluster's, that one must have been
  /// answered before the others are sent, as ``fence(_:by:in:)`` does it; on one connection the order of sending is enough.
  public func fencing(_ keys: [CacheKey], by writer: WritingTransaction, in runner: some CommandRunner)
    -> [Command]
  {
    let snapshot = writer.snapshot
    let transaction: [Argument] = [
      .text(writer.id.description), .text(snapshot.oldestRunning.description),
      .text(snapshot.firstUnborn.description), .text(snapshot.runningList),
    ]
    let registering = Command(
      FenceScripts.register, keys: [.text(registryKey)],
      arguments: transaction + [.integer(Self.registryRoom), .integer(Self.registryMax)])
    let bounds = [milliseconds(settings.fenceLife), .integer(settings.fencesMax)]
    return [registering]
      + groups(keys, by: \.self, in: runner).map { keys in
        Command(FenceScripts.fence, keys: pairs(keys), arguments: transaction + bounds)
      }
  }

  /// Fences keys that a transaction has written. To be called before its COMMIT is sent; must have succeeded by then, or
  /// the keys must stand in the outbox. Once fenced, no value that the transaction made obsolete can come in again, whether
  /// it commits or not and whoever dies. The values are deleted: it is also how keys are invalidated.
  ///
  /// - Throws: `RedisError`, also where one key was refused.
  public func fence(_ keys: [CacheKey], by writer: WritingTransaction, in runner: some CommandRunner) throws {
    let commands = fencing(keys, by: writer, in: runner)
    // Whoever finds a key without its fence looks into the registry: it must be there first.
    let first = runner.slot(of: registryKey) == nil ? [] : commands.prefix(1)
    for part in [first, commands.dropFirst(first.count)] {
      try runner.pipeline(part, isIdempotent: true) { _, reply in _ = try reply.get() }
    }
  }

  /// The commands that confirm the fences of a transaction that has committed, to be sent and judged by
  /// ``fencesRaised(by:)`` before its writes are acknowledged. They may be sent twice.
  public func confirming(_ keys: [CacheKey], by transaction: TransactionID, in runner: some CommandRunner)
    -> [Command]
  {
    groups(keys, by: \.self, in: runner).map { keys in
      Command(
        FenceScripts.confirm, keys: pairs(keys),
        arguments: [.text(transaction.description), milliseconds(settings.fenceLife)])
    }
  }

  /// How many fences one command of ``confirming(_:by:in:)`` found gone and has raised anew: Redis was restarted, failed
  /// over or short of memory between the fence and the commit.
  ///
  /// - Throws: `RedisError`, where the keys must be fenced by way of the outbox.
  public func fencesRaised(by reply: Reply) throws -> Int {
    Int(clamping: try reply.integer())
  }

  /// Confirms the fences of a transaction that has committed, and returns how many were raised anew.
  ///
  /// - Throws: `RedisError`, where the keys must be fenced by way of the outbox.
  @discardableResult
  public func confirm(_ keys: [CacheKey], by transaction: TransactionID, in runner: some CommandRunner) throws
    -> Int
  {
    var raised = 0
    try runner.pipeline(confirming(keys, by: transaction, in: runner), isIdempotent: true) { _, reply in
      raised += try fencesRaised(by: reply)
    }
    return raised
  }
}
