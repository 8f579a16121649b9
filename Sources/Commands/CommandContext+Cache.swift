package import Cache
import Configuration
import Primitives
package import Redis
import WalletCache

extension CommandContext {
  /// L2 with the configured lives.
  ///
  /// - Throws: `ConfigurationFailure`.
  package func fencedStore() throws -> FencedStore {
    let cache = try configuration().values.cache
    var settings = StoreSettings()
    settings.timeToLive = .seconds(cache.l2TTLSeconds)
    settings.jitter = cache.ttlJitter
    return try FencedStore(settings)
  }

  /// Connections to the configured Redis, each with a thread of its own; they connect when they are first used.
  ///
  /// - Throws: `ConfigurationFailure`, `RedisError`.
  package func redisConnections(_ count: Int) throws -> [Connection] {
    let configuration = try configuration()
    let redis = configuration.values.redis
    let endpoint = try Endpoint(url: try configuration.redis().value)
    return try (0..<count).map { _ in
      try Connection(
        endpoint, isCluster: redis.cluster, connectTimeout: .seconds(redis.connectTimeoutSeconds),
        commandTimeout: .seconds(redis.commandTimeoutSeconds))
    }
  }

  /// The cache in this process, and what keeps it true until it is stopped; for commands that run for long.
  ///
  /// - Throws: `ConfigurationFailure`; `redis_url`.
  package func followedL1() throws -> (l1: L1Cache, tracker: KeyTracker) {
    let configuration = try configuration()
    let (cache, redis) = (configuration.values.cache, configuration.values.redis)
    let l1 = L1Cache(
      capacity: cache.l1MaxCapacity, timeToLive: .seconds(cache.l1TimeToLiveSeconds),
      timeToIdle: .seconds(cache.l1TimeToIdleSeconds))
    let tracker = try KeyTracker(
      of: l1, prefixes: CachedTable.keyPrefixes, endpoint: Endpoint(url: try configuration.redis().value),
      isCluster: redis.cluster, connectTimeout: .seconds(redis.connectTimeoutSeconds))
    return (l1, tracker)
  }
}
