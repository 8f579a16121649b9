import Configuration
import Primitives
import Redis

extension CommandContext {
  /// Opens a session to the configured Redis, with the configured time-outs.
  ///
  /// - Throws: `ConfigurationFailure`, `RedisError`.
  func openRedis() throws -> Redis.Session {
    let configuration = try configuration()
    let redis = configuration.values.redis
    return try Redis.Session(
      connecting: try Endpoint(url: try configuration.redis().value),
      connectTimeout: .seconds(redis.connectTimeoutSeconds),
      commandTimeout: .seconds(redis.commandTimeoutSeconds))
  }
}
