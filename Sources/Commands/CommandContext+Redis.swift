import Configuration
import Primitives
import Redis

extension CommandContext {
  /// Opens the configured Redis, or the cluster, with the configured time-outs.
  ///
  /// - Throws: `ConfigurationFailure`, `RedisError`.
  func openRedis() throws -> any CommandRunner {
    try redisConnector(url: try configuration().redis().value)(.seconds(3600))
  }

  /// What opens a Redis, or the cluster that it belongs to, with the configured time-outs or, where that is shorter, within
  /// a given time.
  ///
  /// - Throws: `ConfigurationFailure`; `redis_url` for a URL that names no server.
  func redisConnector(url: String) throws -> @Sendable (Duration) throws -> any CommandRunner {
    let redis = try configuration().values.redis
    let endpoint = try Endpoint(url: url)
    return { time in
      let connectTimeout = min(time, .seconds(redis.connectTimeoutSeconds))
      let commandTimeout = min(time, .seconds(redis.commandTimeoutSeconds))
      return redis.cluster
        ? try ClusterSession(
          connecting: endpoint, connectTimeout: connectTimeout, commandTimeout: commandTimeout)
        : try Redis.Session(
          connecting: endpoint, connectTimeout: connectTimeout, commandTimeout: commandTimeout)
    }
  }
}
