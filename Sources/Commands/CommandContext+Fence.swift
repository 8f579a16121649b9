import Cache
import Configuration
import Ledger
import Primitives
import Synchronization
import WalletCache

extension CommandContext {
  /// How long a write waits for Redis while it holds row locks, at most.
  private static let fencePatienceMax: Duration = .milliseconds(500)

  /// What the writes of this command raise before their COMMIT, so that no cache outlives them; nil where no Redis is
  /// configured, and thus no cache.
  ///
  /// - Throws: `ConfigurationFailure`; `redis_url` for a URL that names no server.
  func commitFence() throws -> WalletFence? { try commitFences()?() }

  /// The same for several threads, each with a connection of its own.
  func commitFences() throws -> (@Sendable () -> WalletFence)? {
    let configuration = try configuration()
    guard let url = try configuration.findRedis()?.value else { return nil }
    let told = TroubleTold()
    let redis = configuration.values.redis
    return try fences(
      url: url, patience: min(.seconds(redis.commandTimeoutSeconds), Self.fencePatienceMax)
    ) { [messages] error in
      if told.isFirst() { Self.tell(error, messages) }
    }
  }

  /// What drains the outbox while nobody waits for it.
  ///
  /// - Throws: `ConfigurationFailure`, also where no Redis is configured.
  func outboxFence() throws -> WalletFence {
    let configuration = try configuration()
    return try fences(
      url: try configuration.redis().value,
      patience: .seconds(configuration.values.redis.commandTimeoutSeconds)
    ) { _ in }()
  }

  private func fences(
    url: String, patience: Duration, onTrouble: @escaping @Sendable (any Error) -> Void
  ) throws -> @Sendable () -> WalletFence {
    let connect = try redisConnector(url: url)
    let store = try FencedStore()
    return { WalletFence(store, patience: patience, connect: connect, onTrouble: onTrouble) }
  }

  private static func tell(_ error: any Error, _ messages: Messages) {
    let reason = (error as? any Failure)?.message ?? "\(error)"
    messages.warning(
      "the cache could not be told what changed: \(reason). It is noted in the outbox; until that is drained, by the next "
        + "command that writes or by `ironforge job run drain-outbox`, the cache may show what was there before",
      fields: (error as? any Failure).map { [("code", .string($0.code))] } ?? [])
  }
}

/// Trouble with Redis is told once a command, however many of its writes meet it.
private final class TroubleTold: Sendable {
  private let isTold = Mutex(false)

  /// Whether nobody has asked before.
  func isFirst() -> Bool {
    isTold.withLock { isTold in
      defer { isTold = true }
      return !isTold
    }
  }
}
