import Cache
import Configuration
import Primitives
import Redis
import WalletCache

extension CommandContext {
  /// L2 with the configured lives.
  ///
  /// - Throws: `ConfigurationFailure`.
  func fencedStore() throws -> FencedStore {
    let cache = try configuration().values.cache
    var settings = StoreSettings()
    settings.timeToLive = .seconds(cache.l2TTLSeconds)
    settings.jitter = cache.ttlJitter
    return try FencedStore(settings)
  }

  /// Connections to the configured Redis, each with a thread of its own; they connect when they are first used.
  ///
  /// - Throws: `ConfigurationFailure`, `RedisError`.
  func redisConnections(_ count: Int) throws -> [Connection] {
    let configuration = try configuration()
    let redis = configuration.values.redis
    let endpoint = try Endpoint(url: try configuration.redis().value)
    return try (0..<count).map { _ in
      try Connection(
        endpoint, isCluster: redis.cluster, connectTimeout: .seconds(redis.connectTimeoutSeconds),
        commandTimeout: .seconds(redis.commandTimeoutSeconds))
    }
  }
}
